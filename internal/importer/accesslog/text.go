package accesslog

import (
	"bytes"
	"fmt"
	"strings"
)

// field is what a value of a line is.
type field uint8

const (
	other field = iota
	clock
	request
	methodField
	target
	path
	args
	host
	status
	agent
)

// step is a value of a line and the text that ends it; empty if it goes on to the end of the line.
type step struct {
	field field
	end   string
	// quoted says that the value stands in quotes, within which a backslash escapes one.
	quoted bool
	// keep says that the end belongs to the next value: the slash of $host$request_uri.
	keep bool
}

// text parses lines in which values stand one after the other, with fixed text between them.
type text struct {
	name    string
	prefix  string
	steps   []step
	scratch []byte
	// query is the value of $args.
	query []byte
}

// String returns the format's name.
func (t *text) String() string { return t.name }

// token is fixed text, or the field of a value.
type token struct {
	literal string
	field   field
	value   bool
}

// newText returns a parser of lines with these tokens. Whatever stands behind the last value that
// matters is not looked at, so that a format also reads lines that go on.
func newText(name string, tokens []token) (*text, error) {
	t := &text{name: name}
	has := map[field]bool{}
	for i, tok := range tokens {
		switch {
		case !tok.value && i == 0:
			t.prefix = tok.literal
		case !tok.value:
			t.steps[len(t.steps)-1].end = tok.literal
		case len(t.steps) > 0 && tokens[i-1].value && tok.field != target && tok.field != path:
			return nil, fmt.Errorf("format %q: value %d begins where the one before it ends, with nothing between them", name, len(t.steps)+1)
		default:
			if len(t.steps) > 0 && tokens[i-1].value {
				t.steps[len(t.steps)-1].end, t.steps[len(t.steps)-1].keep = "/", true
			}
			t.steps = append(t.steps, step{field: tok.field, quoted: i > 0 && strings.HasSuffix(tokens[i-1].literal, `"`)})
			has[tok.field] = true
		}
	}
	for len(t.steps) > 0 && t.steps[len(t.steps)-1].field == other {
		t.steps = t.steps[:len(t.steps)-1]
	}
	if !has[clock] {
		return nil, fmt.Errorf("format %q: it has no time: $time_local, $time_iso8601 or $msec", name)
	}
	if !has[request] && (!has[methodField] || !has[target] && !has[path]) {
		return nil, fmt.Errorf("format %q: it has no request: $request, or $request_method and $request_uri", name)
	}
	return t, nil
}

// Parse reads a line.
func (t *text) Parse(line []byte, e *Record) error {
	*e = Record{}
	t.scratch, t.query = t.scratch[:0], nil
	if len(line) < len(t.prefix) || string(line[:len(t.prefix)]) != t.prefix {
		return errShape
	}
	rest := line[len(t.prefix):]
	for i := range t.steps {
		value, behind, ok := t.steps[i].cut(rest)
		if !ok {
			return errShape
		}
		rest = behind
		if err := t.set(t.steps[i].field, value, e); err != nil {
			return err
		}
	}
	if len(t.query) > 0 && len(e.Target) > 0 {
		t.scratch = append(append(append(t.scratch, e.Target...), '?'), t.query...)
		e.Target = t.scratch[len(t.scratch)-len(e.Target)-1-len(t.query):]
	}
	return e.finish()
}

// cut returns the value at the start of a line and the rest behind its end.
func (s *step) cut(b []byte) (value, rest []byte, ok bool) {
	at := s.find(b)
	switch {
	case at < 0:
		return nil, nil, false
	case s.keep:
		return b[:at], b[at:], true
	default:
		return b[:at], b[at+len(s.end):], true
	}
}

// find returns where the value at the start of a line ends, -1 if it does not.
func (s *step) find(b []byte) int {
	switch {
	case s.field == clock && len(b) >= commonTime && b[2] == '/' && bytes.HasPrefix(b[commonTime:], []byte(s.end)):
		return commonTime // It has a space within it.
	case s.end == "":
		return len(b)
	case s.quoted && s.end[0] == '"':
		return s.findQuote(b)
	case len(s.end) == 1:
		return bytes.IndexByte(b, s.end[0])
	default:
		return bytes.Index(b, []byte(s.end))
	}
}

// findQuote finds the end of a value in quotes. At the end of a line less than the whole text that
// ends it is enough.
func (s *step) findQuote(b []byte) int {
	for from := 0; ; from++ {
		quote := bytes.IndexByte(b[from:], '"')
		if quote < 0 {
			return -1
		}
		from += quote
		if !escapedAt(b, from) && len(b)-from >= len(s.end) && string(b[from:from+len(s.end)]) == s.end {
			return from
		}
	}
}

// escapedAt reports whether an odd number of backslashes stands before a character.
func escapedAt(b []byte, at int) bool {
	n := 0
	for at-n > 0 && b[at-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}

// set takes a value.
func (t *text) set(f field, value []byte, e *Record) error {
	switch f {
	case other:
	case clock:
		return e.setTime(value)
	case status:
		return e.setStatus(value)
	case host:
		e.setHost(value)
	case agent:
		e.Agent = orNone(value)
	case methodField:
		e.Method = method(value)
	case args:
		t.query = orNone(t.plain(value))
	case request:
		e.setRequest(t.plain(value))
	case target, path:
		e.setTarget(t.plain(value))
	}
	return nil
}

// plain returns a value without the server's escapes.
func (t *text) plain(value []byte) []byte {
	value, t.scratch = unescape(value, t.scratch)
	return value
}
