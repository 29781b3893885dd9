package main

import (
	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
	"github.com/traffic-exporter/traffic_exporter/dashboards/settings"
)

// The dashboards' addresses, which links from elsewhere rely on.
const (
	overviewUID = "traffic-exporter-overview"
	scenarioUID = "traffic-exporter-scenario"
	fleetUID    = "traffic-exporter-fleet"
)

// tag is how the dashboards find each other.
const tag = "traffic-exporter"

// newBoard is a dashboard with what all have.
func newBoard(uid, title, description string, variables []grafana.Variable, annotations ...grafana.Annotation) *board {
	return &board{Dashboard: grafana.Dashboard{
		UID: uid, Title: title, Description: description, Tags: []string{tag}, SchemaVersion: grafana.SchemaVersion,
		GraphTooltip: grafana.SharedCrosshair, Timezone: "browser", Refresh: "30s", Time: grafana.Time{From: "now-1h", To: "now"},
		Links: []grafana.Link{{
			Title: "Traffic exporter", Type: "dashboards", Icon: "external link", Tags: []string{tag},
			AsDropdown: true, IncludeVars: true, KeepTime: true,
		}},
		Templating:  grafana.Templating{List: append(commonVariables(), variables...)},
		Annotations: grafana.Annotations{List: annotations},
	}}
}

// commonVariables choose the data source and the fleet.
func commonVariables() []grafana.Variable {
	const info = "traffic_exporter_build_info"
	cluster := labelVariable("cluster", "Cluster", info+settings.Matchers, settings.ClusterLabel, ".*")
	cluster.Hide = grafana.Hidden
	cluster.Description = "For servers that hold several clusters: set it by var-cluster in the address."
	return []grafana.Variable{
		{Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus"},
		cluster,
		// Outside of Kubernetes there is no such label, and .* matches that.
		labelVariable("namespace", "Namespace", metric(info, ofCluster), settings.NamespaceLabel, ".*"),
		labelVariable("job", "Job", metric(info, ofNamespace), "job", ".+"),
	}
}

// labelVariable offers the values of a label, several at once or all.
func labelVariable(name, label, selector, of, all string) grafana.Variable {
	return grafana.Variable{
		Name: name, Label: label, Type: "query", Datasource: prometheus(),
		Query:   grafana.VariableQuery{Query: "label_values(" + selector + ", " + of + ")", RefID: "StandardVariableQuery"},
		Refresh: grafana.RefreshOnTimeChange, Sort: grafana.SortByName,
		Multi: true, IncludeAll: true, AllValue: all, Current: &grafana.Option{Text: "All", Value: "$__all"},
	}
}

func scenarioVariable() grafana.Variable {
	return labelVariable("scenario", "Scenario", metric("traffic_target_rate", ofJob), "scenario", ".+")
}

// formVariable chooses native histograms where there are some, and classic ones else.
// Both are offered in that order, and the first is taken unless the user chooses.
func formVariable() grafana.Variable {
	return grafana.Variable{
		Name: "latency_metrics", Label: "Histograms", Type: "query", Datasource: prometheus(),
		Description: "Native histograms where the server has them, else classic ones.",
		Query: grafana.VariableQuery{RefID: "StandardVariableQuery", Query: "query_result(" +
			`label_replace(count(` + metric("traffic_send_delay_seconds", ofJob) + `) * 0 + ` + nativeForm + `, "form", "native", "", "")` +
			` or label_replace(vector(` + classicForm + `), "form", "classic", "", ""))`},
		Regex:   `/form="(?<text>\w+)"} (?<value>-?1) /`,
		Refresh: grafana.RefreshOnTimeChange,
	}
}

// periodVariable is the time over which the SLO holds. The exporter knows none.
func periodVariable() grafana.Variable {
	const standard = "30d"
	v := grafana.Variable{
		Name: "slo_period", Label: "SLO period", Type: "custom", Query: "1d,7d,28d,30d",
		Description: "The time over which the error budget is to last.",
		Current:     &grafana.Option{Text: standard, Value: standard, Selected: true},
	}
	for _, p := range []string{"1d", "7d", "28d", "30d"} {
		v.Options = append(v.Options, grafana.Option{Text: p, Value: p, Selected: p == standard})
	}
	return v
}

// annotation is an event, or a time where it is drawn as a region.
func annotation(name, color, expr, title, text, tags string) grafana.Annotation {
	return grafana.Annotation{
		Name: name, Datasource: *prometheus(), Enable: true, IconColor: color,
		Expr: expr, Target: grafana.Target{RefID: "Anno", Expr: expr},
		TitleFormat: title, TextFormat: text, TagKeys: tags,
	}
}

// alerts are the times in which an alert fires. Alerts of the whole fleet have no
// scenario, and are shown with any.
func alerts(matchers ...string) grafana.Annotation {
	selector := metric("ALERTS", settings.MoreMatchers+`alertname=~"Traffic.*"`, append([]string{`alertstate="firing"`}, matchers...)...)
	return annotation("Alerts", "red", selector, "{{alertname}}", "{{severity}} {{scenario}} {{instance}}", "alertname,severity,scenario")
}

// overrides are the times in which a rate is not the file's.
func overrides(matchers string) grafana.Annotation {
	return annotation("Overrides", "purple", maxOf("scenario", metric("traffic_override_active", matchers))+" > 0",
		"Rate overridden", "{{scenario}}", "scenario")
}

// reloads are the moments at which a configuration was loaded: the values themselves.
func reloads(by, matchers string) grafana.Annotation {
	a := annotation("Reloads", "blue", maxOf(by, metric("traffic_config_last_reload_success_timestamp_seconds", matchers))+" * 1000",
		"Configuration loaded", "{{job}} {{instance}}", "job")
	a.UseValueForTime = true
	return a
}
