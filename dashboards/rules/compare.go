package rules

import (
	"fmt"
	"strings"
	"time"
)

// comparedQuantile is a quantile of the alert on a slower candidate, with how many pairs make it precise enough: for
// exponentially distributed latencies the ratio of two p99 of 3,000 strays by 6 %, and that of two medians of 500 by 9 %.
type comparedQuantile struct {
	q     float64
	pairs string
}

func comparedQuantiles() []comparedQuantile { return []comparedQuantile{{0.5, "500"}, {0.99, "3000"}} }

// compared names the recorded quantile of the durations of pairs, by side.
func compared(q float64) string {
	return fmt.Sprintf("request:traffic_compare_duration_seconds:p%v_rate30m", q*100)
}

// comparedDurations records quantiles of the requests that both targets got.
func comparedDurations() []rule {
	var rules []rule
	for _, c := range comparedQuantiles() {
		rules = append(rules, rule{record: compared(c.q), expr: strings.ReplaceAll(`
(
  histogram_quantile(Q, sum without (REPLICA) (rate(traffic_compare_duration_seconds[30m])))
or
  histogram_quantile(Q, sum without (REPLICA) (rate(traffic_compare_duration_seconds_bucket[30m])))
)
>= 0`, "Q", fmt.Sprint(c.q))})
	}
	return rules
}

const mismatch = `
(
  sum without (REPLICA, result) (rate(traffic_compare_requests_total{result!~"same|base_failed"}[10m]))
/
  sum without (REPLICA, result) (rate(traffic_compare_requests_total{result!="base_failed"}[10m]))
> @{compareMismatchRatio}
and
  sum without (REPLICA, result) (increase(traffic_compare_requests_total{result!~"same|base_failed"}[10m])) >= 3
)
and ignoring (request)
` + sending

const slower = `
(
    METRIC{side="candidate"}
  / ignoring (side)
    METRIC{side="base"}
  > @{compareSlowerFactor}
and
  (METRIC{side="candidate"} - ignoring (side) METRIC{side="base"} > @{compareSlowerSeconds})
and
  sum without (REPLICA, result) (increase(traffic_compare_requests_total{result!="base_failed"}[30m])) >= PAIRS
)
and ignoring (request)
` + sending

// compareAlerts fire when a candidate does something else than the scenario's own target, or takes longer.
func compareAlerts() []alert {
	list := []alert{{
		name: "TrafficCompareMismatch", severity: warning, concern: errors, expr: mismatch, wait: 5 * time.Minute, keep: 10 * time.Minute,
		summary:     "A candidate's responses differ.",
		description: "{{ $value | humanizePercentage }} of the responses of the candidate to {{ $labels.request }} of scenario {{ $labels.scenario }} differ from those of its own target.",
	}}
	for _, c := range comparedQuantiles() {
		list = append(list, alert{
			name: "TrafficCompareSlower", severity: warning, concern: latency, wait: 5 * time.Minute, keep: 10 * time.Minute,
			labels:      map[string]string{"quantile": fmt.Sprint(c.q)},
			expr:        strings.NewReplacer("METRIC", compared(c.q), "PAIRS", c.pairs).Replace(slower),
			summary:     "A candidate is slower.",
			description: fmt.Sprintf("For half an hour the p%v of the candidate's responses to {{ $labels.request }} of scenario {{ $labels.scenario }} has been {{ $value | humanize }} times that of its own target, for the same requests.", c.q*100),
		})
	}
	return list
}
