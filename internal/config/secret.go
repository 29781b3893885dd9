package config

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden stands in the place of every secret that is printed.
const hidden = "<secret>"

// Secret is a string that is never printed, logged or marshalled. Convert it to a string
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

var _ fmt.Formatter = OAuth2{}

// Format writes the settings as %+v does, whatever the verb, for the same reason.
func (o OAuth2) Format(f fmt.State, _ rune) {
	type plain OAuth2 // Without this method.
	fmt.Fprintf(f, "%+v", plain(o))
}

var _ fmt.Formatter = SigV4{}

// Format writes the settings as %+v does, whatever the verb, for the same reason.
func (s SigV4) Format(f fmt.State, _ rune) {
	type plain SigV4 // Without this method.
	fmt.Fprintf(f, "%+v", plain(s))
}

var _ fmt.Formatter = Variable{}

// Format writes the variable as %+v does, whatever the verb, for the same reason.
func (v Variable) Format(f fmt.State, _ rune) {
	type plain Variable // Without this method.
	fmt.Fprintf(f, "%+v", plain(v))
}
