package openapi

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/document"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/plan"
)

// writer writes one request.
type writer struct {
	*api

	request *document.Request
	// used are the names of its variables.
	used map[string]bool
	// values counts those that were made for the body; made says that a comment has it.
	values int
	made   bool
}

// url writes the URL, the query and the headers with the values of parameters.
func (w *writer) url(path string, all []*openapi3.Parameter) {
	byName := map[string]*openapi3.Parameter{}
	var optional []string
	for _, p := range all {
		switch {
		case p.In == "path":
			byName[p.Name] = p
		case !p.Required:
			if plan.CleanName(p.Name, "") == p.Name {
				optional = append(optional, p.Name)
			}
		case p.In == "query":
			w.request.Query = append(w.request.Query, document.Field{Name: p.Name, Value: w.parameter(p)})
		case p.In == "header" && !ownHeader(p.Name):
			w.request.Headers = append(w.request.Headers, document.Field{Name: p.Name, Value: w.parameter(p)})
		case p.In == "cookie":
			w.request.Headers = append(w.request.Headers, document.Field{Name: "Cookie", Value: document.Join(document.Literal(p.Name+"="), w.parameter(p))})
		}
	}
	if len(optional) > 0 {
		w.request.Comment = append(w.request.Comment, "Optional parameters, which are left out: "+strings.Join(optional, ", ")+".")
	}
	w.request.URL = w.path(path, byName)
}

// ownHeader reports whether a description may not say what a header is.
func ownHeader(name string) bool {
	return slices.ContainsFunc([]string{"Accept", "Content-Type", "Authorization", "Host", "Content-Length", "Connection"}, func(own string) bool { return strings.EqualFold(own, name) })
}

// path writes a path with values in the place of {parameters}.
func (w *writer) path(path string, byName map[string]*openapi3.Parameter) document.Text {
	var texts []document.Text
	last := 0
	for _, m := range regexp.MustCompile(`\{([^{}]+)\}`).FindAllStringSubmatchIndex(path, -1) {
		texts = append(texts, document.Literal(escapePath(path[last:m[0]])))
		last = m[1]
		p := byName[path[m[2]:m[3]]]
		if p == nil {
			p = &openapi3.Parameter{Name: path[m[2]:m[3]]}
		}
		texts = append(texts, w.parameter(p))
	}
	return document.Join(append(texts, document.Literal(escapePath(path[last:])))...)
}

func escapePath(s string) string {
	return strings.NewReplacer("{", "%7B", "}", "%7D", " ", "%20", "?", "%3F", "#", "%23", "\t", "%09", "\n", "%0A").Replace(s)
}

// parameter returns the value of a parameter.
func (w *writer) parameter(p *openapi3.Parameter) document.Text {
	var examples []any
	if p.Example != nil {
		examples = append(examples, p.Example)
	}
	for _, name := range sorted(p.Examples) {
		if e := p.Examples[name].Value; e != nil && e.Value != nil {
			examples = append(examples, e.Value)
		}
	}
	schema := schemaOf(p.Schema)
	for _, media := range sorted(p.Content) {
		schema = schemaOf(p.Content[media].Schema)
	}
	return w.variable(p.Name, schema, examples)
}

// schemaOf returns the schema behind a reference; an empty one if there is none.
func schemaOf(ref *openapi3.SchemaRef) *openapi3.Schema {
	if ref == nil || ref.Value == nil {
		return &openapi3.Schema{}
	}
	return ref.Value
}

// security writes what an operation asks for: the first of its alternatives.
func (w *writer) security(op *openapi3.Operation) {
	requirements := w.doc.Security
	if op.Security != nil {
		requirements = *op.Security
	}
	if len(requirements) == 0 || w.doc.Components == nil {
		return
	}
	for _, name := range sorted(requirements[0]) {
		if ref := w.doc.Components.SecuritySchemes[name]; ref != nil && ref.Value != nil {
			w.scheme(name, ref.Value)
		}
	}
}

// scheme writes the credentials of a scheme.
func (w *writer) scheme(name string, s *openapi3.SecurityScheme) {
	what := "credentials of the scheme " + plan.CleanName(name, "of the API")
	header := func(name string, value document.Text) {
		w.request.Headers = append(w.request.Headers, document.Field{Name: name, Value: value})
	}
	switch {
	case s.Type == "apiKey" && s.In == "header":
		header(s.Name, w.env(name, what))
	case s.Type == "apiKey" && s.In == "query":
		w.request.Query = append(w.request.Query, document.Field{Name: s.Name, Value: w.env(name, what)})
	case s.Type == "apiKey":
		header("Cookie", document.Join(document.Literal(s.Name+"="), w.env(name, what)))
	case s.Type == "http" && strings.EqualFold(s.Scheme, "basic"):
		w.request.BasicAuth = &document.BasicAuth{User: w.env(name+"_user", "user name of the scheme "+plan.CleanName(name, "of the API")), Password: w.env(name+"_password", "password of the scheme "+plan.CleanName(name, "of the API"))}
	case s.Type == "oauth2":
		w.request.Comment = append(w.request.Comment, "http_config: {oauth2: ...} obtains such tokens and renews them.")
		header("Authorization", document.Join(document.Literal("Bearer "), w.env(name, what)))
	default:
		header("Authorization", document.Join(document.Literal("Bearer "), w.env(name, what)))
	}
}

// body writes the body of an operation, of the first type that can be written.
func (w *writer) body(op *openapi3.Operation) {
	if op.RequestBody == nil || op.RequestBody.Value == nil {
		return
	}
	content := op.RequestBody.Value.Content
	for _, media := range sorted(content) {
		if m := content[media]; m != nil && exchange.IsJSON(strings.ToLower(media)) {
			w.json(media, m)
			return
		}
	}
	for _, media := range sorted(content) {
		schema := schemaOf(content[media].Schema)
		switch strings.ToLower(media) {
		case "application/x-www-form-urlencoded":
			w.form(schema)
			return
		case "multipart/form-data":
			w.multipart(schema)
			return
		}
	}
	for _, media := range sorted(content) {
		w.request.Headers = append(w.request.Headers, document.Field{Name: "Content-Type", Value: document.Literal(media)})
		w.request.Body = document.Body{Random: 1024}
		w.request.Comment = append(w.request.Comment, "Random bytes stand for the body: put one here that the API takes.")
		return
	}
}

func (w *writer) json(media string, m *openapi3.MediaType) {
	if !strings.EqualFold(media, "application/json") {
		w.request.Headers = append(w.request.Headers, document.Field{Name: "Content-Type", Value: document.Literal(media)})
	}
	if n := w.example(m.Example); n != nil {
		w.request.Body = document.Body{JSON: n}
		return
	}
	for _, name := range sorted(m.Examples) {
		if e := m.Examples[name].Value; e != nil {
			if n := w.example(e.Value); n != nil {
				w.request.Body = document.Body{JSON: n}
				return
			}
		}
	}
	w.request.Body = document.Body{JSON: w.value("value", schemaOf(m.Schema), 0)}
}

// fields returns the names of an object's properties that are sent: the required ones, all if none is.
func fields(s *openapi3.Schema) []string {
	var all []string
	properties := properties(s)
	for _, name := range sorted(properties) {
		if p := schemaOf(properties[name]); !p.ReadOnly && (len(s.Required) == 0 || slices.Contains(required(s), name)) && goodKey(name) {
			all = append(all, name)
		}
	}
	return all
}

// goodKey reports whether the configuration can have a field of that name.
func goodKey(name string) bool {
	return name != "" && name != "<<" && !strings.Contains(name, "{{") && !strings.Contains(name, "${")
}

func (w *writer) form(s *openapi3.Schema) {
	for _, name := range fields(s) {
		w.request.Body.Form = append(w.request.Body.Form, document.Field{Name: name, Value: w.variable(name, schemaOf(properties(s)[name]), nil)})
	}
}

func (w *writer) multipart(s *openapi3.Schema) {
	for _, name := range fields(s) {
		property := schemaOf(properties(s)[name])
		part := document.Part{Name: name, Text: w.variable(name, property, nil)}
		if property.Format == "binary" || property.ContentMediaType != "" {
			part.Filename = "file"
		}
		w.request.Body.Multipart = append(w.request.Body.Multipart, part)
	}
}

// newVariable adds a variable to the request and returns its placeholder.
func (w *writer) newVariable(name string, v document.Variable) document.Text {
	base := plan.Identifier(name)
	v.Name = base
	for i := 2; w.used[v.Name]; i++ {
		v.Name = fmt.Sprintf("%s_%d", base, i)
	}
	w.used[v.Name] = true
	w.request.Variables = append(w.request.Variables, v)
	return document.Placeholder(v.Name)
}
