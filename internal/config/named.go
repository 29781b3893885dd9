package config

import (
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// Named is a list of things by name, in the order of the file.
type Named[T any] []Entry[T]

// Entry is one thing with its name.
type Entry[T any] struct {
	Name  string
	Value T
}

// Get returns the thing of that name; ok is false if there is none.
func (m Named[T]) Get(name string) (value T, ok bool) {
	for _, e := range m {
		if e.Name == name {
			return e.Value, true
		}
	}
	return value, false
}

// Names returns all names, in order.
func (m Named[T]) Names() []string {
	names := make([]string, len(m))
	for i, e := range m {
		names[i] = e.Name
	}
	return names
}

func (Named[T]) expectation() string { return "a mapping" }

func (m *Named[T]) decode(d *decoder, n *yaml.Node, path string, f field) {
	if n.Kind != yaml.MappingNode {
		d.mismatch(n, path, f, reflect.ValueOf(m).Elem())
		return
	}
	pairs := d.pairs(n, path)
	if size := reflect.ValueOf(make([]struct{}, len(pairs))); !f.within(size) {
		d.at(position(n), path, "found %d keys, expected %s", len(pairs), f.bounds())
		return
	}
	all := make(Named[T], 0, len(pairs))
	for _, p := range pairs {
		if d.stopped {
			return
		}
		name := p.key.Value
		at := join(path, name)
		if problem := keyProblem(f.format, name); problem != "" {
			d.at(position(p.key), at, "%s", problem)
			continue
		}
		e := Entry[T]{Name: name}
		d.value(p.value, at, field{format: strings.TrimPrefix(f.format, "names ")}, reflect.ValueOf(&e.Value).Elem())
		all = append(all, e)
	}
	*m = all
}

// keyProblem returns the mistake in a key of a mapping of things by name.
func keyProblem(format, name string) string {
	switch {
	case strings.HasPrefix(format, "names"):
		if !script.ValidName(name) {
			return "found the name " + quote(name) + ", expected 1 to 64 letters, digits and _, that does not begin with a digit"
		}
	case strings.HasPrefix(format, "tokens"):
		if !token(name) || len(name) > 256 {
			return "found the name " + quote(name) + ", expected 1 to 256 letters, digits and -"
		}
	case name == "":
		return "found an empty key, expected a string"
	case strings.Contains(name, "{{"):
		return "found a placeholder in a key, expected them in values only"
	}
	return ""
}

func (m Named[T]) canonical() string {
	parts := make([]string, len(m))
	for i, e := range m {
		parts[i] = canonicalKey(e.Name) + ": " + canonical(reflect.ValueOf(e.Value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// canonicalKey returns a key of a mapping. Keys are not expanded, and those of more than a
// thousand characters have to be announced.
func canonicalKey(key string) string {
	text := strings.ReplaceAll(strconv.QuoteToASCII(key), "${", `\x24{`)
	if len(text) > 900 {
		return "? " + text + " "
	}
	return text
}
