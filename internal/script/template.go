package script

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// Template is a string with placeholders: {{ name }} and {{ name.path }}, with the filters
// raw and base64 as in {{ name | base64 }}. Parse it with ParseTemplate, and bind it before it
// is appended. It is immutable once bound, and then safe for concurrent use.
type Template struct {
	source string
	pieces []piece
}

// piece is text as it stands, or, with a name, a placeholder.
type piece struct {
	text   string
	ref    Ref
	index  int // of the name in the scope it is bound to
	raw    bool
	base64 bool
}

func (p *piece) placeholder() bool { return p.ref.Name != "" }

// Ref is a name that is used, with the path into its value if there is one.
type Ref struct {
	Name, Path string
	// Offset is where the placeholder begins, in bytes.
	Offset int
}

// SyntaxError is a mistake in a template.
type SyntaxError struct {
	// Offset is where it stands, in bytes.
	Offset int
	Text   string
}

// Error implements error.
func (e *SyntaxError) Error() string { return e.Text }

// ParseTemplate reads a template. Its error is a *SyntaxError.
func ParseTemplate(source string) (Template, error) {
	t := Template{source: source}
	for at := 0; at < len(source); {
		rest := source[at:]
		open := strings.Index(rest, "{{")
		if open < 0 {
			t.pieces = append(t.pieces, piece{text: rest})
			break
		}
		if open > 0 {
			t.pieces = append(t.pieces, piece{text: rest[:open]})
		}
		at += open
		end := strings.Index(source[at:], "}}")
		if end < 0 {
			return Template{}, &SyntaxError{at, "{{ without }}"}
		}
		p, err := parsePlaceholder(source[at+2:at+end], at)
		if err != nil {
			return Template{}, err
		}
		t.pieces = append(t.pieces, p)
		at += end + 2
	}
	return t, nil
}

// Literal returns a template without placeholders.
func Literal(text string) Template {
	if text == "" {
		return Template{}
	}
	return Template{source: text, pieces: []piece{{text: text}}}
}

// parsePlaceholder reads what stands between braces that open at an offset.
func parsePlaceholder(inner string, offset int) (piece, error) {
	p := piece{ref: Ref{Offset: offset}}
	words := strings.Split(inner, "|")
	p.ref.Name, p.ref.Path, _ = strings.Cut(strings.TrimSpace(words[0]), ".")
	switch {
	case strings.TrimSpace(inner) == "":
		return piece{}, &SyntaxError{offset, "no name between {{ and }}"}
	case !ValidName(p.ref.Name):
		return piece{}, &SyntaxError{offset, fmt.Sprintf("%q is no name: names are letters, digits and _", strings.TrimSpace(words[0]))}
	case strings.HasSuffix(strings.TrimSpace(words[0]), "."):
		return piece{}, &SyntaxError{offset, fmt.Sprintf("nothing follows the dot of %q", strings.TrimSpace(words[0]))}
	}
	for _, word := range words[1:] {
		switch filter := strings.TrimSpace(word); filter {
		case "raw":
			p.raw = true
		case "base64":
			p.base64 = true
		default:
			return piece{}, &SyntaxError{offset, fmt.Sprintf("unknown filter %q: there are raw and base64", filter)}
		}
	}
	return p, nil
}

// ValidName reports whether a string can be the name of a variable or a capture: letters,
// digits and _, not beginning with a digit.
func ValidName(name string) bool {
	for i, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// String returns the template as it was written.
func (t Template) String() string { return t.source }

// Constant returns the template's text, if it has no placeholders.
func (t Template) Constant() (text string, ok bool) { return t.source, !t.Varies() }

// Varies reports whether there are placeholders.
func (t Template) Varies() bool {
	return slices.ContainsFunc(t.pieces, func(p piece) bool { return p.placeholder() })
}

// Refs returns the names that are used, in order.
func (t Template) Refs() []Ref {
	var refs []Ref
	for _, p := range t.pieces {
		if p.placeholder() {
			refs = append(refs, p.ref)
		}
	}
	return refs
}

// Raw returns the first placeholder with the filter raw; ok is false if there is none.
func (t Template) Raw() (r Ref, ok bool) {
	for _, p := range t.pieces {
		if p.raw {
			return p.ref, true
		}
	}
	return Ref{}, false
}

// Single returns the name, if the template is one placeholder and nothing else.
func (t Template) Single() (Ref, bool) {
	if len(t.pieces) == 1 && t.pieces[0].placeholder() {
		return t.pieces[0].ref, true
	}
	return Ref{}, false
}

// Bind returns the template for values that scope knows by number. Its error names what scope
// does not know.
func (t Template) Bind(scope func(name string) (index int, ok bool)) (Template, error) {
	t.pieces = slices.Clone(t.pieces)
	for i := range t.pieces {
		p := &t.pieces[i]
		if !p.placeholder() {
			continue
		}
		var ok bool
		if p.index, ok = scope(p.ref.Name); !ok {
			return Template{}, fmt.Errorf("unknown name %q", p.ref.Name)
		}
	}
	return t, nil
}

// Values are what names stand for.
type Values interface {
	// Value returns the value of a name by its number, drawing it if need be.
	Value(index int) (Value, error)
	// Slot is what they are drawn from.
	Slot() Slot
}

// Place is where in a request a string stands. Its encoding follows from that.
type Place uint8

// The places.
const (
	// PlaceText takes everything as it is.
	PlaceText Place = iota
	// PlacePath is a segment of a path.
	PlacePath
	// PlaceQuery is a key or a value of a query.
	PlaceQuery
	// PlaceForm is a key or a value of a form.
	PlaceForm
	// PlaceJSON is within the quotes of a JSON string.
	PlaceJSON
	// PlaceHeader is the value of a header: what would end it is refused.
	PlaceHeader
)

// Append appends the template with its placeholders replaced. What they stand for is encoded
// for the place, so that it adds nothing to the structure there; the template's own text is
// taken as it is. It fails on values that cannot be had, and on those that the place refuses.
func (t Template) Append(dst []byte, place Place, v Values) ([]byte, error) {
	for i := range t.pieces {
		p := &t.pieces[i]
		if !p.placeholder() {
			dst = append(dst, p.text...)
			continue
		}
		value, err := p.value(v)
		if err != nil {
			return dst, err
		}
		text := value.Text
		if p.base64 {
			text = base64.StdEncoding.EncodeToString([]byte(text))
		}
		if p.raw {
			dst, err = appendRaw(dst, place, text)
		} else {
			dst, err = appendEncoded(dst, place, text)
		}
		if err != nil {
			return dst, fmt.Errorf("{{ %s }}: %w", p.ref, err)
		}
	}
	return dst, nil
}

// AppendAll appends the template with its own text encoded for the place as well.
func (t Template) AppendAll(dst []byte, place Place, v Values) ([]byte, error) {
	for i := range t.pieces {
		var err error
		if p := &t.pieces[i]; p.placeholder() {
			dst, err = (Template{pieces: t.pieces[i : i+1]}).Append(dst, place, v)
		} else {
			dst, err = appendEncoded(dst, place, p.text)
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// AppendJSON appends the template as a value of JSON: a string, or, if it is a single
// placeholder, whatever that stands for with its type.
func (t Template) AppendJSON(dst []byte, v Values) ([]byte, error) {
	if _, ok := t.Single(); ok && !t.pieces[0].base64 {
		value, err := t.pieces[0].value(v)
		if err != nil {
			return dst, err
		}
		return value.AppendJSON(dst), nil
	}
	dst, err := t.AppendAll(append(dst, '"'), PlaceJSON, v)
	return append(dst, '"'), err
}

// Text returns the template with its placeholders replaced, as a string.
func (t Template) Text(v Values) (string, error) {
	if text, ok := t.Constant(); ok {
		return text, nil
	}
	b, err := t.Append(nil, PlaceText, v)
	return string(b), err
}

// Value returns what the template stands for: a string, or, if it is a single placeholder,
// the value of that with its type.
func (t Template) Value(v Values) (Value, error) {
	if _, ok := t.Single(); ok && !t.pieces[0].base64 {
		return t.pieces[0].value(v)
	}
	text, err := t.Text(v)
	return String(text), err
}

// value returns what a placeholder stands for.
func (p *piece) value(v Values) (Value, error) {
	value, err := v.Value(p.index)
	if err != nil {
		return Value{}, fmt.Errorf("{{ %s }}: %w", p.ref, err)
	}
	if p.ref.Path == "" {
		return value, nil
	}
	field, ok := value.Field(p.ref.Path)
	if !ok {
		return Value{}, fmt.Errorf("{{ %s }}: %w", p.ref, errNoField)
	}
	return field, nil
}

// String returns the name with its path.
func (r Ref) String() string {
	if r.Path == "" {
		return r.Name
	}
	return r.Name + "." + r.Path
}
