package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// Template is a string in which placeholders such as {{ name }}, {{ name.field }} and {{ name | base64 }} stand for values.
type Template struct {
	script.Template

	// Secret says that the text is not shown, as the environment is in it.
	Secret bool
}

func (Template) expectation() string { return "a string" }

// MarshalText returns the template as it was written.
func (t Template) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

func (t *Template) decode(d *decoder, n *yaml.Node, path string, f field) {
	if n.Kind != yaml.ScalarNode {
		d.mismatch(n, path, f, reflect.ValueOf(t).Elem())
		return
	}
	t.Template, _ = d.template(n, path, "")
	t.Secret = holdsVariable(n.Value)
}

// SecretTemplate is a string with placeholders that is never printed, logged or marshalled.
type SecretTemplate struct {
	script.Template
}

var (
	_ fmt.Formatter  = SecretTemplate{}
	_ slog.LogValuer = SecretTemplate{}
)

func (SecretTemplate) expectation() string { return "a string" }

// String returns a stand-in.
func (SecretTemplate) String() string { return hidden }

// Format writes a stand-in, whatever the verb.
func (SecretTemplate) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText returns a stand-in.
func (SecretTemplate) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue returns a stand-in.
func (SecretTemplate) LogValue() slog.Value { return slog.StringValue(hidden) }

func (t *SecretTemplate) decode(d *decoder, n *yaml.Node, path string, f field) {
	if n.Kind != yaml.ScalarNode {
		d.mismatch(n, path, f, reflect.ValueOf(t).Elem())
		return
	}
	d.hide(n)
	t.Template, _ = d.template(n, path, secretHint)
}

// template reads a string with placeholders; ok is false when the report says why not.
// Placeholders are what the file itself has: braces in the environment's values are refused,
// as what holds them is data and not a part of the file. hint says how to send braces.
func (d *decoder) template(n *yaml.Node, path, hint string) (t script.Template, ok bool) {
	text, ok := d.expandedText(n, path)
	if !ok {
		return t, false
	}
	if problem := templateProblem(n.Value, text, hint); problem != "" {
		d.at(position(n), path, "%s", problem)
		return t, false
	}
	t, err := script.ParseTemplate(text)
	return t, err == nil
}

// secretHint is the hint for a string that must not be shown.
const secretHint = "secret"

// templateProblem returns why a string is not a valid template; raw is how the file has it,
// with environment variables that are not expanded.
func templateProblem(raw, text, hint string) string {
	_, err := script.ParseTemplate(raw)
	broken, _ := errors.AsType[*script.SyntaxError](err)
	switch {
	case broken != nil && hint == secretHint:
		return "found braces that are no placeholder, expected {{ name }}"
	case broken != nil:
		return "found braces that are no placeholder: " + broken.Text + hint
	case strings.Count(raw, "{{") != strings.Count(text, "{{"):
		return "found {{ in what the environment holds, which would be a placeholder"
	}
	return ""
}
