package main

import (
	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
	"github.com/traffic-exporter/traffic_exporter/dashboards/settings"
)

// overview shows at a glance: is the target met, what fails, how slow is it, who sends.
func overview() *board {
	b := newBoard(overviewUID, "Traffic exporter / Overview",
		"All scenarios at a glance: is the target met, are the SLOs, and who sends.",
		[]grafana.Variable{scenarioVariable(), periodVariable(), formVariable()},
		alerts(), overrides(ofScenarios), reloads("job", ofJob))

	b.row("Is it ok?")
	b.overviewStats()
	b.row("Scenarios")
	b.place(24, 7, scenarioTable())
	b.row("Traffic")
	b.place(12, 10, chart("Delivered rate, and target",
		"Requests per second that ended, stacked by scenario. The dashed line is the sum of what the scenarios should send.", perSecond,
		query("{{scenario}}", delivered(ofScenarios, "scenario")),
		query("target", target(ofScenarios, "")),
		stacked, named("target", dashed(quiet)...)))
	b.place(12, 10, chart("Delivered part of the target",
		"Delivered rate over target rate. Below 100 % slots were dropped, or responses take longer than the window.", ratio,
		query("{{scenario}}", over0(delivered(ofScenarios, "scenario"), target(ofScenarios, "scenario"))),
		lines, reaching(1.1)))
	b.row("Target's responses")
	b.place(12, 9, chart("Failure ratio of each scenario",
		"Part of the requests that failed. Failures of the exporter's own (local, denied, canceled) are left out: see the failures by reason.", ratio,
		query("{{scenario}}", failureRatio(ofScenarios, "scenario", "")), lines, reaching(0.01)))
	b.place(12, 9, chart("p99 of each scenario",
		"99 % of the requests took less, from the time at which they were due to the last byte.", seconds,
		query("{{scenario}}", quantile("0.99", "scenario", "traffic_request_duration_seconds", ofScenarios)), withExemplars,
		logarithmic))
	b.place(12, 9, chart("Failures by reason",
		"Failed requests per second, of all scenarios.", perSecond,
		query("{{reason}}", sum("reason", rate(metric("traffic_request_failures_total", ofScenarios)))),
		stacked, reasons))
	b.place(12, 9, burnChart("Error budget burn over 1 h",
		"How fast the error budget is used up: 1 uses it up exactly within the SLO's period. At 14.4, 2 % of a 30-day budget go in an hour.",
		query("{{scenario}}", burn(ofScenarios, "1h"))))
	b.row("Who sends")
	b.place(12, 9, chart("Rate of each replica",
		"Requests per second that each replica sent and that have ended.", perSecond,
		query("{{instance}}", sum("instance", rate(metric("traffic_slots_finished_total", ofScenarios)))), stacked))
	b.place(12, 9, chart("Slots that were not sent",
		"Slots that came due and were dropped, by reason. Other than 0 means that the charts above are of less traffic than intended.", perSecondOf,
		query("{{reason}}", sum("reason", rate(metric("traffic_slots_dropped_total", ofScenarios)))), stacked, drops))
	return b
}

// overviewStats is the first row: each panel settles a question, and green means yes.
func (b *board) overviewStats() {
	b.place(3, 4, stat("Delivered of target", "Delivered rate over target rate, of all scenarios together, over 5 minutes.", ratio,
		query("", deliveredPart(ofScenarios, "")), noValue("paused"), decimals(1), use(partSteps())))
	b.place(3, 4, stat("Least budget left", "Error budget that is left of the SLO's period, of the scenario that has the least.", ratio,
		instantly(least(budgetLeft(ofScenarios))), noValue("no SLO"), decimals(1),
		thresholds(bad, from(0, warning), from(0.25, good))))
	b.place(3, 4, stat("Fastest burn, 1 h", "Error budget burn over the last hour, of the scenario that burns fastest: 1 uses it up exactly within the SLO's period.", multiple,
		query("", maxOf("", burn(ofScenarios, "1h"))), noValue("no SLO"), decimals(1), burnThresholds))
	b.place(3, 4, stat("Failure ratio", "Part of all requests that failed.", ratio,
		query("", failureRatio(ofScenarios, "", "")), noValue("no requests"), decimals(2),
		thresholds(good, from(0.01, warning), from(0.05, bad))))
	b.place(3, 4, stat("p99, slowest scenario", "The highest of the scenarios' 99th percentiles of the duration, from the due time.", seconds,
		query("", maxOf("", quantile("0.99", "scenario", "traffic_request_duration_seconds", ofScenarios))), noValue("no requests"),
		thresholds("blue")))
	b.place(3, 4, stat("Dropped slots", "Part of the slots that came due and were not sent. Other than 0 means that less was sent than intended.", ratio,
		query("", dropRatio(ofScenarios, "")), noValue("none due"), decimals(2), thresholds(good, from(0.0001, warning), from(0.01, bad))))
	b.place(3, 4, stat("Replicas that send", "Replicas that count as members of their fleet and send.", count,
		query("", sum("", metric("traffic_fleet_live", ofJob))), noValue("0"), decimals(0), thresholds(bad, from(1, good))))
	b.place(3, 4, stat("Alerts that fire", "Alerts of traffic_exporter's rules that fire now, at any severity.", count,
		query("", `count(ALERTS{`+settings.MoreMatchers+`alertname=~"Traffic.*", alertstate="firing"}) or vector(0)`), decimals(0), thresholds(good, from(1, bad))))
}

// burnThresholds are the factors of the usual burn rate alerts of a 30-day SLO.
func burnThresholds(p *grafana.Panel) {
	thresholds(good, from(1, warning), from(6, "orange"), from(14.4, bad))(p)
}

// burnChart is a chart of burn rates with the factors of the alerts.
func burnChart(title, description string, options ...option) grafana.Panel {
	return chart(title, description, multiple, append(options, burnThresholds, drawn, lines, reaching(2))...)
}

// scenarioTable has a row for each scenario, which leads to its own dashboard.
func scenarioTable() grafana.Panel {
	const by = "scenario"
	p := table("Scenarios, one by one", "What each scenario should send and does, and how the target does. A scenario without an SLO has no budget. A click leads to the scenario.",
		by, "Scenario", []column{
			{title: "Target", expr: target(ofScenarios, by), unit: perSecond},
			{title: "Delivered", expr: delivered(ofScenarios, by), unit: perSecond},
			{title: "Of target", expr: deliveredPart(ofScenarios, by), unit: ratio, decimals: 1, colors: partSteps()},
			{title: "Failures", expr: failureRatio(ofScenarios, by, ""), unit: ratio, decimals: 2, colors: steps(good, from(0.01, warning), from(0.05, bad))},
			{title: "p50", expr: quantile("0.5", by, "traffic_request_duration_seconds", ofScenarios), unit: seconds},
			{title: "p99", expr: quantile("0.99", by, "traffic_request_duration_seconds", ofScenarios), unit: seconds},
			{title: "SLO latency", expr: maxOf(by, metric("traffic_slo_latency_seconds", ofScenarios)), unit: seconds},
			{title: "SLO", expr: maxOf(by, metric("traffic_slo_objective_ratio", ofScenarios)), unit: ratio, decimals: 2},
			{title: "Burn, 1 h", expr: burn(ofScenarios, "1h"), unit: multiple, decimals: 2, colors: steps(good, from(1, warning), from(6, "orange"), from(14.4, bad))},
			{title: "Budget left", expr: budgetLeft(ofScenarios), unit: ratio, decimals: 1, gauge: true, colors: steps(bad, from(0, warning), from(0.25, good))},
			{title: "Dropped", expr: dropRatio(ofScenarios, by), unit: ratio, decimals: 2, colors: steps(good, from(0.0001, warning), from(0.01, bad))},
			{title: "Overridden", expr: maxOf(by, metric("traffic_override_active", ofScenarios)), unit: flag},
		})
	named("Scenario", grafana.Property{ID: "links", Value: []grafana.FieldLink{{
		Title: "Open the scenario",
		URL:   "/d/" + scenarioUID + "?var-scenario=${__value.raw:percentencode}&${datasource:queryparam}&${cluster:queryparam}&${namespace:queryparam}&${job:queryparam}&${__url_time_range}",
	}}})(&p)
	return p
}
