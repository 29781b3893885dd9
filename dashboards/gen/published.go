package main

import (
	"maps"
	"slices"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

// source is the input by which the import page asks for a data source.
const source = "DS_PROMETHEUS"

// oldest is the oldest version of Grafana that the dashboards are made for.
const oldest = "10.0.0"

// pluginNames are the names of the panels that we use, by their types.
func pluginNames() map[string]string {
	return map[string]string{"bargauge": "Bar gauge", "heatmap": "Heatmap", "stat": "Stat", "table": "Table", "timeseries": "Time series"}
}

// published returns a dashboard as Grafana exports it for others: the import page asks for a data source, which the
// dashboard then opens with. It can still be changed, as links between the dashboards carry it.
func published(d grafana.Dashboard) grafana.Published {
	d.Templating.List = slices.Clone(d.Templating.List)
	for i := range d.Templating.List {
		if v := &d.Templating.List[i]; v.Type == "datasource" {
			v.Current = &grafana.Option{Text: "${" + source + "}", Value: "${" + source + "}", Selected: true}
		}
	}
	return grafana.Published{
		Inputs: []grafana.Input{{
			Name: source, Label: "Prometheus", Description: "The Prometheus that scrapes traffic_exporter.",
			Type: "datasource", PluginID: "prometheus", PluginName: "Prometheus",
		}},
		Elements:  map[string]any{},
		Requires:  requirements(d.Panels),
		Dashboard: d,
	}
}

// requirements lists the necessary parts: Grafana, the data source, and the types of the panels.
func requirements(panels []grafana.Panel) []grafana.Requirement {
	used := map[string]string{}
	for _, p := range panels {
		if p.Type != "row" {
			used[p.Type] = pluginNames()[p.Type]
		}
	}
	all := []grafana.Requirement{
		{Type: "grafana", ID: "grafana", Name: "Grafana", Version: oldest},
		{Type: "datasource", ID: "prometheus", Name: "Prometheus", Version: "1.0.0"},
	}
	for _, kind := range slices.Sorted(maps.Keys(used)) {
		all = append(all, grafana.Requirement{Type: "panel", ID: kind, Name: used[kind]})
	}
	return all
}
