package config

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Fingerprint returns a hash of the whole scenario: secrets, what the environment put into it
// and the content of recordings count, its place in the file and the way it is written do not, except that
// headers from the environment are secrets and others are not.
func (s Scenario) Fingerprint() string {
	return fingerprint(struct {
		Scenario   scenarioKeys   `yaml:"scenario"`
		Data       Named[Dataset] `yaml:"data"`
		Recordings []string       `yaml:"recordings"`
	}{scenarioKeys(s), s.data, s.Rate.recordings()})
}

// scenarioKeys is a scenario without its methods.
type scenarioKeys Scenario

// ClientFingerprint returns a hash of what a client is built from: http_config, grpc_config, websocket_config, requests with
// all that they share and the data that they use, timeout and limits.max_in_flight.
func (s Scenario) ClientFingerprint() string {
	return fingerprint(struct {
		HTTPConfig  HTTPConfig       `yaml:"http_config"`
		GRPCConfig  *GRPCConfig      `yaml:"grpc_config"`
		WebSocket   *WebSocketConfig `yaml:"websocket_config"`
		BaseURL     Template         `yaml:"base_url"`
		Headers     Headers          `yaml:"headers"`
		Variables   Named[Variable]  `yaml:"variables"`
		Allow       []Origin         `yaml:"allow"`
		Requests    []Request        `yaml:"requests"`
		Timeout     Duration         `yaml:"timeout"`
		MaxInFlight int              `yaml:"max_in_flight"`
		Data        Named[Dataset]   `yaml:"data"`
		Session     *Session         `yaml:"session"`
		With        *Candidate       `yaml:"with"`
	}{s.HTTPConfig, s.GRPCConfig, s.WebSocketConfig, s.BaseURL, s.Headers, s.Variables, s.Allow, s.Requests, s.Timeout, s.Limits.MaxInFlight, s.data, s.Session, s.with()})
}

// with returns what the scenario's candidate has of its own; nil without one.
func (s Scenario) with() *Candidate {
	if s.Compare == nil {
		return nil
	}
	return &s.Compare.With
}

// Fingerprint returns a hash of all that tokens are obtained with, in the same form.
func (o OAuth2) Fingerprint() string { return fingerprint(o) }

// FleetFingerprint returns a hash of the keys of the section fleet that a reload cannot change,
// in the same form; empty without the section.
func (c *Config) FleetFingerprint() string {
	if c.Fleet == nil {
		return ""
	}
	fixed := *c.Fleet
	fixed.MinReplicas, fixed.MinReplicasAlone = 0, 0
	return fingerprint(fixed)
}

// ScenariosHash returns a hash of what the file says apart from the section fleet, which
// may name each replica's own addresses. The content of recordings counts; what the environment
// puts into it, comments and the way it is written do not.
func (c *Config) ScenariosHash() [sha256.Size]byte {
	var text strings.Builder
	for i := 0; i+1 < len(c.root.Content); i += 2 {
		if c.root.Content[i].Value != "fleet" {
			plain(&text, c.root.Content[i])
			plain(&text, c.root.Content[i+1])
		}
	}
	for _, s := range c.Scenarios {
		text.WriteString(strings.Join(s.Rate.recordings(), " "))
	}
	return sha256.Sum256([]byte(text.String()))
}

// plain writes a node without comments and style. An alias is written as one.
func plain(text *strings.Builder, n *yaml.Node) {
	text.WriteString(strconv.Itoa(int(n.Kind)) + n.Anchor + strconv.QuoteToASCII(n.Value) + "(")
	for _, child := range n.Content {
		plain(text, child)
	}
	text.WriteString(")")
}

func fingerprint(v any) string {
	sum := sha256.Sum256([]byte(canonical(reflect.ValueOf(v))))
	return hex.EncodeToString(sum[:])
}

// canonical returns a value in one way of several to write it in YAML: flow style,
// quoted, in the order of the fields, with defaults and without absent keys.
// Secrets are in it, and ${ is not escaped: never show it to anyone.
func canonical(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		return canonical(v.Elem())
	}
	if c, ok := reflect.TypeAssert[interface{ canonical() string }](v); ok {
		return c.canonical()
	}
	if v.Kind() == reflect.Struct {
		if fields := fieldsOf(v.Type()); len(fields) > 0 {
			return canonicalStruct(v, fields)
		}
	}
	if s, ok := reflect.TypeAssert[Secret](v); ok {
		return strconv.QuoteToASCII(string(s))
	}
	if t, ok := reflect.TypeAssert[SecretTemplate](v); ok {
		return strconv.QuoteToASCII(t.Template.String())
	}
	if p, ok := reflect.TypeAssert[ProxyURL](v); ok && p.URL != nil {
		return strconv.QuoteToASCII(p.URL.String())
	}
	if h, ok := reflect.TypeAssert[Headers](v); ok {
		return canonicalHeaders(h)
	}
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
		text, err := m.MarshalText()
		if err != nil {
			panic(fmt.Sprintf("marshal %T: %v", m, err)) // No type of this package fails.
		}
		return strconv.QuoteToASCII(string(text))
	}
	switch v.Kind() {
	case reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = canonical(v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.String:
		return strconv.QuoteToASCII(v.String())
	default:
		return fmt.Sprint(v.Interface())
	}
}

func canonicalStruct(v reflect.Value, fields []field) string {
	var parts []string
	for _, f := range fields {
		value := v.Field(f.index)
		if value.IsZero() && !f.required && !f.hasPreset {
			continue
		}
		parts = append(parts, strconv.QuoteToASCII(f.key)+": "+canonical(value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
