package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

const (
	// MaxSize bounds a configuration file, in bytes: what a ConfigMap holds. The tree that
	// is made of a file takes up to some hundred times its size.
	MaxSize = 1 << 20
	// maxExpanded bounds how many bytes aliases and environment variables add to a file,
	// and maxAliased how many values aliases add, so that a small file cannot grow
	// without end.
	maxExpanded = 4 << 20
	maxAliased  = 50_000
	// maxKnots bounds the knots of the curves of all scenarios together.
	maxKnots = 1_000_000
	// maxErrors bounds the mistakes that are reported. With more, the rest of the file is
	// not looked at.
	maxErrors = 100
)

// readDocument parses the content as exactly one YAML document and returns its root,
// or nil when the report says why not.
func (r *report) readDocument(content []byte) *yaml.Node {
	if len(content) > MaxSize {
		r.at(location{line: 1, column: 1}, "", "found more than %d bytes, expected fewer in a configuration file", MaxSize)
		return nil
	}
	source := &slowReader{content: content}
	decoder := yaml.NewDecoder(source)
	var document, second yaml.Node
	err := decodeNode(decoder, &document)
	switch {
	case errors.Is(err, io.EOF), err == nil && isNull(document.Content[0]):
		r.at(location{line: 1, column: 1}, "", "the file is empty, expected a mapping with the key scenarios")
		return nil
	case err != nil:
		r.syntax(err, source.line())
		return nil
	}
	err = decodeNode(decoder, &second)
	switch {
	case err == nil:
		r.at(location{line: second.Line, column: second.Column}, "", "a second document starts here, expected only one in the file")
		return nil
	case !errors.Is(err, io.EOF):
		r.syntax(err, source.line())
		return nil
	}
	return document.Content[0]
}

// decodeNode reads the next document. The parser panics on some broken input, which
// is an error of syntax to us.
func decodeNode(d *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: cannot be parsed: %v", p)
		}
	}()
	return d.Decode(n)
}

// syntax reports what the YAML parser found. The line that its text has for some
// errors is that of the context, or one off: the text it has read so far shows the line better.
func (r *report) syntax(err error, line int) {
	problem := strings.TrimPrefix(err.Error(), "yaml: ")
	var stated int
	if n, _ := fmt.Sscanf(problem, "line %d:", &stated); n == 1 {
		_, problem, _ = strings.Cut(problem, ": ")
	}
	if strings.HasPrefix(problem, "unknown anchor") {
		// Its name may be a secret that begins with * and lacks quotes.
		problem = "an alias without its anchor: a string that begins with * needs quotes"
	}
	r.at(location{line: line}, "", "not YAML: %s", problem)
}

// slowReader hands out content byte by byte, so that it knows how far the parser
// had to read to find a mistake.
type slowReader struct {
	content []byte
	read    int
}

// Read implements io.Reader.
func (s *slowReader) Read(p []byte) (int, error) {
	if s.read == len(s.content) || len(p) == 0 {
		return 0, io.EOF
	}
	p[0] = s.content[s.read]
	s.read++
	return 1, nil
}

// line returns the last line that was read and is not empty or a comment: the
// parser looks ahead for those.
func (s *slowReader) line() int {
	lines := bytes.Split(s.content[:s.read], []byte("\n"))
	for n := len(lines); n > 1; n-- {
		if text := bytes.TrimSpace(lines[n-1]); len(text) > 0 && text[0] != '#' {
			return n
		}
	}
	return 1
}

// kindOf names what a node is, for error messages.
func kindOf(n *yaml.Node) string {
	switch {
	case isNull(n):
		return "nothing"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	default:
		return quote(n.Value)
	}
}

// isNull reports whether a node says that there is no value.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// plainTag reports whether a node is tagged with what YAML itself knows, if at all.
func plainTag(n *yaml.Node) bool {
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!merge":
		return n.Kind == yaml.ScalarNode
	case "!!seq":
		return n.Kind == yaml.SequenceNode
	case "!!map":
		return n.Kind == yaml.MappingNode
	default:
		return false
	}
}
