package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// hidden stands in the place of every secret that is printed.
const hidden = "<secret>"

// Secret is a text that is never printed, logged or marshalled. Convert it to a string
// where it is used.
type Secret string

var (
	_ fmt.Formatter  = Secret("")
	_ slog.LogValuer = Secret("")
)

// String returns a stand-in.
func (Secret) String() string { return hidden }

// GoString returns a stand-in.
func (Secret) GoString() string { return hidden }

// Format writes a stand-in, whatever the verb: fmt would show the text for a wrong one.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText returns a stand-in.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue returns a stand-in.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// Header is a header field as the file has it. Of one that is likely to be secret, or that
// comes from the environment, the value is not printed.
type Header struct {
	Name, Value string
	Secret      bool
}

// HeaderValue is a value of a header: a string, or a mapping for one that is a secret.
type HeaderValue struct {
	// A value that is not shown, and that no redirect carries to another host, whatever the header's name.
	Secret Secret `yaml:"secret" required:"true"`

	plain string
}

func (HeaderValue) expectation() string { return "a string or {secret: ...}" }

// UnmarshalText sets the value from a string.
func (h *HeaderValue) UnmarshalText(text []byte) error {
	*h = HeaderValue{plain: string(text)}
	return nil
}

// Headers are header fields in the order of the file.
type Headers []Header

var (
	_ fmt.Formatter  = Headers{}
	_ slog.LogValuer = Headers{}
)

// Get returns the value of the first field of that name; empty if there is none.
func (h Headers) Get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// public returns the fields with a stand-in for each secret, in the order of the file.
func (h Headers) public() [][2]string {
	shown := make([][2]string, 0, len(h))
	for _, f := range h {
		if f.Secret {
			f.Value = hidden
		}
		shown = append(shown, [2]string{f.Name, f.Value})
	}
	return shown
}

// Format writes the headers without secrets, whatever the verb.
func (h Headers) Format(f fmt.State, _ rune) { fmt.Fprint(f, h.public()) }

// LogValue returns the headers without secrets.
func (h Headers) LogValue() slog.Value { return slog.AnyValue(h.public()) }

// MarshalYAML returns the headers without secrets.
func (h Headers) MarshalYAML() (any, error) { return h.public(), nil }

// MarshalJSON returns the headers without secrets.
func (h Headers) MarshalJSON() ([]byte, error) { return json.Marshal(h.public()) }

var _ fmt.Formatter = HTTPConfig{}

// Format writes the settings as %+v does, whatever the verb. What they point to, which
// may hold secrets, is written as an address: for a verb that does not fit a pointer,
// fmt would go on to show all of it.
func (h HTTPConfig) Format(f fmt.State, _ rune) {
	type plain HTTPConfig // Without this method.
	fmt.Fprintf(f, "%+v", plain(h))
}

var _ fmt.Formatter = Fleet{}

// Format writes the settings as %+v does, whatever the verb, for the same reason.
func (f Fleet) Format(s fmt.State, _ rune) {
	type plain Fleet // Without this method.
	fmt.Fprintf(s, "%+v", plain(f))
}
