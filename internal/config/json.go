package config

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// JSON is any value that JSON can have, written as YAML; strings may have placeholders, and one that is a single placeholder keeps the
// type of what it stands for.
type JSON struct {
	// Text is the value as compact JSON. Placeholders stand in its strings as they were
	// written, unless the key says that it takes none.
	Text string

	// strings are those with placeholders.
	strings []spot
}

// spot is a template and the path where it stands.
type spot struct {
	path string
	t    script.Template
}

func (JSON) expectation() string { return "a value" }

// Varies reports whether there are placeholders.
func (j JSON) Varies() bool { return len(j.strings) > 0 }

func (JSON) takesNull() {}

func (j *JSON) decode(d *decoder, n *yaml.Node, path string, f field) {
	w := jsonWriter{decoder: d, literal: strings.Contains(f.format, "literal")}
	w.node(n, path)
	j.Text, j.strings = w.out.String(), w.strings
}

// jsonWriter writes YAML as JSON.
type jsonWriter struct {
	*decoder
	// literal says that braces are no placeholders, key that the environment is not expanded.
	literal, key bool
	out          bytes.Buffer
	strings      []spot
	depth        int
}

// maxDepth bounds how deep a value may be, as each of its places is kept.
const maxDepth = 100

// value writes an inner value.
func (w *jsonWriter) value(n *yaml.Node, path string) {
	n, done := w.follow(n, path)
	defer done()
	if n == nil {
		return
	}
	w.locations[path] = location{n.Line, n.Column, n.Value}
	if !plainTag(n) {
		w.at(position(n), path, "found the tag %s, expected none", quote(n.Tag))
		return
	}
	w.node(n, path)
}

func (w *jsonWriter) node(n *yaml.Node, path string) {
	if w.depth++; w.depth > maxDepth {
		w.at(position(n), path, "found a value more than %d deep, expected a flatter one", maxDepth)
		w.out.WriteString("null")
		w.depth--
		return
	}
	defer func() { w.depth-- }()
	switch n.Kind {
	case yaml.MappingNode:
		w.object(n, path)
	case yaml.SequenceNode:
		w.out.WriteByte('[')
		for i, one := range n.Content {
			if i > 0 {
				w.out.WriteByte(',')
			}
			w.value(one, element(path, i))
		}
		w.out.WriteByte(']')
	default:
		w.scalar(n, path)
	}
}

func (w *jsonWriter) object(n *yaml.Node, path string) {
	w.out.WriteByte('{')
	for i, p := range w.pairs(n, path) {
		if i > 0 {
			w.out.WriteByte(',')
		}
		if strings.Contains(p.key.Value, "{{") && !w.literal {
			w.note(position(p.key), path, "found a placeholder in a key, expected them in values only")
		}
		w.text(p.key.Value)
		w.out.WriteByte(':')
		w.value(p.value, join(path, p.key.Value))
	}
	w.out.WriteByte('}')
}

func (w *jsonWriter) scalar(n *yaml.Node, path string) {
	switch n.ShortTag() {
	case "!!null":
		w.out.WriteString("null")
	case "!!bool":
		var yes bool
		if err := n.Decode(&yes); err != nil {
			w.at(position(n), path, "found %s, expected true or false", quote(n.Value))
		}
		w.out.WriteString(strconv.FormatBool(yes))
	case "!!int", "!!float":
		number, err := jsonNumber(n)
		if err != nil {
			w.at(position(n), path, "found %s, %v", quote(n.Value), err)
		}
		w.out.WriteString(number)
	default:
		w.string(n, path)
	}
}

// string writes a string, in which the environment is expanded.
func (w *jsonWriter) string(n *yaml.Node, path string) {
	if w.literal {
		text, _ := w.expandedText(n, path)
		w.text(text)
		return
	}
	if w.key {
		w.keyString(n, path)
		return
	}
	t, ok := w.template(n, path, "")
	if ok && t.Varies() {
		w.strings = append(w.strings, spot{path, t})
	}
	w.text(t.String())
}

// keyString writes a key as a string.
func (w *jsonWriter) keyString(n *yaml.Node, path string) {
	if problem := templateProblem(n.Value, n.Value, ""); problem != "" {
		w.at(position(n), path, "%s", problem)
	} else if t := mustParse(n.Value); t.Varies() {
		w.strings = append(w.strings, spot{path, t})
	}
	w.text(n.Value)
}

// text writes text as a string of JSON.
func (w *jsonWriter) text(text string) { writeJSONText(&w.out, text) }

func writeJSONText(out *bytes.Buffer, text string) {
	out.Write(script.String(text).AppendJSON(out.AvailableBuffer()))
}

// The ways in which a number is none of JSON.
var (
	errLeadingZero = errors.New("which begins with a zero: put it in quotes to keep it")
	errNotFinite   = errors.New("expected a number that JSON can have")
)

// jsonNumber returns a number as JSON has it.
func jsonNumber(n *yaml.Node) (string, error) {
	bare := strings.TrimLeft(n.Value, "+-")
	if len(bare) > 1 && bare[0] == '0' && strings.Trim(bare, "0123456789_") == "" {
		return "0", errLeadingZero
	}
	var f float64
	if err := n.Decode(&f); err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return "0", errNotFinite
	}
	if c := n.Value[0]; gjson.Valid(n.Value) && (c == '-' || '0' <= c && c <= '9') {
		return n.Value, nil
	}
	var i int64
	if n.ShortTag() == "!!int" && n.Decode(&i) == nil {
		return strconv.FormatInt(i, 10), nil
	}
	return strconv.FormatFloat(f, 'g', -1, 64), nil
}

func (j JSON) canonical() string { return canonicalJSON(gjson.Parse(j.Text)) }

// canonicalJSON returns a value of JSON as YAML that is read as the same.
func canonicalJSON(r gjson.Result) string {
	var parts []string
	switch {
	case r.IsObject():
		r.ForEach(func(key, value gjson.Result) bool {
			parts = append(parts, canonicalKey(key.Str)+": "+canonicalJSON(value))
			return true
		})
		return "{" + strings.Join(parts, ", ") + "}"
	case r.IsArray():
		r.ForEach(func(_, value gjson.Result) bool {
			parts = append(parts, canonicalJSON(value))
			return true
		})
		return "[" + strings.Join(parts, ", ") + "]"
	case r.Type == gjson.String:
		return strconv.QuoteToASCII(r.Str)
	default:
		return r.Raw
	}
}

// varies reports whether the value has placeholders.
func (j JSON) varies() bool {
	return slices.ContainsFunc(j.strings, func(s spot) bool { return s.t.Varies() })
}
