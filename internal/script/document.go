package script

import (
	"errors"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// errNotJSON reports a string that is not JSON.
var errNotJSON = errors.New("no JSON")

// Document is a value of JSON in whose strings there may be placeholders. A string that is a
// single placeholder becomes what that stands for, with its type. Keys are taken as they are.
// Like a Template it is bound before it is used.
type Document struct {
	source string
	pieces []fragment
	// constant is its value, if it has no placeholders.
	constant Value
}

// fragment is a part of a document: JSON as it stands, or the template of a string.
type fragment struct {
	text     string
	template Template
}

// ParseDocument reads a document from JSON. It fails on a string that is not JSON, and,
// with a *SyntaxError, on mistakes in templates, whose Offset is within the string.
func ParseDocument(source string) (Document, error) {
	if !ValidJSON(source) {
		return Document{}, errNotJSON
	}
	d := Document{source: source}
	if !strings.Contains(source, "{{") {
		d.pieces, d.constant = []fragment{{text: source}}, FromJSON(source)
		return d, nil
	}
	if err := d.add(gjson.Parse(source)); err != nil {
		return Document{}, err
	}
	return d, nil
}

// add appends a value.
func (d *Document) add(r gjson.Result) error {
	switch {
	case r.Type == gjson.String && strings.Contains(r.Str, "{{"):
		t, err := ParseTemplate(r.Str)
		d.pieces = append(d.pieces, fragment{template: t})
		return err
	case !r.IsObject() && !r.IsArray():
		d.pieces = append(d.pieces, fragment{text: r.Raw})
		return nil
	}
	open, end := "[", "]"
	if r.IsObject() {
		open, end = "{", "}"
	}
	var err error
	r.ForEach(func(key, value gjson.Result) bool {
		d.pieces = append(d.pieces, fragment{text: open + key.Raw + colonAfter(key)})
		open = ","
		err = d.add(value)
		return err == nil
	})
	if open != "," {
		end = open + end
	}
	d.pieces = append(d.pieces, fragment{text: end})
	return err
}

// colonAfter returns what stands between a key and its value, if there is a key.
func colonAfter(key gjson.Result) string {
	if key.Raw == "" {
		return ""
	}
	return ":"
}

// String returns the document as it was written.
func (d Document) String() string { return d.source }

// Varies reports whether there are placeholders.
func (d Document) Varies() bool {
	return slices.ContainsFunc(d.pieces, func(p fragment) bool { return p.text == "" })
}

// Bind returns the document for values that scope knows by number.
func (d Document) Bind(scope func(name string) (index int, ok bool)) (Document, error) {
	d.pieces = slices.Clone(d.pieces)
	for i := range d.pieces {
		if d.pieces[i].text != "" {
			continue
		}
		var err error
		if d.pieces[i].template, err = d.pieces[i].template.Bind(scope); err != nil {
			return Document{}, err
		}
	}
	return d, nil
}

// Append appends the document as JSON.
func (d Document) Append(dst []byte, v Values) ([]byte, error) {
	for i := range d.pieces {
		p := &d.pieces[i]
		if p.text != "" {
			dst = append(dst, p.text...)
			continue
		}
		var err error
		if dst, err = p.template.AppendJSON(dst, v); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// Value returns what the document stands for.
func (d Document) Value(v Values) (Value, error) {
	if len(d.pieces) == 1 && d.pieces[0].text == "" {
		return d.pieces[0].template.Value(v)
	}
	if !d.Varies() {
		return d.constant, nil
	}
	text, err := d.Append(nil, v)
	if err != nil {
		return Value{}, err
	}
	return FromJSON(string(text)), nil
}
