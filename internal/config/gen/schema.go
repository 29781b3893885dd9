package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
)

// schemaID is where the documentation's site has the schema; mkdocs.yml has the site's URL.
const schemaID = "https://traffic-exporter.github.io/traffic_exporter/config.schema.json"

// object is a JSON object; its keys come out sorted.
type object = map[string]any

// variable matches a string in which an environment variable will be expanded, whatever
// else a value has to look like.
const variable = `\$\{`

// pattern returns the regular expression of a type that is written as text. It may be
// looser than the parser: the schema helps while writing, Parse decides.
func pattern(typ string) string {
	switch typ {
	case "Duration":
		return `^[0-9]+(y|w|d|h|m|s|ms)([0-9]+(w|d|h|m|s|ms))*$`
	case "Rate":
		return `^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?/[smhd]$`
	case "Percent":
		return `^[0-9]+(\.[0-9]+)?%$`
	case "Traceparent":
		return `^([0-9]+(\.[0-9]+)?%|sampled|unsampled|none)$`
	case "Bytes":
		return `^[0-9]+(KiB|MiB|GiB)?$`
	case "URL":
		return `^(([hH][tT][tT][pP]|[gG][rR][pP][cC]|[wW][sS])[sS]?://[^#\s]+|[/?][^#\s]*)$|\{\{`
	case "Allowed":
		return `^(\*:[0-9]{1,5}|[^\s@*]+|\*\.[^\s@*]+)$`
	case "Origin":
		return `^[hH][tT][tT][pP][sS]?://[^/?#\s]+/?$`
	case "StatusRange":
		return `^([1-5](xx|[0-9]{2}(-[1-5][0-9]{2})?)|[1-4][0-9]{3}(-[1-4][0-9]{3})?|` + strings.Join(spec.Names(), "|") + `)$`
	case "TimeOfDay":
		return `^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$`
	case "TimeOfWeek":
		return `^(mon|tue|wed|thu|fri|sat|sun) ([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$`
	default:
		return ""
	}
}

// isText reports whether a type is any string.
func isText(typ string) bool {
	return typ == "Secret" || typ == "Template" || typ == "SecretTemplate"
}

// bareNumber returns the schema of a number as which such a type may be written as
// well; nil if it may not.
func bareNumber(typ string) object {
	switch typ {
	case "Duration":
		return object{"const": 0}
	case "Bytes":
		return object{"type": "integer", "minimum": 0}
	case "StatusRange":
		return object{"type": "integer", "minimum": 100, "maximum": 4999}
	default:
		return nil
	}
}

// schema returns the JSON schema of the file.
func (m *model) schema() ([]byte, error) {
	defs := object{}
	for _, name := range m.order[1:] {
		defs[label(name)] = m.definition(m.types[name])
	}
	root := m.structure(m.types["Config"])
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = schemaID
	root["title"] = "Configuration of traffic_exporter"
	root["$defs"] = defs

	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	return out.Bytes(), nil
}

// definition returns the schema of a struct, and of what it may be written as instead.
func (m *model) definition(t *typeDoc) object {
	s := m.structure(t)
	either := func(short ...object) object {
		return object{"description": s["description"], "anyOf": append(short, s)}
	}
	switch t.name {
	case "RateShape":
		s["oneOf"] = exactlyOne(t, "scale", "min", "max") // The adjustments are no shapes.
		return either(textual("Rate"))
	case "HeaderValue":
		return either(anyText(""))
	case "Body":
		s["oneOf"] = exactlyOne(t, "set")
		return either(anyText(""))
	case "RemoteWrite":
		return either(object{"type": "array", "minItems": 1, "items": object{"$ref": "#/$defs/" + label("Series")}})
	case "Series":
		s["oneOf"] = []object{{"required": []string{"value"}}, {"required": []string{"counter"}}, {"required": []string{"gauge"}}}
	case "Variable":
		s["oneOf"] = exactlyOne(t)
		return either(object{"enum": []string{"uuid", "sequence"}}, object{"type": "string", "pattern": variable})
	case "Dataset":
		s["oneOf"] = exactlyOne(t, "order", "weight")
	case "Turn":
		s["oneOf"] = exactlyOne(t)
	case "Send":
		s["oneOf"] = exactlyOne(t)
		return either(anyText(""))
	case "Pause", "Wait":
		return either(textual("Duration"))
	case "Repeat":
		return either(orVariable(object{"type": "integer", "minimum": 1, "maximum": 10000}), object{"const": "all"})
	case "FormValue":
		return either(anyText(""), object{"type": "array", "items": anyText("")})
	case "Check":
		s["minProperties"] = 1
		return either(object{"not": object{"type": "object"}})
	case "SizeCheck":
		return either(textual("Bytes"))
	case "Request":
		s["oneOf"] = []object{{"required": []string{"url"}, "properties": object{"steps": false}}, journey(t)}
	case "TrafficStep":
		return m.step(t)
	}
	return s
}

// journey returns what an entry with steps has to have, and what it cannot have beside them.
func journey(t *typeDoc) object {
	none := object{}
	for _, k := range t.keys {
		switch k.name {
		case "name", "weight", "variables", "cookies", "steps":
		default:
			none[k.name] = false
		}
	}
	return object{"required": []string{"steps"}, "properties": none}
}

// exactlyOne asks for one of a struct's keys, but for those that only go with them.
func exactlyOne(t *typeDoc, besides ...string) []object {
	var one []object
	for _, k := range t.keys {
		if !slices.Contains(besides, k.name) {
			one = append(one, object{"required": []string{k.name}})
		}
	}
	return one
}

// step returns the schema of a step, which is one of several structs, or a list of steps.
func (m *model) step(t *typeDoc) object {
	all := []object{
		m.part(t, []string{"pause"}, "pause"),
		m.part(t, []string{"repeat", "steps"}, "repeat", "each", "steps"),
		m.part(t, []string{"choose"}, "choose"),
		m.part(t, []string{"parallel"}, "parallel", "each", "at_once"),
	}
	var keys []string
	request := m.types["Request"]
	for _, k := range request.keys {
		if k.name != "weight" && k.name != "cookies" && k.name != "steps" {
			keys = append(keys, k.name)
		}
	}
	all = append(all, m.part(request, []string{"name", "url"}, keys...), object{"type": "array", "items": object{"$ref": "#/$defs/" + label(t.name)}})
	return object{"description": t.sentence(), "anyOf": all}
}

// part returns the schema of a struct with some of its keys only.
func (m *model) part(t *typeDoc, required []string, keys ...string) object {
	some := &typeDoc{name: t.name, doc: t.doc}
	for _, k := range t.keys {
		if slices.Contains(keys, k.name) {
			some.keys = append(some.keys, k)
		}
	}
	s := m.structure(some)
	delete(s, "description")
	s["required"] = required
	return s
}

func (m *model) structure(t *typeDoc) object {
	properties := object{}
	var required []string
	for _, k := range t.keys {
		properties[k.name] = m.property(k)
		if k.required {
			required = append(required, k.name)
		}
	}
	s := object{
		"type": "object", "description": t.sentence(), "properties": properties, "additionalProperties": false,
	}
	if required != nil {
		s["required"] = required
	}
	return s
}

func (m *model) property(k key) object {
	s := object{"description": k.doc}
	if k.isMap {
		maps.Copy(s, m.mapping(k))
	} else if k.isList {
		s["type"] = "array"
		s["items"] = m.value(key{typ: k.typ, format: k.format})
		limit(s, "minItems", k.min)
		limit(s, "maxItems", k.max)
	} else {
		maps.Copy(s, m.value(k))
	}
	if k.hasOne {
		s["default"] = preset(k)
	}
	return s
}

// mapping returns the schema of things by name.
func (m *model) mapping(k key) object {
	value := m.value(key{typ: k.typ, format: k.format})
	if k.isList {
		value = object{"anyOf": []object{value, {"type": "array", "items": value}}}
	}
	s := object{"type": "object", "additionalProperties": value}
	limit(s, "minProperties", k.min)
	limit(s, "maxProperties", k.max)
	if k.format == "names" {
		s["propertyNames"] = object{"pattern": `^[a-zA-Z_][a-zA-Z0-9_]{0,63}$`}
	}
	return s
}

// value returns the schema of a single value.
func (m *model) value(k key) object {
	switch {
	case m.isStruct(k.typ):
		return object{"$ref": "#/$defs/" + label(k.typ)}
	case len(k.oneOf) > 0:
		return object{"anyOf": []object{{"enum": k.oneOf}, {"type": "string", "pattern": variable}}}
	case pattern(k.typ) != "":
		return textual(k.typ)
	case k.typ == "Headers":
		value := m.value(key{typ: "HeaderValue"})
		return object{"type": "object", "additionalProperties": object{"anyOf": []object{value, {"type": "array", "items": value}}}}
	}
	switch k.typ {
	case "JSON":
		return object{}
	case "Elements":
		return object{"anyOf": []object{orVariable(object{"type": "integer", "minimum": 1, "maximum": 100000}), {"type": "array", "minItems": 1}}}
	case "OneOf":
		return object{"anyOf": []object{
			{"type": "array", "minItems": 1},
			{"type": "object", "minProperties": 1, "additionalProperties": orVariable(object{"type": "integer", "minimum": 0})},
		}}
	case "bool":
		return orVariable(object{"type": "boolean"})
	case "int":
		return orVariable(ranged(k, "integer"))
	case "float64":
		return orVariable(ranged(k, "number"))
	default:
		return anyText(k.format)
	}
}

// textual returns the schema of a type that is written as text.
func textual(typ string) object {
	s := object{"type": "string", "pattern": pattern(typ) + "|" + variable}
	if number := bareNumber(typ); number != nil {
		return object{"anyOf": []object{s, number}}
	}
	return s
}

// anyText returns the schema of a string, which YAML may take for a number or a boolean.
func anyText(format string) object {
	s := object{"type": []string{"string", "number", "boolean"}}
	if p := syntax(format); p != "" {
		s["pattern"] = p + "|" + variable
	}
	return s
}

// syntax returns the regular expression of a string's format. It, too, is looser than the
// parser.
func syntax(format string) string {
	const port = `:[0-9]{1,5}`
	switch format {
	case "name":
		return `^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$`
	case "cluster":
		return `^[a-zA-Z0-9]([a-zA-Z0-9_./-]{0,253}[a-zA-Z0-9_.-])?$`
	case "listen", "advertise":
		return `^([0-9.]+|\[[0-9a-fA-F:.]+\])` + port + `$`
	case "host:port":
		return `^[^\s/@+]+` + port + `$`
	case "member":
		return `^((dns\+)?[^\s/@+]+` + port + `|dnssrv(noa)?\+[^\s/@+]+)$`
	case "endpoint":
		return `^(https?://)?[^\s/@+]+` + port + `/?$`
	default:
		return ""
	}
}

func orVariable(s object) object {
	return object{"anyOf": []object{s, {"type": "string", "pattern": variable}}}
}

func ranged(k key, typ string) object {
	s := object{"type": typ}
	limit(s, "minimum", k.min)
	limit(s, "maximum", k.max)
	return s
}

// limit sets a limit that the tag has.
func limit(s object, name, text string) {
	if n, err := strconv.Atoi(text); err == nil {
		s[name] = n
	}
}

// preset returns a default as the value that one would write.
func preset(k key) any {
	if k.isList {
		return strings.Fields(k.preset)
	}
	switch k.typ {
	case "JSON":
		return object{}
	case "OneOf":
		return object{"anyOf": []object{
			{"type": "array", "minItems": 1},
			{"type": "object", "minProperties": 1, "additionalProperties": orVariable(object{"type": "integer", "minimum": 0})},
		}}
	case "bool":
		return k.preset == "true"
	case "int", "float64":
		return json.Number(k.preset)
	default:
		return k.preset
	}
}
