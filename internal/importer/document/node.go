package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// String returns a string, quoted where YAML would take it for something else.
func String(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	template := strings.Contains(s, "{{") && !strings.ContainsAny(s, `"\\`)
	// The encoder loses white space at the start of a string of several lines, and some ends of lines.
	fragile := strings.Contains(s, "\n") && (strings.ContainsAny(s[:1], " \t\n") || strings.ContainsFunc(s, odd))
	if template || fragile {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// odd reports whether a character is no plain one of a line.
func odd(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }

// Int returns a whole number.
func Int(n int64) *yaml.Node { return plain("!!int", strconv.FormatInt(n, 10)) }

// Number returns a number as JSON writes it.
func Number(text string) *yaml.Node {
	if strings.ContainsAny(text, ".eE") {
		return plain("!!float", text)
	}
	return plain("!!int", text)
}

// Bool returns true or false.
func Bool(yes bool) *yaml.Node { return plain("!!bool", strconv.FormatBool(yes)) }

func plain(tag, text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}
}

// List returns a list.
func List(elements ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: elements}
}

// Strings returns a list of strings.
func Strings(all []string) *yaml.Node {
	n := List()
	for _, s := range all {
		n.Content = append(n.Content, String(s))
	}
	return n
}

// Map is a mapping that is filled in the order of its keys in the file.
type Map struct {
	node *yaml.Node
}

// NewMap returns an empty mapping.
func NewMap() *Map { return &Map{&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}} }

// Set adds a key, unless the value is nil.
func (m *Map) Set(key string, value *yaml.Node) *Map {
	if value != nil {
		m.node.Content = append(m.node.Content, String(key), value)
	}
	return m
}

// Node returns the mapping; nil if it is empty.
func (m *Map) Node() *yaml.Node {
	if len(m.node.Content) == 0 {
		return nil
	}
	return m.node
}

// One returns a mapping with one key.
func One(key string, value *yaml.Node) *yaml.Node { return NewMap().Set(key, value).Node() }

// comment returns lines as a comment above a node. Whatever they hold, they stay comments.
func comment(lines []string) string {
	var all []string
	for _, line := range lines {
		line = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar {
				return ' '
			}
			return r
		}, line)
		all = append(all, "# "+strings.TrimSpace(line))
	}
	return strings.Join(all, "\n")
}

// width is how many characters a mapping or a list may take to stand on one line.
const width = 120

// compact has short nodes without comments stand on one line. An element of a list with a
// single key does not, as "- pause: 1s" reads better than "- {pause: 1s}".
func compact(n *yaml.Node, element bool) {
	for _, c := range n.Content {
		compact(c, n.Kind == yaml.SequenceNode)
	}
	if n.Kind != yaml.MappingNode && n.Kind != yaml.SequenceNode || element && single(n) {
		return
	}
	if length, ok := inline(n); ok && length <= width {
		n.Style = yaml.FlowStyle
	}
}

// single reports whether a node is a mapping with one key.
func single(n *yaml.Node) bool { return n.Kind == yaml.MappingNode && len(n.Content) == 2 }

// inline returns how long a node is on one line; ok is false if it cannot stand there.
func inline(n *yaml.Node) (length int, ok bool) {
	if n.HeadComment != "" || n.LineComment != "" || strings.Contains(n.Value, "\n") {
		return 0, false
	}
	length = len(n.Value) + 2
	for _, c := range n.Content {
		if n.Kind == yaml.SequenceNode && single(c) {
			return 0, false
		}
		more, fits := inline(c)
		if length += more; !fits || length > 2*width {
			return 0, false
		}
	}
	return length, true
}

// Leaf returns what stands for a string, or for a number as it is written, in JSON. path is where it is, as
// names of fields and numbers of elements; it is valid until Leaf returns.
type Leaf func(path []string, value string, number bool) Text

// errDeep says that a document is deeper than configurations may be.
var errDeep = errors.New("too deep")

// maxDepth bounds how deep documents may be; those of the configuration may be 100.
const maxDepth = 90

// JSON returns a JSON document as YAML, with numbers as they were written and keys in their order.
// leaf, if not nil, replaces strings and numbers. It fails for what cannot be written so: broken JSON, keys
// with placeholders or environment variables, two keys alike.
func JSON(data []byte, leaf Leaf) (*yaml.Node, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	w := jsonReader{d: d, leaf: leaf}
	n, err := w.value()
	if err != nil {
		return nil, err
	}
	if _, err = d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("found more than one value")
	}
	return n, nil
}

type jsonReader struct {
	d    *json.Decoder
	leaf Leaf
	path []string
}

func (r *jsonReader) value() (*yaml.Node, error) {
	token, err := r.d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		if len(r.path) >= maxDepth {
			return nil, errDeep
		}
		if v == '{' {
			return r.object()
		}
		return r.array()
	case string:
		return r.text(v, false).node(), nil
	case json.Number:
		return r.number(v.String()), nil
	case bool:
		return Bool(v), nil
	default:
		return plain("!!null", "null"), nil
	}
}

func (r *jsonReader) text(s string, number bool) Text {
	if r.leaf == nil {
		return Literal(s)
	}
	return r.leaf(r.path, s, number)
}

// number returns a number as it is, unless something else stands for it.
func (r *jsonReader) number(text string) *yaml.Node {
	if t := r.text(text, true); r.leaf != nil {
		if fixed, ok := t.Fixed(); !ok || fixed != text {
			return t.node()
		}
	}
	return Number(text)
}

func (r *jsonReader) object() (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	known := map[string]bool{}
	for r.d.More() {
		token, err := r.d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string)
		if known[key] || strings.Contains(key, "{{") || strings.Contains(key, "${") || key == "<<" {
			return nil, fmt.Errorf("found a key that cannot be written")
		}
		known[key] = true
		value, err := r.below(key)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, String(key), value)
	}
	_, err := r.d.Token()
	return n, err
}

func (r *jsonReader) array() (*yaml.Node, error) {
	n := List()
	for r.d.More() {
		value, err := r.below(strconv.Itoa(len(n.Content)))
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, value)
	}
	_, err := r.d.Token()
	return n, err
}

// below reads the value of a field or an element.
func (r *jsonReader) below(name string) (*yaml.Node, error) {
	r.path = append(r.path, name)
	defer func() { r.path = r.path[:len(r.path)-1] }()
	return r.value()
}
