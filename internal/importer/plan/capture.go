package plan

import (
	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/correlate"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/document"
)

// captureNode writes a capture.
func captureNode(c correlate.Capture) *yaml.Node {
	m := document.NewMap()
	text := func(key, value string) {
		if value != "" {
			m.Set(key, document.String(document.Literal(value).String()))
		}
	}
	text("json", c.JSON)
	text("header", c.Header)
	text("cookie", c.Cookie)
	text("regex", c.Regex)
	if c.Body {
		m.Set("body", document.Bool(true))
	}
	if c.Unescape {
		m.Set("unescape", document.String("html"))
	}
	return m.Node()
}
