package openapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/document"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/plan"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/sensitive"
)

// The bounds of a body: schemas may hold themselves.
const (
	// maxDepth bounds how deep values are made, and maxValues how many.
	maxDepth  = 4
	maxValues = 300
)

// properties returns the properties of an object. All parts of its schema may have some.
func properties(s *openapi3.Schema) openapi3.Schemas {
	all := maps.Clone(s.Properties)
	for _, part := range s.AllOf {
		if all == nil {
			all = openapi3.Schemas{}
		}
		maps.Copy(all, schemaOf(part).Properties)
	}
	return all
}

// required returns the names of the properties that have to be there.
func required(s *openapi3.Schema) []string {
	all := slices.Clone(s.Required)
	for _, part := range s.AllOf {
		all = append(all, schemaOf(part).Required...)
	}
	return all
}

// chosen returns the schema that a value is made by, where there are several.
func chosen(s *openapi3.Schema) *openapi3.Schema {
	for range maxDepth {
		switch {
		case s.Type != nil || len(s.Properties) > 0 || len(s.Enum) > 0:
			return s
		case len(s.OneOf) > 0:
			s = schemaOf(s.OneOf[0])
		case len(s.AnyOf) > 0:
			s = schemaOf(s.AnyOf[0])
		case len(s.AllOf) == 1:
			s = schemaOf(s.AllOf[0])
		default:
			return s
		}
	}
	return s
}

// is reports whether a schema is of a type.
func is(s *openapi3.Schema, name string) bool { return s.Type != nil && s.Type.Includes(name) }

// value returns a value of a schema as JSON has it.
func (w *writer) value(name string, s *openapi3.Schema, depth int) *yaml.Node {
	s = chosen(s)
	w.values++
	switch {
	case s.Example != nil && !scalar(s.Example):
		if n := w.example(s.Example); n != nil {
			return n
		}
		fallthrough
	case is(s, "object") || len(properties(s)) > 0:
		m := document.NewMap()
		for _, field := range fields(s) {
			if depth < maxDepth && w.values < maxValues {
				m.Set(field, w.value(field, schemaOf(properties(s)[field]), depth+1))
			}
		}
		if n := m.Node(); n != nil {
			return n
		}
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	case is(s, "array"):
		list := document.List()
		for range min(max(1, s.MinItems), 10) {
			if s.Items != nil && depth < maxDepth && w.values < maxValues {
				list.Content = append(list.Content, w.value(name, schemaOf(s.Items), depth+1))
			}
		}
		return list
	default:
		return document.String(w.variable(name, s, nil).String())
	}
}

func scalar(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return false
	default:
		return true
	}
}

// example returns an example as it is; nil if there is none, or if it holds something sensitive.
func (w *writer) example(v any) *yaml.Node {
	text, err := json.Marshal(v)
	if v == nil || err != nil || w.detector.Value(string(text)) != sensitive.None {
		return nil
	}
	n, err := document.JSON(text, nil)
	if err != nil {
		return nil
	}
	return n
}

// variable returns the value of something by name: one of its examples, or something that its schema
// describes.
func (w *writer) variable(name string, s *openapi3.Schema, examples []any) document.Text {
	s = chosen(s)
	if sensitive.Name(name) == sensitive.Secret && !is(s, "boolean") && !is(s, "integer") {
		return w.env(name, "value of "+plan.CleanName(name, "a secret name"))
	}
	if is(s, "array") && s.Items != nil {
		s = chosen(schemaOf(s.Items)) // A list of one.
	}
	for _, v := range append(slices.Clone(s.Examples), s.Example, s.Const, s.Default) {
		if v != nil && len(examples) == 0 {
			examples = append(examples, v)
		}
	}
	if len(s.Enum) > 0 {
		examples = s.Enum
	}
	var values []*yaml.Node
	for _, v := range examples {
		if n := w.example(v); n != nil && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
			values = append(values, n)
		}
	}
	if len(values) == 1 && values[0].Tag == "!!str" {
		return document.Literal(literal(values[0].Value))
	}
	if len(values) > 0 {
		return w.newVariable(name, document.Variable{Value: document.One("one_of", document.List(values...))})
	}
	v := made(s)
	if !w.made {
		w.made = true
		w.request.Comment = append(w.request.Comment, "Values without an example are made up by the schema: put others here where they have to exist.")
	}
	if v.Of != "" {
		number := w.newVariable(name+"_number", document.Variable{Value: document.One("int", bounds(1, 1000))})
		v.Value = document.One("text", document.String(document.Join(document.Literal("user-"), number, document.Literal(v.Of)).String()))
	}
	return w.newVariable(name, v.Variable)
}

// literal takes back the escapes of document.JSON.
func literal(s string) string { return strings.ReplaceAll(s, "$${", "${") }

// invented is a variable that a schema describes; Of, if not empty, stands behind a number.
type invented struct {
	document.Variable

	Of string
}

// made returns the variable that a schema describes.
func made(s *openapi3.Schema) invented {
	one := func(kind string, value *yaml.Node) invented {
		return invented{Variable: document.Variable{Value: document.One(kind, value)}}
	}
	from, to := limits(s)
	switch {
	case is(s, "integer"):
		return one("int", bounds(int64(math.Ceil(from)), int64(math.Floor(to))))
	case is(s, "number"):
		m := document.NewMap().Set("from", document.Number(fmt.Sprintf("%.2f", from))).Set("to", document.Number(fmt.Sprintf("%.2f", to)))
		return one("decimal", m.Node())
	case is(s, "boolean"):
		return one("one_of", document.List(document.Bool(true), document.Bool(false)))
	}
	switch s.Format {
	case "uuid":
		return invented{Variable: document.Variable{Value: document.String("uuid")}}
	case "date":
		return one("time", document.One("format", document.String("2006-01-02")))
	case "date-time":
		return one("time", document.One("format", document.String("rfc3339")))
	case "email":
		return invented{Of: "@example.com"}
	case "uri", "url":
		return invented{Of: ".example.com"}
	}
	length := min(max(8, int64(min(s.MinLength, 65536))), 65536)
	if s.MaxLength != nil {
		length = max(1, min(length, int64(min(*s.MaxLength, 65536))))
	}
	v := one("random_text", document.One("length", document.Int(length)))
	if s.Pattern != "" {
		v.Comment = []string{"Random, though the schema has a pattern: put values here that match it."}
	}
	return v
}

func bounds(from, to int64) *yaml.Node {
	return document.NewMap().Set("from", document.Int(from)).Set("to", document.Int(to)).Node()
}

// The bounds of numbers for which a schema has none, and within which all are.
const (
	defaultMax = 1000
	furthest   = 1e9
)

// limits returns the least and the greatest number of a schema.
func limits(s *openapi3.Schema) (from, to float64) {
	from, to = 1, defaultMax
	if s.Min != nil {
		from = *s.Min
	}
	if s.ExclusiveMin.Value != nil {
		from = *s.ExclusiveMin.Value + 1
	} else if s.ExclusiveMin.Bool != nil && *s.ExclusiveMin.Bool {
		from++
	}
	to = max(to, from+defaultMax-1)
	if s.Max != nil {
		to = *s.Max
	}
	if s.ExclusiveMax.Value != nil {
		to = *s.ExclusiveMax.Value - 1
	} else if s.ExclusiveMax.Bool != nil && *s.ExclusiveMax.Bool {
		to--
	}
	from, to = max(-furthest, min(from, furthest)), max(-furthest, min(to, furthest))
	if s.Min == nil && from > to {
		from = to - 1
	}
	return from, max(from, to)
}
