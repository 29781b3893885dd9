package config

import "strings"

// Body is the body of a request: a string, or a mapping that says what it is made of.
type Body struct {
	// The body as it is, with braces that would otherwise be those of a template.
	Verbatim string `yaml:"verbatim" required:"true"`

	text string
}

func (Body) expectation() string { return "a string, or a mapping such as {verbatim: ...}" }

// UnmarshalText sets the body from a string.
func (b *Body) UnmarshalText(text []byte) error {
	*b = Body{text: string(text)}
	return nil
}

// Bytes returns the body as it is sent; nil if there is none.
func (b Body) Bytes() []byte {
	if b.text == "" && b.Verbatim == "" {
		return nil
	}
	return []byte(b.text + b.Verbatim)
}

// isTemplate reports whether the body has braces that are not to be sent as they are.
func (b Body) isTemplate() bool { return strings.Contains(b.text, "{{") }
