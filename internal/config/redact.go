package config

import (
	"bytes"
	"fmt"

	"gopkg.in/yaml.v3"
)

// Redacted returns the file's YAML with variables not expanded, every secret replaced
// by <secret>, and without comments, in which old secrets like to linger.
func (c *Config) Redacted() ([]byte, error) {
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(c.redacted(c.root)); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return out.Bytes(), nil
}

// redacted returns a copy of the tree that may be shown.
func (c *Config) redacted(n *yaml.Node) *yaml.Node {
	shown := &yaml.Node{
		Kind: n.Kind, Style: n.Style, Tag: n.Tag, Value: n.Value, Anchor: n.Anchor, Alias: n.Alias,
	}
	if c.secrets[n] && n.Kind == yaml.ScalarNode {
		shown.Style, shown.Tag, shown.Value = 0, "!!str", hidden
	}
	if isNull(n) && n.Value == "" {
		shown.Value = "null" // Nothing would be written as an empty string.
	}
	for _, inner := range n.Content {
		shown.Content = append(shown.Content, c.redacted(inner))
	}
	return shown
}
