package config

import (
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// Turn is a turn of an exchange of messages over a WebSocket. Exactly one key.
type Turn struct {
	// A message to send.
	Send *Send `yaml:"send"`
	// A message to wait for.
	Receive *Receive `yaml:"receive"`
	// How long to wait for the pong of a ping that is sent. Pings of the server are responded to in any case.
	Ping *Wait `yaml:"ping"`
	// How long to wait for the server to close the connection, as the last turn; expect.status has the codes with which it may.
	Close *Wait `yaml:"close"`
	// How long to wait.
	Pause *Pause `yaml:"pause"`
}

func (Turn) expectation() string { return "a turn such as {send: ...} or {receive: ...}" }

// Send is a message to send: a string, which may have placeholders, or a mapping with exactly one of these kinds.
type Send struct {
	// A string, sent as one message of type text.
	Text *Template `yaml:"text"`
	// Any value, sent as JSON in one message of type text.
	JSON *JSON `yaml:"json"`
	// Bytes, sent as a binary message, in base64: {{ name | base64 }} sends what the name stands for as it is.
	Binary *Template `yaml:"binary"`
	// A file, whose content is sent as a binary message.
	File string `yaml:"file" format:"content"`
}

func (Send) expectation() string { return "a string, or a mapping such as {json: ...}" }

func (s *Send) decode(d *decoder, n *yaml.Node, path string, f field) {
	v := reflect.ValueOf(s).Elem()
	switch n.Kind {
	case yaml.MappingNode:
		d.mapping(n, path, v)
	case yaml.ScalarNode:
		s.Text = &Template{}
		s.Text.decode(d, n, path, field{})
	default:
		d.mismatch(n, path, f, v)
	}
}

// Kind returns the key that says what the message is.
func (s Send) Kind() string { return strings.Join(s.kinds(), " ") }

// kinds returns the keys of the kinds that are there.
func (s Send) kinds() []string {
	var kinds []string
	for _, kind := range []struct {
		key   string
		there bool
	}{{"text", s.Text != nil}, {"json", s.JSON != nil}, {"binary", s.Binary != nil}, {"file", s.File != ""}} {
		if kind.there {
			kinds = append(kinds, kind.key)
		}
	}
	return kinds
}

// templates returns the templates of the message at a path.
func (s Send) templates(path string, given func(string) bool) []located {
	at := func(key string) string {
		if one := join(path, key); given(one) {
			return one
		}
		return path
	}
	var all []located
	if s.Text != nil {
		all = append(all, located{path: at("text"), t: s.Text.Template})
	}
	if s.Binary != nil {
		all = append(all, located{path: at("binary"), t: s.Binary.Template})
	}
	if s.JSON != nil {
		all = append(all, s.JSON.templates()...)
	}
	return all
}

// Receive is a message to wait for: the first for which all checks hold and that has all that is captured. Others that come before it are
// skipped. Text and binary messages are looked at alike.
type Receive struct {
	// What a message in JSON has to hold, by paths such as data.items.# (gjson's).
	JSON Named[Check] `yaml:"json" max:"100"`
	// What the message has to be, as text.
	Text *Check `yaml:"text"`
	// Values of the message by name, for the turns and the steps that follow.
	Capture Named[Capture] `yaml:"capture" max:"100" format:"names"`
	// How long to wait for it. Then the request fails with reason check.
	Within Duration `yaml:"within" required:"true" min:"1ms" max:"10m"`
}

func (Receive) expectation() string { return "a mapping such as {json: ..., within: 1s}" }

// Wait is how long to wait for something: a duration such as 1s, or a mapping.
type Wait struct {
	// How long. Then the request fails with reason check.
	Within Duration `yaml:"within" required:"true" min:"1ms" max:"10m"`
}

func (Wait) expectation() string { return "a duration such as 1s" }

// UnmarshalText sets the time from its text. An error names the expected syntax.
func (w *Wait) UnmarshalText(text []byte) error {
	var d Duration
	if d.UnmarshalText(text) != nil {
		return expectedError(w.expectation())
	}
	if d < Duration(shortestWait) || d > Duration(longestWait) {
		return expectedError("1ms to 10m")
	}
	*w = Wait{Within: d}
	return nil
}

func (w Wait) canonical() string {
	return canonicalStruct(reflect.ValueOf(w), fieldsOf(reflect.TypeFor[Wait]()))
}
