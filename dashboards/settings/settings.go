// Package settings holds the settings of the rules and of the dashboards, which need no editing of Go: thresholds, a
// selector, and names of labels. Rules and dashboards write a placeholder for each; their files in dashboards/ have the
// defaults in its place, and the mixin and the Helm chart the user's values.
package settings

import (
	"fmt"
	"strconv"
	"strings"
)

// Placeholders are no PromQL, so any check of the rules finds a forgotten one.
const (
	// Matchers stands for the selector after a metric without matchers: {job="x"}, or nothing by default.
	Matchers = "@{matchers}"
	// MoreMatchers stands for the selector before other matchers: job="x" and a comma, or nothing by default.
	MoreMatchers = "@{matchers,}"
	// ReplicaLabels stands for the labels that distinguish replicas of a fleet, separated by commas.
	ReplicaLabels = "@{replicaLabels}"
	// ClusterLabel and NamespaceLabel stand for the names of labels that distinguish fleets.
	ClusterLabel   = "@{clusterLabel}"
	NamespaceLabel = "@{namespaceLabel}"
	// For stands for the time that an alert waits, in its own annotations.
	For = "@{for}"
)

// Threshold is a number that alerts compare with.
type Threshold struct {
	// Name is in the style of Helm values and of Jsonnet fields. Its last word is the unit: Ratio is a share of 1.
	Name    string
	Default float64
	// Doc is a sentence that names the alert and the value compared with the threshold.
	Doc string
}

// Thresholds returns all thresholds, in the order of the rules.
func Thresholds() []Threshold {
	return []Threshold{
		{"checkFailureRatio", 0.05, "TrafficCheckFailing: the share of the responses to a request that fail a check."},
		{"burn1hFactor", 14.4, "TrafficErrorBudgetBurn and TrafficLatencyBudgetBurn over 1h: how many times faster than the objective allows the error budget is used up."},
		{"burn6hFactor", 6, "The same over 6h."},
		{"burn1dFactor", 3, "The same over 1d."},
		{"burn3dFactor", 1, "The same over 3d."},
		{"latencyRegressionFactor", 1.25, "TrafficLatencyRegression: how many times slower than a day or a week ago a quantile is."},
		{"latencyRegressionSeconds", 0.005, "TrafficLatencyRegression: how many seconds slower it is at least."},
		{"errorRegressionFactor", 2, "TrafficErrorRegression: how many times as many requests fail as a day or a week ago."},
		{"errorRegressionRatio", 0.01, "TrafficErrorRegression: how much larger the share of the failed requests is at least."},
		{"compareMismatchRatio", 0.01, "TrafficCompareMismatch: the share of the candidate's responses that differ."},
		{"compareSlowerFactor", 1.25, "TrafficCompareSlower: how many times slower the candidate is."},
		{"compareSlowerSeconds", 0.005, "TrafficCompareSlower: how many seconds slower it is at least."},
		{"lateRatio", 0.01, "TrafficGeneratorOverloaded: the share of the slots that are dropped because the exporter is late."},
		{"sendDelaySeconds", 0.025, "TrafficGeneratorOverloaded: the p99 of the exporter's own delay, in seconds."},
		{"droppedRatio", 0.01, "TrafficSlotsDropped: the share of the slots that a limit drops."},
		{"rateShortRatio", 0.95, "TrafficRateShort: the share of its target rate below which a scenario is short. Small rates are allowed more, since random arrivals scatter."},
		{"localFailureRatio", 0.01, "TrafficLocalFailures: the share of the requests that fail because of the exporter's own machine or configuration."},
		{"withheldRatio", 0.01, "TrafficJourneysWithheld: the share of the journeys that end because a step is withheld."},
		{"dnsFailureRatio", 0.25, "TrafficDNSFailing: the share of the lookups that fail, or of the connections that go to outdated addresses."},
		{"silentSeconds", 5, "TrafficScenarioSilent: how many seconds a replica's sending of a scenario has hung."},
		{"sessionFailureRatio", 0.5, "TrafficSessionsFailing: the share of the attempts to obtain tokens or sessions that fail."},
		{"followStaleSeconds", 600, "TrafficFollowStale: the age of the last rate found, in seconds."},
		{"clockSkewSeconds", 0.5, "TrafficClockSkew: how many seconds a replica's clock is off."},
	}
}

// Placeholder returns the placeholder of a threshold.
func (t Threshold) Placeholder() string { return "@{" + t.Name + "}" }

// Value returns the default as PromQL and YAML write it.
func (t Threshold) Value() string { return strconv.FormatFloat(t.Default, 'g', -1, 64) }

// Label is a name of a label that may be set, or a list of such names.
type Label struct{ Placeholder, Default string }

// Labels returns all names of labels.
func Labels() []Label {
	return []Label{
		{ReplicaLabels, "instance, pod, node"},
		{ClusterLabel, "cluster"},
		{NamespaceLabel, "namespace"},
	}
}

// Fill replaces all placeholders by their defaults, and For by the time that an alert waits. It fails on an
// unknown one.
func Fill(text, wait string) (string, error) {
	pairs := []string{Matchers, "", MoreMatchers, "", For, wait}
	for _, l := range Labels() {
		pairs = append(pairs, l.Placeholder, l.Default)
	}
	for _, t := range Thresholds() {
		pairs = append(pairs, t.Placeholder(), t.Value())
	}
	filled := strings.NewReplacer(pairs...).Replace(text)
	if _, rest, found := strings.Cut(filled, "@{"); found {
		name, _, _ := strings.Cut(rest, "}")
		return "", fmt.Errorf("there is no setting %q", name)
	}
	return filled, nil
}
