package document

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// The variables that stand for characters which cannot stand in a string by themselves. A scenario
// has them if it needs them.
const (
	// BraceName stands for {, where two of them would begin a placeholder.
	BraceName = "open_brace"
	// DollarName stands for $ before an environment variable.
	DollarName = "dollar_sign"
)

// Text is a string of the configuration, made of text as it is, placeholders and environment
// variables. The zero Text is empty. It is immutable.
type Text struct {
	parts []part
}

// part is text as it is, or the name of what stands there.
type part struct {
	text, variable, env string
}

// Literal returns a string as it is. Bytes that are not UTF-8 are replaced.
func Literal(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{[]part{{text: strings.ToValidUTF8(s, "\uFFFD")}}}
}

// Placeholder returns the placeholder of a name, or of a name with a path into its value.
func Placeholder(name string) Text { return Text{[]part{{variable: name}}} }

// Env returns what an environment variable holds.
func Env(name string) Text { return Text{[]part{{env: name}}} }

// Join returns texts one after the other.
func Join(texts ...Text) Text {
	var all Text
	for _, t := range texts {
		all.parts = append(all.parts, t.parts...)
	}
	return all
}

// Fixed returns the text if it has neither placeholders nor environment variables.
func (t Text) Fixed() (text string, ok bool) {
	for _, p := range t.parts {
		if p.variable != "" || p.env != "" {
			return "", false
		}
		text += p.text
	}
	return text, true
}

// Varies reports whether there are placeholders.
func (t Text) Varies() bool {
	for _, p := range t.parts {
		if p.variable != "" {
			return true
		}
	}
	return false
}

// String returns the text as the configuration has it, not yet as YAML.
func (t Text) String() string {
	// From its end, as the way to write a character depends on the one behind it.
	var pieces []string
	behind := ""
	for _, p := range slices.Backward(t.parts) {
		switch {
		case p.variable != "":
			behind = "{{ " + p.variable + " }}"
			pieces = append(pieces, behind)
		case p.env != "":
			behind = "${" + p.env + "}"
			pieces = append(pieces, behind)
		default:
			for i := len(p.text) - 1; i >= 0; i-- {
				behind = escape(p.text[i], behind)
				pieces = append(pieces, behind)
			}
		}
	}
	slices.Reverse(pieces)
	return strings.Join(pieces, "")
}

// escape returns a byte of literal text as it is written before the text behind it.
func escape(c byte, behind string) string {
	switch {
	case c == '{' && strings.HasPrefix(behind, "{"):
		return "{{ " + BraceName + " }}"
	case c == '$' && strings.HasPrefix(behind, "${"):
		return "{{ " + DollarName + " }}"
	case c == '$' && strings.HasPrefix(behind, "{"):
		return "$$"
	default:
		return string([]byte{c})
	}
}

// node returns the text as YAML.
func (t Text) node() *yaml.Node { return String(t.String()) }
