package config

import (
	"bytes"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// Body is the body of a request: a string, which may have placeholders, or a mapping with exactly one of these kinds. The Content-Type
// header follows from the kind, unless the request has one.
type Body struct {
	// A string as it is, with braces that would otherwise be those of a placeholder.
	Verbatim *string `yaml:"verbatim"`
	// Any value, sent as JSON.
	JSON *JSON `yaml:"json"`
	// What to change in json, beside it: paths such as address.city with their new values.
	Set Named[JSON] `yaml:"set" min:"1" max:"1000"`
	// A form (application/x-www-form-urlencoded): a mapping of keys to a string, a list of strings, or {json: ...} for a value as JSON text.
	Form Named[FormValue] `yaml:"form" max:"1000"`
	// The parts of a form with files (multipart/form-data).
	Multipart []Part `yaml:"multipart" min:"1" max:"1000"`
	// The content of a file, as it is.
	File string `yaml:"file" format:"content"`
	// So many random bytes, which follow from the slot. They are generated while they are sent, and never held in memory.
	Random Bytes `yaml:"random" min:"1" max:"1GiB"`
	// A GraphQL request.
	GraphQL *GraphQL `yaml:"graphql"`
	// The message of a call of gRPC, as protobuf's JSON has it, or a list of them where the method takes a stream. Left out, it is an empty one, or an empty list.
	Message *JSON `yaml:"message"`
	// Series with samples, as Prometheus' remote write sends them.
	RemoteWrite *RemoteWrite `yaml:"remote_write"`

	text *Template
}

func (Body) expectation() string { return "a string, or a mapping such as {verbatim: ...}" }

func (b *Body) decode(d *decoder, n *yaml.Node, path string, f field) {
	v := reflect.ValueOf(b).Elem()
	switch n.Kind {
	case yaml.MappingNode:
		d.mapping(n, path, v)
	case yaml.ScalarNode:
		b.text = &Template{}
		b.text.Template, _ = d.template(n, path, "; write {verbatim: ...} to send braces as they are")
		b.text.Secret = holdsVariable(n.Value)
	default:
		d.mismatch(n, path, f, v)
	}
}

// Text returns the body that is written as a string; nil if it is none.
func (b Body) Text() *Template { return b.text }

// Kind returns text or the key that says what the body is; empty if there is none.
func (b Body) Kind() string {
	if b.text != nil {
		return "text"
	}
	return strings.Join(b.kinds(), " ")
}

// kinds returns the keys of the kinds that are there.
func (b Body) kinds() []string {
	var kinds []string
	for _, kind := range []struct {
		key   string
		there bool
	}{
		{"verbatim", b.Verbatim != nil},
		{"json", b.JSON != nil},
		{"form", b.Form != nil},
		{"multipart", b.Multipart != nil},
		{"file", b.File != ""},
		{"random", b.Random != 0},
		{"graphql", b.GraphQL != nil},
		{"message", b.Message != nil},
		{"remote_write", b.RemoteWrite != nil},
	} {
		if kind.there {
			kinds = append(kinds, kind.key)
		}
	}
	return kinds
}

// Boundary separates the parts of a form with files. It is the same for all requests: a part that
// holds it is refused.
const Boundary = "----TrafficExporterFormBoundary7MA4YWxkTrZu0gW"

// ContentType returns the header that follows from the kind; empty if none does.
func (b Body) ContentType() string {
	switch {
	case b.JSON != nil, b.GraphQL != nil:
		return "application/json"
	case b.Form != nil:
		return "application/x-www-form-urlencoded"
	case b.Multipart != nil:
		return "multipart/form-data; boundary=" + Boundary
	case b.Random != 0:
		return "application/octet-stream"
	case b.RemoteWrite != nil && b.RemoteWrite.Version == 2:
		return "application/x-protobuf;proto=io.prometheus.write.v2.Request"
	case b.RemoteWrite != nil:
		return "application/x-protobuf"
	default:
		return ""
	}
}

// Headers returns all headers that follow from the kind.
func (b Body) Headers() Headers {
	var all Headers
	if kind := b.ContentType(); kind != "" {
		all = append(all, Header{Name: "Content-Type", Value: kind})
	}
	if b.RemoteWrite == nil {
		return all
	}
	version := "0.1.0"
	if b.RemoteWrite.Version == 2 {
		version = "2.0.0"
	}
	return append(all, Header{Name: "Content-Encoding", Value: "snappy"}, Header{Name: "X-Prometheus-Remote-Write-Version", Value: version})
}

// Constant reports whether all slots send the same, which Bytes returns.
func (b Body) Constant() bool {
	switch b.Kind() {
	case "":
		return true
	case "multipart", "file", "random", "remote_write":
		return false
	}
	return b.Set == nil && !slices.ContainsFunc(b.templates(""), func(l located) bool { return l.t.Varies() })
}

// Bytes returns a constant body as it is sent, a message as JSON; nil if there is none.
func (b Body) Bytes() []byte {
	var text string
	switch {
	case b.text != nil:
		text = b.text.String()
	case b.Verbatim != nil:
		text = *b.Verbatim
	case b.JSON != nil:
		text = b.JSON.Text
	case b.Form != nil:
		text = b.form()
	case b.GraphQL != nil:
		text = b.GraphQL.text()
	case b.Message != nil:
		text = b.Message.Text
	}
	if text == "" {
		return nil
	}
	return []byte(text)
}

// form returns a form without placeholders.
func (b Body) form() string {
	var pairs []string
	for _, e := range b.Form {
		key := encode(script.PlaceForm, e.Name) + "="
		if e.Value.JSON != nil {
			pairs = append(pairs, key+encode(script.PlaceForm, e.Value.JSON.Text))
		}
		for _, t := range e.Value.Texts {
			pairs = append(pairs, key+encode(script.PlaceForm, t.String()))
		}
	}
	return strings.Join(pairs, "&")
}

// FormValue is a value of a form: a string, a list of strings, or a mapping.
type FormValue struct {
	// A value that is sent as its JSON text.
	JSON *JSON `yaml:"json" required:"true"`
	// Texts are the strings. Each is sent with the same key.
	Texts []Template `yaml:"-"`
}

func (FormValue) expectation() string { return "a string, a list of strings, or {json: ...}" }

func (v *FormValue) decode(d *decoder, n *yaml.Node, path string, _ field) {
	if n.Kind == yaml.MappingNode {
		d.mapping(n, path, reflect.ValueOf(v).Elem())
		return
	}
	if n.Kind == yaml.ScalarNode {
		v.Texts = make([]Template, 1)
		v.Texts[0].decode(d, n, path, field{})
		return
	}
	v.Texts = make([]Template, len(n.Content))
	for i, one := range n.Content {
		d.value(one, element(path, i), field{}, reflect.ValueOf(&v.Texts[i]).Elem())
	}
}

// Part is a part of a multipart form: a file or a string.
type Part struct {
	// The name of the field.
	Name string `yaml:"name" required:"true"`
	// The file whose content is sent.
	File string `yaml:"file" format:"content"`
	// The type of the content, such as image/png; for a file application/octet-stream when left out.
	Type string `yaml:"type" format:"header"`
	// The file's name as it is sent; the one that it has when left out.
	Filename string `yaml:"filename"`
	// The text that is sent instead of a file.
	Text *Template `yaml:"text"`
}

// GraphQL is a GraphQL request, sent as JSON.
type GraphQL struct {
	// The query or mutation. Its braces are no placeholders: what changes is in variables.
	Query string `yaml:"query" required:"true"`
	// Its variables, by name.
	Variables Named[JSON] `yaml:"variables" max:"1000"`
	// Which operation of the query is meant, if it has several.
	OperationName string `yaml:"operation_name"`
}

// Document returns the request as JSON, with the placeholders in its variables.
func (g GraphQL) Document() string { return g.text() }

func (g GraphQL) text() string {
	var out bytes.Buffer
	out.WriteString(`{"query":`)
	writeJSONText(&out, g.Query)
	if g.OperationName != "" {
		out.WriteString(`,"operationName":`)
		writeJSONText(&out, g.OperationName)
	}
	if len(g.Variables) > 0 {
		out.WriteString(`,"variables":{`)
		for i, e := range g.Variables {
			if i > 0 {
				out.WriteByte(',')
			}
			writeJSONText(&out, e.Name)
			out.WriteByte(':')
			out.WriteString(e.Value.Text)
		}
		out.WriteByte('}')
	}
	out.WriteByte('}')
	return out.String()
}

func (b Body) canonical() string {
	if b.text != nil {
		return strconv.QuoteToASCII(b.text.String())
	}
	return canonicalStruct(reflect.ValueOf(b), fieldsOf(reflect.TypeFor[Body]()))
}

func (v FormValue) canonical() string {
	if v.JSON != nil {
		return `{"json": ` + v.JSON.canonical() + "}"
	}
	return canonical(reflect.ValueOf(v.Texts))
}

// located is a template, where it stands in the file, and what holds there.
type located struct {
	path string
	t    script.Template
	// raw says that the filter raw may be used, secret that the text must not be shown.
	raw, secret bool
}

// templates returns the templates of the body at a path.
func (b Body) templates(path string) []located {
	var all []located
	if b.text != nil {
		all = append(all, located{path: path, t: b.text.Template})
	}
	if b.JSON != nil {
		all = append(all, b.JSON.templates()...)
	}
	if b.Message != nil {
		all = append(all, b.Message.templates()...)
	}
	for _, e := range b.Set {
		all = append(all, e.Value.templates()...)
	}
	for _, e := range b.Form {
		at := join(join(path, "form"), e.Name)
		for i, t := range e.Value.Texts {
			where := at
			if len(e.Value.Texts) > 1 {
				where = element(at, i)
			}
			all = append(all, located{path: where, t: t.Template})
		}
		if e.Value.JSON != nil {
			all = append(all, e.Value.JSON.templates()...)
		}
	}
	for i, p := range b.Multipart {
		if p.Text != nil {
			all = append(all, located{path: join(element(join(path, "multipart"), i), "text"), t: p.Text.Template})
		}
	}
	if b.GraphQL != nil {
		for _, e := range b.GraphQL.Variables {
			all = append(all, e.Value.templates()...)
		}
	}
	return all
}

// templates returns the strings with placeholders.
func (j JSON) templates() []located {
	all := make([]located, len(j.strings))
	for i, s := range j.strings {
		all[i] = located{path: s.path, t: s.t}
	}
	return all
}
