package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
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

// Headers are header values by name, as written in the file. Printed, those that are
// likely to be secret are hidden.
type Headers map[string]string

var (
	_ fmt.Formatter  = Headers{}
	_ slog.LogValuer = Headers{}
)

// public returns the headers with a stand-in for each secret.
func (h Headers) public() map[string]string {
	shown := make(map[string]string, len(h))
	for name, value := range h {
		if protocol.SecretName(name) {
			value = hidden
		}
		shown[name] = value
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
