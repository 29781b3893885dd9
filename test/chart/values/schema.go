package values

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

type object = map[string]any

// Schema returns the JSON schema of values.yaml. What goes into the configuration file
// is described by that file's own schema, what goes to Kubernetes by its API's types, so
// that a misspelt key is refused wherever it is.
func Schema(root *Value, configSchema []byte) ([]byte, error) {
	defs := common()
	if err := addConfig(defs, configSchema); err != nil {
		return nil, err
	}
	schema, err := root.schema()
	if err != nil {
		return nil, err
	}
	requireSections(schema)
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "Values of the chart traffic-exporter"
	schema["description"] = "Generated from values.yaml: do not edit by hand."
	schema["$defs"] = defs
	if err = addKubernetes(defs, schema); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	err = encoder.Encode(schema)
	return out.Bytes(), err
}

// schema returns the schema of the value: first by its default, then overridden by
// its comment.
func (v *Value) schema() (object, error) {
	schema := object{}
	if v.Description != "" {
		schema["description"] = v.Description
	}
	if len(v.Children) > 0 {
		properties := object{}
		for _, child := range v.Children {
			s, err := child.schema()
			if err != nil {
				return nil, err
			}
			properties[child.Path[strings.LastIndex(child.Path, ".")+1:]] = s
		}
		schema["type"], schema["properties"], schema["additionalProperties"] = "object", properties, false
		return schema, nil
	}
	var value any
	if err := v.Default.Decode(&value); err != nil {
		return nil, fmt.Errorf("%s: %w", v.Path, err)
	}
	schema["default"] = value
	_, refers := v.Schema["$ref"]
	_, chooses := v.Schema["anyOf"]
	if !refers && !chooses {
		schema["type"] = typeOf(v.Default)
	}
	maps.Copy(schema, v.Schema)
	return schema, nil
}

func typeOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "object"
	case n.Kind == yaml.SequenceNode:
		return "array"
	case n.Tag == "!!bool":
		return "boolean"
	case n.Tag == "!!int":
		return "integer"
	default:
		return "string"
	}
}

// common returns the definitions that are neither the configuration's nor Kubernetes'.
func common() object {
	seconds := object{"type": "integer", "minimum": 0}
	return object{
		"strings":  object{"type": "object", "additionalProperties": object{"type": "string"}},
		"port":     object{"type": "integer", "minimum": 1, "maximum": 65535},
		"ratio":    object{"type": "number", "exclusiveMinimum": 0, "maximum": 1},
		"positive": object{"type": "number", "exclusiveMinimum": 0},
		"duration": object{"type": "string", "pattern": "^([0-9]+(ms|[smhdwy]))+$"},
		"reference": object{
			"type": "object", "additionalProperties": false, "required": []any{"name"},
			"properties": object{"name": object{"type": "string", "minLength": 1}},
		},
		"probe": object{
			"type": "object", "additionalProperties": false,
			"properties": object{
				"initialDelaySeconds": seconds, "periodSeconds": seconds, "timeoutSeconds": seconds,
				"successThreshold": seconds, "failureThreshold": seconds,
			},
		},
	}
}

// addConfig adds the definitions of the configuration file, and those of the parts of it
// that values hold.
func addConfig(defs object, configSchema []byte) error {
	var config struct {
		Defs       map[string]object `json:"$defs"`
		Properties map[string]object `json:"properties"`
	}
	if err := json.Unmarshal(configSchema, &config); err != nil {
		return fmt.Errorf("schema of the configuration: %w", err)
	}
	strict(config.Properties)
	for name, def := range config.Defs {
		strict(def)
		if _, taken := defs[name]; taken {
			return fmt.Errorf("schema of the configuration: the name %q is taken", name)
		}
		defs[name] = def
	}
	rate := maps.Clone(config.Defs["scenario"]["properties"].(object)["rate"].(object))
	delete(rate, "description")
	defs["rate"] = rate
	// The chart writes what the file's schema may require.
	fleet := maps.Clone(config.Defs["fleet"])
	delete(fleet, "required")
	defs["fleetConfig"] = fleet

	properties := object{}
	for name, property := range config.Properties {
		properties[name] = property
	}
	delete(properties, "fleet")
	scenarios := maps.Clone(config.Properties["scenarios"])
	delete(scenarios, "minItems")
	properties["scenarios"] = scenarios
	defs["config"] = object{"type": "object", "additionalProperties": false, "properties": properties}
	return nil
}

// strict demands strings where the file takes any scalar for one. The file's reader has the
// text, 1.10 for one; to Helm that is the number 1.1.
func strict(schema any) {
	switch s := schema.(type) {
	case map[string]object:
		for _, sub := range s {
			strict(sub)
		}
	case object:
		if types, ok := s["type"].([]any); ok && slices.Contains(types, any("string")) {
			s["type"] = "string"
		}
		for _, sub := range s {
			strict(sub)
		}
	case []any:
		for _, sub := range s {
			strict(sub)
		}
	}
}

// requireSections demands the parts that have keys of their own. Helm takes a part that is
// left empty out of the values, and templates would find nothing where they expect keys.
func requireSections(schema object) {
	var sections []string
	properties, _ := schema["properties"].(object)
	for name, property := range properties {
		property, _ := property.(object)
		if property["properties"] == nil {
			continue
		}
		sections = append(sections, name)
		requireSections(property)
	}
	if len(sections) > 0 {
		slices.Sort(sections)
		schema["required"] = sections
	}
}
