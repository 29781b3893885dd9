package rules

import (
	"maps"
	"strings"
	"time"
)

// Severities: who is called at once, who looks at it in working hours, and what only
// helps to know.
const (
	critical = "critical"
	warning  = "warning"
	info     = "info"
)

// Concerns say what an alert is about. They are for routes and for inhibition: an
// overloaded generator makes all of concern latency untrustworthy, for one.
const (
	errors        = "errors"
	latency       = "latency"
	delivery      = "delivery"
	generator     = "generator"
	fleet         = "fleet"
	configuration = "configuration"
)

// runbook is where each alert has a section under its name in lower case.
const runbook = "https://github.com/traffic-exporter/traffic_exporter/blob/main/docs/runbook.md#"

// alert is an alert as its author writes it.
type alert struct {
	name, severity, concern string
	// labels are further ones.
	labels map[string]string
	expr   string
	wait   time.Duration
	keep   time.Duration
	// summary is a sentence without values, description one with them.
	summary, description string
}

// rule returns the alert with the labels and annotations that all have.
func (a alert) rule() rule {
	labels := map[string]string{"severity": a.severity, "concern": a.concern}
	maps.Copy(labels, a.labels)
	return rule{
		alert: a.name, expr: a.expr, wait: a.wait, keep: a.keep, labels: labels,
		annotation: map[string]string{
			"summary":     a.summary,
			"description": a.description,
			"runbook_url": runbook + strings.ToLower(a.name),
		},
	}
}

// alerts returns a group of alerts.
func alerts(name string, list []alert) group {
	g := group{name: "traffic-exporter-" + name, interval: every}
	for _, a := range list {
		g.rules = append(g.rules, a.rule())
	}
	return g
}

// sending restricts the alerts of a scenario: none fires for one that is
// paused by its schedule or has been deleted, although windows still reach back to when
// it was not.
const sending = "scenario:traffic_target_rate:max > 0"
