// Package rules is the source of the Prometheus rules that are shipped: recording
// rules that dashboards and alerts build on, and alerts that serve every scenario of
// every fleet as they are. Package gen writes them to traffic-exporter.yaml, and with
// placeholders to the mixin; the tests write them with all times divided, so that hours
// pass in seconds.
//
// Rules aggregate replicas away and keep every other label (job, namespace, cluster),
// so that fleets that one server scrapes are kept apart. They work with native
// histograms and with classic ones, and assume a scrape every 30 s or more often.
package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/dashboards/settings"
)

//go:generate go run ./gen -o . -mixin ../mixin

// Name is the name of the file of rules, without its extension.
const Name = "traffic-exporter"

// ours matches the reasons of failures that say nothing about the target, as
// protocol.Reason.Ours does: an expression writes OURS for them.
const ours = "local|denied|canceled"

// build are the labels of traffic_exporter_build_info that change with a release: an
// expression writes BUILD for them.
const build = "branch, goarch, goos, goversion, revision, tags, version"

// group is a list of rules that are evaluated one after the other.
type group struct {
	name     string
	interval time.Duration
	rules    []rule
}

// rule is a recording rule or an alert. Its expression is PromQL, in which REPLICA
// stands for the labels of replicas, BUILD for those of a release, OURS for reasons
// of our own, and placeholders for settings. Annotations have placeholders, too.
type rule struct {
	record, alert      string
	expr               string
	wait, keep         time.Duration
	labels, annotation map[string]string
}

// The file as Prometheus reads it. In JSON it is a template.
type (
	file struct {
		Groups []fileGroup `yaml:"groups" json:"groups"`
	}
	fileGroup struct {
		Name     string     `yaml:"name" json:"name"`
		Interval string     `yaml:"interval" json:"interval"`
		Rules    []fileRule `yaml:"rules" json:"rules"`
	}
	fileRule struct {
		Record        string            `yaml:"record,omitempty" json:"record,omitempty"`
		Alert         string            `yaml:"alert,omitempty" json:"alert,omitempty"`
		Expr          string            `yaml:"expr" json:"expr"`
		For           string            `yaml:"for,omitempty" json:"for,omitempty"`
		KeepFiringFor string            `yaml:"keep_firing_for,omitempty" json:"keep_firing_for,omitempty"`
		Labels        map[string]string `yaml:"labels,omitempty" json:"labels,omitempty"`
		Annotations   map[string]string `yaml:"annotations,omitempty" json:"annotations,omitempty"`
	}
)

// groups returns all rules at their own times.
func groups() []group {
	return []group{recording(), objectives(), targetAlerts(), regressionAlerts(), generatorAlerts(), fleetAlerts()}
}

// File returns the file of rules with the defaults of all settings, and with every interval, window, offset and waiting
// time divided by a scale of at least 1.
func File(scale float64) ([]byte, error) {
	f, err := render(scaler(scale), settings.Fill)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("# Generated from the Go package in this folder by `make generate`: do not edit by hand.\n")
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(f); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// Template returns the rules as JSON with the placeholders of package settings in it.
func Template() ([]byte, error) {
	f, err := render(1, func(text, _ string) (string, error) { return text, nil })
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // Comparisons should be readable.
	e.SetIndent("", "  ")
	err = e.Encode(f)
	return b.Bytes(), err
}

// filler fills in the placeholders of an expression or annotation. Alerts wait for a time before they fire.
type filler func(text, wait string) (string, error)

// render returns the rules with their times divided and their placeholders filled in.
func render(s scaler, fill filler) (file, error) {
	var f file
	for _, g := range groups() {
		out := fileGroup{Name: g.name, Interval: s.format(g.interval)}
		for _, r := range g.rules {
			rule, err := r.render(s, fill)
			if err != nil {
				return file{}, fmt.Errorf("%s%s: %w", r.record, r.alert, err)
			}
			out.Rules = append(out.Rules, rule)
		}
		f.Groups = append(f.Groups, out)
	}
	return f, nil
}

func (r rule) render(s scaler, fill filler) (fileRule, error) {
	expr := strings.NewReplacer("REPLICA", settings.ReplicaLabels, "BUILD", build, "OURS", ours).Replace(strings.TrimSpace(r.expr))
	expr, err := fill(selectable(expr), "")
	if err == nil {
		expr, err = s.expr(expr)
	}
	if err != nil {
		return fileRule{}, err
	}
	out := fileRule{
		Record: r.record, Alert: r.alert, Expr: expr, For: s.format(r.wait), KeepFiringFor: s.format(r.keep),
		Labels: r.labels, Annotations: map[string]string{},
	}
	for name, text := range r.annotation {
		if text, err = fill(text, out.For); err != nil {
			return fileRule{}, err
		}
		out.Annotations[name] = text
	}
	return out, nil
}

// selectable makes room for the user's matchers in each selector, of metrics and of recorded series.
func selectable(expr string) string {
	selector := regexp.MustCompile(`\b(?:[a-z]+:)?traffic_[a-z0-9_]+(?::[a-z0-9_]+)?\b\{?`)
	return selector.ReplaceAllStringFunc(expr, func(match string) string {
		if strings.HasSuffix(match, "{") {
			return match + settings.MoreMatchers
		}
		return match + settings.Matchers
	})
}
