package main

import (
	"fmt"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

// gaugeWidth is the width in pixels of a column with a bar.
const gaugeWidth = 170

// column is a column of a table: one value for each row.
type column struct {
	title, expr, unit string
	// decimals is the number of decimals; 0 leaves it to Grafana.
	decimals int
	// colors, if not nil, colour the value.
	colors *grafana.Thresholds
	// gauge draws a bar from 0 to 1.
	gauge bool
	// mappings are texts in place of values.
	mappings []grafana.Mapping
}

// table has a row for each value of a label, or each set of values of labels.
func table(title, description, label, header string, columns []column) grafana.Panel {
	var queries []option
	for _, c := range columns {
		queries = append(queries, instantly(c.expr))
	}
	p := panel("table", title, description, count, queries)
	inspect := false
	p.FieldConfig.Defaults.Custom = &grafana.Custom{Align: "auto", Inspect: &inspect}
	p.FieldConfig.Defaults.NoValue = "-"
	p.Options = grafana.TableOptions{ShowHeader: true, CellHeight: "sm", SortBy: []grafana.SortBy{{DisplayName: header}}}

	// Grafana names the values of several queries Value #A and so on once they are merged.
	names, order := map[string]any{label: header}, map[string]any{label: 0}
	for i, c := range columns {
		p.Targets[i].Format = "table"
		value := fmt.Sprintf("Value #%s", p.Targets[i].RefID)
		names[value], order[value] = c.title, i+1
		named(c.title, c.properties()...)(&p)
	}
	p.Transformations = []grafana.Transformation{
		{ID: "merge", Options: map[string]any{}},
		{ID: "organize", Options: map[string]any{
			"excludeByName": map[string]any{"Time": true}, "indexByName": order, "renameByName": names,
		}},
	}
	return p
}

// properties are how the column differs from the others.
func (c column) properties() []grafana.Property {
	all := []grafana.Property{{ID: "unit", Value: c.unit}}
	if c.decimals > 0 {
		all = append(all, grafana.Property{ID: "decimals", Value: c.decimals})
	}
	if c.colors != nil {
		all = append(all, grafana.Property{ID: "thresholds", Value: c.colors}, grafana.Property{ID: "color", Value: grafana.Color{Mode: "thresholds"}})
		cell := grafana.CellOptions{Type: "color-text"}
		if c.gauge {
			cell = grafana.CellOptions{Type: "gauge", Mode: "basic", ValueDisplayMode: "color"}
			all = append(all, grafana.Property{ID: "min", Value: 0}, grafana.Property{ID: "max", Value: 1},
				grafana.Property{ID: "custom.width", Value: gaugeWidth})
		}
		all = append(all, grafana.Property{ID: "custom.cellOptions", Value: cell})
	}
	if c.mappings != nil {
		all = append(all, grafana.Property{ID: "mappings", Value: c.mappings})
	}
	return all
}
