package rules

import (
	"fmt"
	"strings"
	"time"
)

// every is how often rules are evaluated.
const every = 30 * time.Second

// recording returns what dashboards and several alerts have in common.
func recording() group {
	rules := []rule{
		{record: "scenario:traffic_target_rate:max", expr: `max without (REPLICA) (traffic_target_rate)`},
		{record: "scenario:traffic_slo_objective_ratio:max", expr: `max without (REPLICA) (traffic_slo_objective_ratio)`},
		{record: "scenario:traffic_requests:rate5m", expr: `sum without (REPLICA, request, code) (rate(traffic_requests_total[5m]))`},
		{record: "scenario:traffic_request_failures:rate5m", expr: `sum without (REPLICA, request, reason) (rate(traffic_request_failures_total{reason!~"OURS"}[5m]))`},
		{record: "scenario:traffic_request_own_failures:rate5m", expr: `sum without (REPLICA, request) (rate(traffic_request_failures_total{reason=~"local|denied"}[5m]))`},
		// Comparisons with 0 drop values that are not a number, as there was nothing to divide by:
		// quantiles over time would take it for a very small value.
		{record: "scenario:traffic_request_failures_per_requests:ratio_rate5m", expr: `
scenario:traffic_request_failures:rate5m
/
(
  scenario:traffic_requests:rate5m
-
  sum without (REPLICA, request, reason) (rate(traffic_request_failures_total{reason=~"OURS"}[5m]))
)
>= 0`},
		{record: "scenario:traffic_slots_finished_per_target_rate:ratio_rate5m", expr: `
sum without (REPLICA) (rate(traffic_slots_finished_total[5m]))
/
(max without (REPLICA) (avg_over_time(traffic_target_rate[5m])) > 0)`},
		{record: "scenario:traffic_send_delay_seconds:p99_rate2m", expr: quantile(0.99, "traffic_send_delay_seconds", "", "2m")},
		// Counted by histograms, whose series are there before the first request: that of a
		// code is not, so that a counter's first success would be missed.
		{record: "scenario:traffic_request_successes:rate5m", expr: `
histogram_count(sum without (REPLICA, request, outcome) (rate(traffic_request_duration_seconds{outcome="success"}[5m])))
or
sum without (REPLICA, request, outcome) (rate(traffic_request_duration_seconds_count{outcome="success"}[5m]))`},
		{record: replicas, expr: `count without (REPLICA, BUILD) (traffic_exporter_build_info)`},
	}
	for _, q := range []float64{0.5, 0.9, 0.99} {
		rules = append(rules, rule{
			record: fmt.Sprintf("scenario:traffic_request_duration_seconds:p%v_rate5m", q*100),
			expr:   quantile(q, "traffic_request_duration_seconds", "", "5m"),
		})
	}
	// Of successes alone: what fails after a timeout is no slow response, and counts as a
	// failure.
	for _, q := range []float64{0.5, 0.99} {
		rules = append(rules, rule{record: successes(q), expr: quantile(q, "traffic_request_duration_seconds", `{outcome="success"}`, "5m")})
	}
	rules = append(rules, comparedDurations()...)
	return group{name: "traffic-exporter-recording", interval: every, rules: rules}
}

// replicas names the recorded number of replicas of a job that are scraped.
const replicas = "job:traffic_exporter_build_info:count"

// successes names the recorded quantile of the successes' durations.
func successes(q float64) string {
	return fmt.Sprintf("scenario:traffic_request_duration_seconds:success_p%v_rate5m", q*100)
}

// quantile returns the quantile of a histogram over replicas and requests, from its
// native form where that is scraped and else from its classic one.
func quantile(q float64, metric, selector, window string) string {
	return strings.NewReplacer("Q", fmt.Sprint(q), "METRIC", metric, "SELECTOR", selector, "WINDOW", window).Replace(`
(
  histogram_quantile(Q, sum without (REPLICA, request, outcome) (rate(METRICSELECTOR[WINDOW])))
or
  histogram_quantile(Q, sum without (REPLICA, request, outcome) (rate(METRIC_bucketSELECTOR[WINDOW])))
)
>= 0`)
}

// objectives returns the parts of the requests that missed the SLO, and that failed,
// over the windows of the alerts on burn rates.
func objectives() group {
	g := group{name: "traffic-exporter-slo", interval: every}
	for _, window := range []string{"5m", "30m", "1h", "2h", "6h", "1d", "3d"} {
		g.rules = append(
			g.rules,
			rule{record: badRatio(window), expr: strings.ReplaceAll(`
sum without (REPLICA, request, good) (rate(traffic_slo_requests_total{good="false"}[WINDOW]))
/
sum without (REPLICA, request, good) (rate(traffic_slo_requests_total[WINDOW]))
>= 0`, "WINDOW", window)},
			rule{record: failedRatio(window), expr: strings.ReplaceAll(`
sum without (REPLICA, request, reason) (rate(traffic_request_failures_total{reason!~"OURS"}[WINDOW]))
/
sum without (REPLICA, request, good) (rate(traffic_slo_requests_total[WINDOW]))
>= 0`, "WINDOW", window)},
		)
	}
	return g
}

// badRatio and failedRatio name the recorded ratios over a window.
func badRatio(window string) string {
	return "scenario:traffic_slo_bad_per_requests:ratio_rate" + window
}

func failedRatio(window string) string {
	return "scenario:traffic_slo_failed_per_requests:ratio_rate" + window
}
