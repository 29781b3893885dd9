package app

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"

	"github.com/prometheus/common/version"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/traffic-exporter/traffic_exporter/docs"
)

func TestTheSchemaPrintedIsThePublishedOneWithAVersion(t *testing.T) {
	var out bytes.Buffer
	if err := Schema(&out); err != nil {
		t.Fatal(err)
	}
	var published, printed map[string]json.RawMessage
	if err := json.Unmarshal(docs.ConfigSchema, &published); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.Bytes(), &printed); err != nil {
		t.Fatal(err)
	}
	if got, want := string(printed["$comment"]), `"traffic_exporter `+version.Version+`"`; got != want {
		t.Errorf("$comment is %s, want %s", got, want)
	}
	delete(printed, "$comment")
	if !maps.EqualFunc(printed, published, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
		t.Error("the rest is not the published schema")
	}
}

// The compiler holds the schema against the metaschema of its draft.
func TestTheSchemaPrintedIsAJSONSchema(t *testing.T) {
	var out bytes.Buffer
	if err := Schema(&out); err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(&out)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err = c.AddResource("config.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("config.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err = schema.Validate(map[string]any{"scenarioz": []any{}}); err == nil {
		t.Error("a misspelt key follows the schema")
	}
}
