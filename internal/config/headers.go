package config

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// Headers are header fields in the order of the file.
type Headers []Header

// Header is a header field as the file has it. The value of a secret is not printed.
type Header struct {
	Name, Value string
	// Secret says that the value is not shown and that no redirect carries it to another
	// origin: the file says so, the name is that of a secret, or the value comes from the
	// environment or from a key that holds a secret.
	Secret bool
}

var (
	_ fmt.Formatter  = Header{}
	_ slog.LogValuer = Header{}
)

// Get returns the value of the first field of that name; empty if there is none.
func (h Headers) Get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// has reports whether there is a field of that name.
func (h Headers) has(name string) bool {
	return slices.ContainsFunc(h, func(f Header) bool { return strings.EqualFold(f.Name, name) })
}

// String returns the field, with a stand-in for a secret.
func (h Header) String() string {
	if h.Secret {
		return h.Name + ": " + hidden
	}
	return h.Name + ": " + h.Value
}

// Format writes the text of String, whatever the verb.
func (h Header) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, h.String()) }

// MarshalText returns the text of String.
func (h Header) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// LogValue returns the text of String.
func (h Header) LogValue() slog.Value { return slog.StringValue(h.String()) }

// HeaderValue is a value of a header: a string, or a mapping for one that is a secret.
type HeaderValue struct {
	// A value that is not shown, and that no redirect carries to another host, whatever the header's name.
	Secret Secret `yaml:"secret" required:"true"`

	plain string
}

func (HeaderValue) expectation() string { return "a string or {secret: ...}" }

// UnmarshalText sets the value from a string.
func (h *HeaderValue) UnmarshalText(text []byte) error {
	*h = HeaderValue{plain: string(text)}
	return nil
}

// headerNodes are header fields and the nodes of their values.
type headerNodes struct {
	fields Headers
	nodes  []*yaml.Node
}

// mappingOfHeaders sets header fields. A field that has several values is there several times.
func (d *decoder) mappingOfHeaders(n *yaml.Node, path string, f field, v reflect.Value) {
	var all headerNodes
	for _, p := range d.pairs(n, path) {
		h := Header{Name: p.key.Value, Secret: f.format == "secrets" || protocol.SecretName(p.key.Value)}
		at := join(path, h.Name)
		if behind(p.value).Kind == yaml.SequenceNode {
			d.valuesOfHeader(p.value, at, h, &all)
			continue
		}
		d.header(p.value, at, h, &all)
	}
	d.headers = append(d.headers, all)
	v.Set(reflect.ValueOf(all.fields))
}

// valuesOfHeader adds a field for each value of a list.
func (d *decoder) valuesOfHeader(n *yaml.Node, path string, h Header, all *headerNodes) {
	n, done := d.follow(n, path)
	defer done()
	if n == nil {
		return
	}
	if len(n.Content) == 0 {
		d.at(position(n), path, "found an empty list, expected values")
		return
	}
	d.locations[path] = position(n)
	for i, one := range n.Content {
		d.header(one, element(path, i), h, all)
	}
}

// header adds a field with the value of a node.
func (d *decoder) header(n *yaml.Node, path string, h Header, all *headerNodes) {
	if h.Secret {
		d.hide(n)
	}
	var value HeaderValue
	d.value(n, path, field{}, reflect.ValueOf(&value).Elem())
	h.Value = value.plain + string(value.Secret)
	h.Secret = h.Secret || behind(n).Kind == yaml.MappingNode || holdsVariable(behind(n).Value)
	all.fields, all.nodes = append(all.fields, h), append(all.nodes, behind(n))
}

// behind returns what a node stands for.
func behind(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// markHeaders marks the fields whose values turned out to be secrets: an alias may stand
// before the key that makes a secret of its anchor.
func (d *decoder) markHeaders() {
	for _, h := range d.headers {
		for i, n := range h.nodes {
			h.fields[i].Secret = h.fields[i].Secret || d.secrets[n]
		}
	}
}

// canonicalHeaders returns header fields in their order, which counts. Those of one name are
// together, where the first of them is.
func canonicalHeaders(h Headers) string {
	var parts []string
	for i, f := range h {
		if slices.ContainsFunc(h[:i], func(g Header) bool { return g.Name == f.Name }) {
			continue
		}
		var values []string
		for _, g := range h[i:] {
			if g.Name == f.Name {
				values = append(values, canonicalHeader(g))
			}
		}
		parts = append(parts, strconv.QuoteToASCII(f.Name)+": ["+strings.Join(values, ", ")+"]")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// canonicalHeader returns the value of a field. That it is a secret counts where its name
// does not say so.
func canonicalHeader(h Header) string {
	value := strconv.QuoteToASCII(h.Value)
	if h.Secret && !protocol.SecretName(h.Name) {
		return `{"secret": ` + value + "}"
	}
	return value
}

// Template returns the value with its placeholders. It was checked by Parse.
func (h Header) Template() script.Template {
	t, err := script.ParseTemplate(h.Value)
	if err != nil {
		return script.Literal(h.Value)
	}
	return t
}

// Varies reports whether the value has placeholders.
func (h Header) Varies() bool { return strings.Contains(h.Value, "{{") && h.Template().Varies() }
