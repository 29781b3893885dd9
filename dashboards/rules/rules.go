// Package rules is the source of the Prometheus rules that are shipped: recording
// rules that dashboards and alerts build on, and alerts that serve every scenario of
// every fleet as they are. Package gen writes them to traffic-exporter.yaml; the tests
// write them with all times divided, so that hours pass in seconds.
//
// Rules aggregate replicas away and keep every other label (job, namespace, cluster),
// so that fleets that one server scrapes are kept apart. They work with native
// histograms and with classic ones, and assume a scrape every 30 s or more often.
package rules

import (
	"bytes"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

//go:generate go run ./gen -o .

// Name is the name of the file of rules, without its extension.
const Name = "traffic-exporter"

// ours matches the reasons of failures that say nothing about the target, as
// protocol.Reason.Ours does: an expression writes OURS for them.
const ours = "local|denied|canceled"

// replica are the labels that distinguish replicas of a fleet: an expression writes
// REPLICA for them.
const replica = "instance, pod, node"

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
// stands for the labels of replicas, BUILD for those of a release, and OURS for reasons
// of our own.
type rule struct {
	record, alert      string
	expr               string
	wait, keep         time.Duration
	labels, annotation map[string]string
}

// The file as Prometheus reads it.
type (
	yamlFile struct {
		Groups []yamlGroup `yaml:"groups"`
	}
	yamlGroup struct {
		Name     string     `yaml:"name"`
		Interval string     `yaml:"interval"`
		Rules    []yamlRule `yaml:"rules"`
	}
	yamlRule struct {
		Record        string            `yaml:"record,omitempty"`
		Alert         string            `yaml:"alert,omitempty"`
		Expr          string            `yaml:"expr"`
		For           string            `yaml:"for,omitempty"`
		KeepFiringFor string            `yaml:"keep_firing_for,omitempty"`
		Labels        map[string]string `yaml:"labels,omitempty"`
		Annotations   map[string]string `yaml:"annotations,omitempty"`
	}
)

// groups returns all rules at their own times.
func groups() []group {
	return []group{recording(), objectives(), targetAlerts(), regressionAlerts(), generatorAlerts(), fleetAlerts()}
}

// File returns the file of rules with every interval, window, offset and waiting time
// divided by a scale of at least 1.
func File(scale float64) ([]byte, error) {
	s := scaler(scale)
	var file yamlFile
	for _, g := range groups() {
		out := yamlGroup{Name: g.name, Interval: s.format(g.interval)}
		for _, r := range g.rules {
			expr, err := s.expr(strings.NewReplacer("REPLICA", replica, "BUILD", build, "OURS", ours).Replace(strings.TrimSpace(r.expr)))
			if err != nil {
				return nil, err
			}
			out.Rules = append(out.Rules, yamlRule{
				Record: r.record, Alert: r.alert, Expr: expr, For: s.format(r.wait), KeepFiringFor: s.format(r.keep),
				Labels: r.labels, Annotations: r.annotation,
			})
		}
		file.Groups = append(file.Groups, out)
	}
	var b bytes.Buffer
	b.WriteString("# Generated from the Go package in this folder by `make generate`: do not edit by hand.\n")
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(file); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}
