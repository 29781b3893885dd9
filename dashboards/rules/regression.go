package rules

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

// past is a time that the present is compared with.
type past struct{ name, offset, words string }

func pasts() []past {
	return []past{{"day", "1d", "a day ago"}, {"week", "1w", "a week ago"}}
}

// alike holds where the target rate is what it was, within a fifth, and not paused: a
// scenario that sends more than it did may be slower. Windows of half an hour that lie
// whole days apart see the same part of any shape that repeats daily or more often.
const alike = `
(abs(avg_over_time(scenario:traffic_target_rate:max[30m]) / avg_over_time(scenario:traffic_target_rate:max[30m] offset PAST) - 1) < 0.2)
and
` + sending

// noise is three standard deviations of the values recorded then, estimated from its
// quartiles, which a few outliers do not move.
const noise = `3 / 1.349 * (
      quantile_over_time(0.75, METRIC[30m] offset PAST)
    -
      quantile_over_time(0.25, METRIC[30m] offset PAST)
    )`

// medians compare the median of half an hour with that of another one: what lasts for
// less than a quarter of an hour does not show.
const (
	now  = `quantile_over_time(0.5, METRIC[30m])`
	then = `quantile_over_time(0.5, METRIC[30m] offset PAST)`
)

const latencyRegression = `
(
    ` + now + `
  /
    ` + then + `
  > @{latencyRegressionFactor}
)
and
(` + now + ` - ` + then + ` > @{latencyRegressionSeconds})
and
(
    ` + now + ` - ` + then + `
  >
    ` + noise + `
)
and
sum without (REPLICA, request, code) (increase(traffic_requests_total[30m])) >= REQUESTS
and` + alike

const errorRegression = `
(` + now + ` > @{errorRegressionFactor} * ` + then + `)
and
(` + now + ` - ` + then + ` > @{errorRegressionRatio})
and
(
    ` + now + ` - ` + then + `
  >
    ` + noise + `
)
and
sum without (REPLICA, request, reason) (increase(traffic_request_failures_total{reason!~"OURS"}[30m])) >= 20
and` + alike

// regressionAlerts fire when a scenario is worse than before, with an SLO or without.
func regressionAlerts() group {
	var list []alert
	for _, p := range pasts() {
		common := alert{severity: warning, wait: 5 * time.Minute, keep: 10 * time.Minute, labels: map[string]string{"baseline": p.name}}
		// A hundred slower than the quantile make it, roughly, as precise as is asked for.
		for _, q := range []struct {
			q        float64
			requests string
		}{{0.5, "100"}, {0.99, "1000"}} {
			a := common
			a.labels = maps.Clone(common.labels)
			a.labels["quantile"] = fmt.Sprint(q.q)
			a.name, a.concern = "TrafficLatencyRegression", latency
			a.expr = strings.NewReplacer("METRIC", successes(q.q), "PAST", p.offset, "REQUESTS", q.requests).Replace(latencyRegression)
			a.summary = "A scenario is slower than it was."
			a.description = fmt.Sprintf("For half an hour the p%v of the successful requests of scenario {{ $labels.scenario }} has been {{ $value | humanize }} times what it was %s, at the same rate.", q.q*100, p.words)
			list = append(list, a)
		}
		a := common
		a.name, a.concern = "TrafficErrorRegression", errors
		a.expr = strings.NewReplacer("METRIC", "scenario:traffic_request_failures_per_requests:ratio_rate5m", "PAST", p.offset).Replace(errorRegression)
		a.summary = "More requests of a scenario fail than did."
		a.description = fmt.Sprintf("For half an hour {{ $value | humanizePercentage }} of the requests of scenario {{ $labels.scenario }} have failed, more than @{errorRegressionFactor} times as many as %s, at the same rate.", p.words)
		list = append(list, a)
	}
	list = append(list, compareAlerts()...)
	return alerts("regression", list)
}
