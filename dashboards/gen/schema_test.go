package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

// schemaFolder names the environment variable with the folder of Grafana's JSON schemas,
// the *.jsonschema.json of grafana-foundation-sdk. They are not part of this project.
const schemaFolder = "TRAFFIC_GRAFANA_SCHEMA"

// schemas compiles Grafana's schemas, or skips the test where there are none.
func schemas(t *testing.T) func(kind, definition string) *jsonschema.Schema {
	t.Helper()
	folder := os.Getenv(schemaFolder)
	if folder == "" {
		t.Skipf("%s is not set: it names the folder with *.jsonschema.json of grafana-foundation-sdk", schemaFolder)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(loader{})
	return func(kind, definition string) *jsonschema.Schema {
		t.Helper()
		s, err := c.Compile(filepath.Join(folder, kind+".jsonschema.json") + "#/definitions/" + definition)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// loader loads schemas.
type loader struct{}

// Load is part of jsonschema.URLLoader.
func (loader) Load(url string) (any, error) {
	f, err := os.Open(strings.TrimPrefix(url, "file://"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	tree, err := jsonschema.UnmarshalJSON(f)
	if err == nil {
		loosen(tree)
	}
	return tree, err
}

// loosen lets everything be where the schemas say any object: that is how they write
// values without a type in Grafana, such as the value of a property.
func loosen(tree any) {
	switch node := tree.(type) {
	case []any:
		for _, child := range node {
			loosen(child)
		}
	case map[string]any:
		if more, ok := node["additionalProperties"].(map[string]any); ok && len(more) == 0 && node["type"] == "object" {
			delete(node, "type")
		}
		for _, child := range node {
			loosen(child)
		}
	}
}

// check validates a value as it is in JSON.
func check(t *testing.T, what string, s *jsonschema.Schema, value any) {
	t.Helper()
	b, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(tree); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func TestDashboardsFitGrafanasSchemas(t *testing.T) {
	schema := schemas(t)
	fieldConfigs := map[string]string{"timeseries": "GraphFieldConfig", "heatmap": "FieldConfig", "table": "TableFieldOptions"}
	for name, d := range files(t) {
		check(t, name, schema("dashboard", "Dashboard"), d)
		for _, a := range d.Annotations.List {
			check(t, name+": "+a.Name, schema("prometheus", "Dataquery"), a.Target)
		}
		for _, p := range d.Panels {
			what := name + ": " + p.Title
			for _, target := range p.Targets {
				check(t, what, schema("prometheus", "Dataquery"), target)
			}
			if p.Type != "row" {
				check(t, what, schema(p.Type, "Options"), p.Options)
			}
			if definition, ok := fieldConfigs[p.Type]; ok {
				check(t, what, schema(p.Type, definition), p.FieldConfig.Defaults.Custom)
			}
		}
	}
}

func TestTheSchemasFindMistakes(t *testing.T) {
	schema := schemas(t)
	wrong := map[string]any{"schemaVersion": grafana.SchemaVersion, "templating": map[string]any{}, "annotations": map[string]any{}, "titel": "x"}
	if schema("dashboard", "Dashboard").Validate(wrong) == nil {
		t.Error("a misspelt key is taken")
	}
	if schema("prometheus", "Dataquery").Validate(map[string]any{"expr": "up", "format": "heat"}) == nil {
		t.Error("a wrong format is taken")
	}
}
