// Package values reads the values.yaml of the chart with its comments, and derives from
// it what says the same in other words: the JSON schema that Helm refuses misspelt
// values by, and the table of the chart's README.
package values

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// Value is a key of values.yaml, or the whole file.
type Value struct {
	// Path is where it is, such as image.tag; empty for the file.
	Path string
	// Description is what the comment before it says after "--".
	Description string
	// Schema is the part of its schema that the comment gives after "@schema"; nil if it
	// gives none.
	Schema map[string]any
	// Default is its value.
	Default *yaml.Node
	// Children are the keys of a mapping that is a part of the chart's interface, not a
	// value of its own.
	Children []*Value
}

// Parse reads values.yaml. Every leaf needs a description, and a schema where its
// default does not show which values are allowed.
func Parse(content []byte) (*Value, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("values.yaml: expected one mapping")
	}
	root := &Value{Default: document.Content[0]}
	return root, root.parseChildren()
}

func (v *Value) parseChildren() error {
	var errs []error
	for i := 0; i < len(v.Default.Content); i += 2 {
		key, value := v.Default.Content[i], v.Default.Content[i+1]
		child := &Value{Path: join(v.Path, key.Value), Default: value}
		errs = append(errs, child.parse(key.HeadComment))
		v.Children = append(v.Children, child)
	}
	return errors.Join(errs...)
}

// parse reads the value and the comment before it.
func (v *Value) parse(comment string) error {
	if err := v.parseComment(comment); err != nil {
		return fmt.Errorf("values.yaml:%d: %s: %w", v.Default.Line, v.Path, err)
	}
	if v.Default.Kind == yaml.MappingNode && v.Schema == nil && len(v.Default.Content) > 0 {
		return v.parseChildren()
	}
	if v.Description == "" {
		return fmt.Errorf(`values.yaml:%d: %s: found no comment "# -- ..." that describes it`, v.Default.Line, v.Path)
	}
	if v.Default.Kind != yaml.ScalarNode && v.Schema == nil {
		return fmt.Errorf(`values.yaml:%d: %s: found no comment "# @schema ..." with the type of its values`, v.Default.Line, v.Path)
	}
	return nil
}

// parseComment reads what the comment says. A description goes on over lines that begin
// with nothing of their own.
func (v *Value) parseComment(comment string) error {
	var description []string
	for line := range strings.Lines(comment) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "#"))
		if text, ok := strings.CutPrefix(line, "-- "); ok {
			description = []string{text}
		} else if text, ok := strings.CutPrefix(line, "@schema "); ok {
			if err := json.Unmarshal([]byte(text), &v.Schema); err != nil {
				return fmt.Errorf("@schema: %w", err)
			}
		} else if description != nil && line != "" {
			description = append(description, line)
		}
	}
	v.Description = strings.Join(description, " ")
	return nil
}

// Leaves returns the values that have no children, in the order of the file.
func (v *Value) Leaves() []*Value {
	if len(v.Children) == 0 {
		return []*Value{v}
	}
	var all []*Value
	for _, child := range v.Children {
		all = append(all, child.Leaves()...)
	}
	return all
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
