package script

import (
	"errors"
	"html"
	"net/http"
	"regexp"
	"strings"

	"github.com/tidwall/gjson"
)

// maxKept bounds what the captures of a journey hold, in bytes.
const maxKept = 1 << 20

// The reasons why a response does not hold a capture.
var (
	errNothing  = errors.New("the response does not hold it")
	errTooLarge = errors.New("a journey keeps at most 1 MiB of what it captures")
)

// Response is what captures and checks look at.
type Response struct {
	// Fields are the header, in the order of the wire.
	Fields []Field
	// Body is without its content coding. It must not change any more.
	Body string

	valid int8 // whether Body is JSON: 0 is not known yet, -1 no, 1 yes
}

// Field is a header field of a response.
type Field struct{ Name, Value string }

// header returns the values of a field.
func (r *Response) header(name string) []string {
	var values []string
	for _, f := range r.Fields {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// cookie returns the value that the response sets a cookie to.
func (r *Response) cookie(name string) (string, bool) {
	value, found := "", false
	for _, line := range r.header("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err == nil && c.Name == name && c.MaxAge >= 0 {
			value, found = c.Value, true // The last one counts.
		}
	}
	return value, found
}

// json returns what stands at a path of the body.
func (r *Response) json(path string) (Value, bool) {
	if r.valid == 0 {
		r.valid = -1
		if ValidJSON(r.Body) {
			r.valid = 1
		}
	}
	if r.valid < 0 {
		return Value{}, false
	}
	found := gjson.Get(r.Body, path)
	return fromResult(found), found.Exists()
}

// Part is which part of a response is meant. One of JSON, Header, Cookie and Body is set; the
// zero Part is the body.
type Part struct {
	// JSON is a path of gjson's into the body.
	JSON string
	// Header and Cookie are the names of a header field and of a cookie that is set.
	Header, Cookie string
}

// needsBody reports whether the part is in the body.
func (p Part) needsBody() bool { return p.Header == "" && p.Cookie == "" }

// isSecret reports whether what the part holds must not be shown.
func (p Part) isSecret() bool {
	return p.Cookie != "" || secretName(p.Header) || secretName(p.JSON)
}

// of returns the values of the part: of a header there may be several.
func (p Part) of(r *Response) []Value {
	switch {
	case p.JSON != "":
		if v, ok := r.json(p.JSON); ok {
			return []Value{v}
		}
		return nil
	case p.Header != "":
		var values []Value
		for _, text := range r.header(p.Header) {
			values = append(values, String(text))
		}
		return values
	case p.Cookie != "":
		if text, ok := r.cookie(p.Cookie); ok {
			return []Value{String(text)}
		}
		return nil
	default:
		return []Value{String(r.Body)}
	}
}

// Pick is which of several matches is taken.
type Pick uint8

// The ways to pick.
const (
	// PickWhole takes a JSON value as it is, and of other matches the first.
	PickWhole Pick = iota
	// PickFirst, PickLast and PickRandom take a match, or an element of a list.
	PickFirst
	PickLast
	PickRandom
	// PickAll takes all matches, as a list.
	PickAll
)

// Capture is a value that is taken from a response.
type Capture struct {
	// Name is what it can be used by.
	Name string
	Part Part
	// Regex, if not nil, is matched against the part: its first group is taken, or all of the
	// match if it has none.
	Regex *regexp.Regexp
	Pick  Pick
	// UnescapeHTML replaces HTML's character references.
	UnescapeHTML bool
	// OrEnd ends the journey well where there is nothing to capture. Otherwise that fails.
	OrEnd bool
	// StandIn, if not empty, is captured in any case, whatever the response has: a StandIn of this text.
	StandIn string

	index int
}

// finds reports whether there is something to capture.
func (c *Capture) finds(r *Response) bool { return c.StandIn != "" || len(c.matches(r)) > 0 }

// extract returns the captured value.
func (c *Capture) extract(r *Response, s *stream) (Value, error) {
	if c.StandIn != "" {
		return Value{Kind: StandIn, Text: c.StandIn}, nil
	}
	matches := c.matches(r)
	if c.UnescapeHTML {
		for i := range matches {
			matches[i].Text = html.UnescapeString(matches[i].Text)
		}
	}
	if len(matches) == 0 {
		return Value{}, errNothing
	}
	if c.Pick == PickAll {
		return listOf(matches), nil
	}
	switch c.Pick {
	case PickLast:
		return matches[len(matches)-1], nil
	case PickRandom:
		return matches[s.below(uint64(len(matches)))], nil
	default:
		return matches[0], nil
	}
}

// matches returns what of a response may be taken.
func (c *Capture) matches(r *Response) []Value {
	matches := c.Part.of(r)
	if c.Regex != nil {
		matches = c.match(matches)
	}
	list := c.Part.JSON != "" && c.Regex == nil
	if list && c.Pick != PickWhole && len(matches) == 1 {
		if elements, ok := matches[0].List(); ok {
			matches = elements
		}
	}
	return matches
}

// match returns what the expression finds in values.
func (c *Capture) match(values []Value) []Value {
	var found []Value
	most := 1
	if c.Pick != PickWhole && c.Pick != PickFirst {
		most = -1
	}
	for _, v := range values {
		for _, m := range c.Regex.FindAllStringSubmatch(v.Text, most) {
			found = append(found, String(m[min(1, len(m)-1)]))
		}
	}
	return found
}
