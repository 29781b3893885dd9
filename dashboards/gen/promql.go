package main

import (
	"strings"

	"github.com/traffic-exporter/traffic_exporter/dashboards/settings"
)

// fleetLabels name a fleet: replicas that agree in these share their rates. Gauges that
// every replica shows of the whole fleet are taken once for each of them.
const fleetLabels = settings.ClusterLabel + ", " + settings.NamespaceLabel + ", job"

// Matchers of the variables.
const (
	ofCluster   = settings.MoreMatchers + settings.ClusterLabel + `=~"$cluster"`
	ofNamespace = ofCluster + `, ` + settings.NamespaceLabel + `=~"$namespace"`
	ofJob       = ofNamespace + `, job=~"$job"`
	ofInstance  = ofJob + `, instance=~"$instance"`

	// Several scenarios, or one. Their histograms are never taken together, since classic
	// buckets differ between scenarios.
	ofScenarios = ofJob + `, scenario=~"$scenario"`
	ofScenario  = ofJob + `, scenario="$scenario"`
	ofRequest   = ofScenario + `, request=~"$request"`
)

// window is the range that rates are taken over: Grafana makes it at least four scrapes
// long.
const window = "$__rate_interval"

// metric selects series. More matchers may follow.
func metric(name, matchers string, more ...string) string {
	return name + "{" + strings.Join(append([]string{matchers}, more...), ", ") + "}"
}

// over is the selector over a range, ago if that is not empty.
func over(selector, window, ago string) string {
	if ago != "" {
		ago = " offset " + ago
	}
	return selector + "[" + window + "]" + ago
}

// rate is the rate of a counter or histogram.
func rate(selector string) string { return rateAgo(selector, "") }

// rateAgo is the rate that there was some time ago.
func rateAgo(selector, ago string) string { return "rate(" + over(selector, window, ago) + ")" }

// sum and maxOf aggregate by labels, or over all series if there are none.
func sum(by, expr string) string   { return aggregate("sum", by, expr) }
func maxOf(by, expr string) string { return aggregate("max", by, expr) }

// least is the smallest value of all.
func least(expr string) string { return aggregate("min", "", expr) }

func aggregate(operation, by, expr string) string {
	if by == "" {
		return operation + "(" + expr + ")"
	}
	return operation + " by (" + by + ") (" + expr + ")"
}

// join lists labels; any may be empty.
func join(labels ...string) string {
	var all []string
	for _, l := range labels {
		if l != "" {
			all = append(all, l)
		}
	}
	return strings.Join(all, ", ")
}

// target is the rate that should have been sent over the window in which the delivered
// one is measured.
func target(of, by string) string { return targetOver(of, by, window) }

func targetOver(of, by, window string) string {
	return sum(by, maxOf(join(fleetLabels, "scenario"), "avg_over_time("+over(metric("traffic_target_rate", of), window, "")+")"))
}

// delivered is the rate that was sent and has ended.
func delivered(of, by string) string { return deliveredAgo(of, by, "") }

func deliveredAgo(of, by, ago string) string { return deliveredOver(of, by, window, ago) }

func deliveredOver(of, by, window, ago string) string {
	return sum(by, "rate("+over(metric("traffic_slots_finished_total", of), window, ago)+")")
}

// deliveredPart is the delivered rate over the target rate, to be judged: over a window
// in which random arrivals scatter less than in that of the charts.
func deliveredPart(of, by string) string {
	const window = "5m"
	return over0(deliveredOver(of, by, window, ""), targetOver(of, by, window))
}

// over0 divides and leaves out divisions by 0: a scenario that is paused has
// no ratio.
func over0(a, b string) string { return a + "\n/\n(" + b + " > 0)" }

// failureRatio is the part of the requests that failed. Failures of our own say nothing
// about the target.
func failureRatio(of, by, ago string) string {
	return over0(
		sum(by, rateAgo(metric("traffic_request_failures_total", of, `reason!~"local|denied|canceled"`), ago)),
		sum(by, rateAgo(metric("traffic_requests_total", of), ago)))
}

// dropRatio is the share of the due slots that were not sent.
func dropRatio(of, by string) string {
	return over0(
		sum(by, rate(metric("traffic_slots_dropped_total", of))),
		sum(by, rate(metric("traffic_slots_due_total", of))))
}

// badRatio is the part of the judged requests of a window that were not good, by
// scenario.
func badRatio(of, window string) string {
	const name = "traffic_slo_requests_total"
	return over0(
		sum("scenario", "rate("+over(metric(name, of, `good="false"`), window, "")+")"),
		sum("scenario", "rate("+over(metric(name, of), window, "")+")"))
}

// burn is how fast the error budget is used up, by scenario: 1 is exactly within the
// SLO's period.
func burn(of, window string) string {
	return "(\n" + badRatio(of, window) + "\n)\n/\n(1 - " + maxOf("scenario", metric("traffic_slo_objective_ratio", of)) + ")"
}

// budgetLeft is the part of the error budget of the SLO's period that is left, by
// scenario.
func budgetLeft(of string) string { return "1 - " + burn(of, "$slo_period") }

// Values of the variable latency_metrics, as it chooses the form of histograms.
const (
	nativeForm  = "-1"
	classicForm = "1"
)

// inForm is an expression over a native histogram, or the same over the classic one:
// that which the variable latency_metrics has chosen.
func inForm(native, classic string) string {
	return onlyIn(nativeForm, native) + "\nor\n" + onlyIn(classicForm, classic)
}

// onlyIn is an expression, or nothing unless the variable latency_metrics is the form.
func onlyIn(form, expr string) string {
	return expr + " and on() (vector($latency_metrics) == " + form + ")"
}

// quantile is a quantile of a histogram in the chosen form.
func quantile(q, by, name, matchers string) string { return quantileAgo(q, by, name, matchers, "") }

func quantileAgo(q, by, name, matchers, ago string) string {
	of := func(name, by string) string {
		return "histogram_quantile(" + q + ", " + sum(by, rateAgo(metric(name, matchers), ago)) + ")"
	}
	return inForm(of(name, by), of(name+"_bucket", join(by, "le")))
}

// spread is the buckets of a histogram, for a heatmap: the native form, then the classic.
func spread(name, matchers string) (native, classic string) {
	return onlyIn(nativeForm, sum("", rate(metric(name, matchers)))),
		onlyIn(classicForm, sum("le", rate(metric(name+"_bucket", matchers))))
}
