package app

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/prometheus/common/version"

	"github.com/traffic-exporter/traffic_exporter/docs"
)

// Schema writes the JSON Schema of the configuration file to w. Its $comment names the
// version of this program, as the published one is that of the latest.
func Schema(w io.Writer) error {
	var schema map[string]json.RawMessage
	if err := json.Unmarshal(docs.ConfigSchema, &schema); err != nil {
		return fmt.Errorf("read schema: %w", err)
	}
	comment, err := json.Marshal("traffic_exporter " + version.Version)
	if err != nil {
		return fmt.Errorf("write schema: %w", err)
	}
	schema["$comment"] = comment
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(schema)
}
