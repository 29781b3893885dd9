package rules

import (
	"fmt"
	"strings"
	"time"
)

// burn is a pair of windows. Over both, the error budget has to burn at least
// as many times faster than it may as a threshold says: the long one shows that it matters, the short one
// that it still goes on. The table is that of the Site Reliability Workbook for an
// objective over 30 days. All but the first wait until there is as much history as they
// speak of: the troubles of a scenario's first hours are not those of its days.
type burn struct {
	severity, long, short string
	wait                  time.Duration
}

func burns() []burn {
	return []burn{
		{critical, "1h", "5m", 2 * time.Minute},
		{critical, "6h", "30m", 15 * time.Minute},
		{warning, "1d", "2h", time.Hour},
		{warning, "3d", "6h", 3 * time.Hour},
	}
}

// targetAlerts fire when the target misses its objectives.
func targetAlerts() group {
	list := []alert{{
		name: "TrafficTargetDown", severity: critical, concern: errors,
		expr: `
scenario:traffic_request_failures_per_requests:ratio_rate5m > 0.999
and
sum without (REPLICA, request, reason) (increase(traffic_request_failures_total{reason!~"OURS"}[5m])) >= 3
and
` + sending,
		wait:        time.Minute,
		summary:     "No request of a scenario succeeds.",
		description: "All requests of scenario {{ $labels.scenario }} have failed for at least 5 minutes.",
	}, {
		name: "TrafficTargetDown", severity: critical, concern: errors, labels: map[string]string{"pace": "slow"},
		expr: fruitless(`count_over_time((scenario:traffic_request_failures:rate5m > 0)[WINDOW:5m]) >= 3
  and
    min_over_time(scenario:traffic_request_failures_per_requests:ratio_rate5m[WINDOW]) > 0.9`),
		wait:        time.Minute,
		summary:     "No request of a scenario succeeds.",
		description: "All requests of scenario {{ $labels.scenario }}, which sends few, have failed lately, at least three of them.",
	}}
	list = append(list, alert{
		name: "TrafficCheckFailing", severity: warning, concern: errors,
		expr: `
(
  sum without (REPLICA) (rate(traffic_check_failures_total[10m]))
/ ignoring (check) group_left
  sum without (REPLICA, code) (rate(traffic_requests_total[10m]))
> @{checkFailureRatio}
and
  sum without (REPLICA) (increase(traffic_check_failures_total[10m])) >= 3
)
and ignoring (request, check)
` + sending,
		wait:        5 * time.Minute,
		summary:     "Responses are not what a check expects.",
		description: "{{ $value | humanizePercentage }} of the responses to {{ $labels.request }} of scenario {{ $labels.scenario }} fail the check {{ $labels.check }}.",
	})
	for _, b := range burns() {
		list = append(list, b.alerts()...)
	}
	return alerts("target", list)
}

// fruitless returns, for scenarios that send less than ten requests in five minutes, what
// holds over windows in which requests failed and none succeeded. What failed says an
// expression: it should be something in three of the window's five minutes at least. A
// window in which the scenario was paused does not count, so that what failed before that
// is no reason to call after it.
func fruitless(failed string) string {
	var all []string
	for _, window := range []string{"30m", "1h", "2h", "6h", "1d", "3d"} {
		all = append(all, strings.ReplaceAll(`
  (
    `+failed+`
  unless ignoring (reason)
    max_over_time(scenario:traffic_request_successes:rate5m[WINDOW]) > 0
  unless ignoring (reason)
    min_over_time(scenario:traffic_target_rate:max[WINDOW]) == 0
  )`, "WINDOW", window))
	}
	return "\n(" + strings.Join(all, "\nor") + "\n)\nand ignoring (reason)\nscenario:traffic_target_rate:max * 5m < 10\nand ignoring (reason)\n" + sending
}

// alerts returns the pair's two alerts. What burns the budget is the bad requests
// together, so that failures and slowness that are each too little are not missed when
// they come together; an alert is named after what makes up at least a third of them
// now. So one of the two names holds all the time, and both where both matter.
func (b burn) alerts() []alert {
	expr := func(share string) string {
		return strings.NewReplacer(
			"BAD_LONG", badRatio(b.long), "BAD", badRatio(b.short), "FAILED", failedRatio(b.short),
			"FACTOR", "@{burn"+b.long+"Factor}", "LONG", b.long, "SHARE", share,
		).Replace(`
(
  BAD_LONG / (1 - scenario:traffic_slo_objective_ratio:max) > FACTOR
and
  BAD / (1 - scenario:traffic_slo_objective_ratio:max) > FACTOR
)
and
SHARE
and
sum without (REPLICA, request, good) (increase(traffic_slo_requests_total{good="false"}[LONG])) >= 10
and
` + b.history() + sending)
	}
	share := func(s string) string {
		return strings.NewReplacer("BAD", badRatio(b.short), "FAILED", failedRatio(b.short)).Replace(s)
	}
	common := alert{severity: b.severity, labels: map[string]string{"long": b.long, "short": b.short}, wait: b.wait}
	failures, slow := common, common
	failures.name, failures.concern = "TrafficErrorBudgetBurn", errors
	failures.expr = expr(share("FAILED > BAD / 3"))
	failures.summary = "Failed requests use up the error budget of a scenario."
	failures.description = description(b, "Failed requests are at least a third of them.")
	slow.name, slow.concern = "TrafficLatencyBudgetBurn", latency
	slow.expr = expr(share("BAD - FAILED > BAD / 3"))
	slow.summary = "Slow requests use up the error budget of a scenario."
	slow.description = description(b, "Requests with the expected response, but slower than the SLO's latency, are at least a third of them.")
	return []alert{failures, slow}
}

// history holds where there was an objective when the long window began.
func (b burn) history() string {
	if b.long == "1h" {
		return ""
	}
	return "present_over_time(scenario:traffic_slo_objective_ratio:max[1h] offset " + b.long + ")\nand\n"
}

func description(b burn, kind string) string {
	return fmt.Sprintf("Over the last %s and the last %s scenario {{ $labels.scenario }} has missed its SLO {{ $value | humanize }} times as often as its objective allows for. ", b.long, b.short) + kind
}
