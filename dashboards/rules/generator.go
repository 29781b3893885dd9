package rules

import (
	"fmt"
	"strings"
	"time"
)

// generatorAlerts fire when the requests sent are not those that are due.
func generatorAlerts() group {
	return alerts("generator", []alert{
		{
			name: "TrafficGeneratorOverloaded", severity: warning, concern: generator,
			labels: map[string]string{"sign": "late"},
			expr: `
sum without (REPLICA, reason) (rate(traffic_slots_dropped_total{reason="late"}[2m]))
/
sum without (REPLICA) (rate(traffic_slots_due_total[2m]))
> @{lateRatio}`,
			wait:        3 * time.Minute,
			summary:     "The exporter is too busy to send on time: do not trust its latencies.",
			description: "{{ $value | humanizePercentage }} of the requests of scenario {{ $labels.scenario }} are not sent, as the exporter is late for them.",
		},
		{
			name: "TrafficGeneratorOverloaded", severity: warning, concern: generator,
			labels:      map[string]string{"sign": "delay"},
			expr:        `scenario:traffic_send_delay_seconds:p99_rate2m > @{sendDelaySeconds}`,
			wait:        3 * time.Minute,
			summary:     "The exporter is too busy to send on time: do not trust its latencies.",
			description: "One in a hundred requests of scenario {{ $labels.scenario }} is sent {{ $value | humanizeDuration }} after it was due, or later still.",
		},
		{
			name: "TrafficSlotsDropped", severity: warning, concern: delivery,
			expr: `
(
  sum without (REPLICA) (rate(traffic_slots_dropped_total{reason=~"in_flight|rate_cap"}[5m]))
/ ignoring (reason) group_left ()
  sum without (REPLICA) (rate(traffic_slots_due_total[5m]))
> @{droppedRatio}
)
and ignoring (reason)
` + sending,
			wait:        10 * time.Minute,
			summary:     "A limit of a scenario keeps requests from being sent.",
			description: "{{ $value | humanizePercentage }} of the requests of scenario {{ $labels.scenario }} are not sent because of the limit {{ $labels.reason }}.",
		},
		{
			name: "TrafficRateShort", severity: warning, concern: delivery,
			expr:        "\n(" + strings.Join(short(), "\nor") + "\n)\nand\n" + sending,
			wait:        15 * time.Minute,
			summary:     "The fleet sends less than it should.",
			description: "Scenario {{ $labels.scenario }} gets {{ $value | humanizePercentage }} of its target rate.",
		},
		{
			name: "TrafficBackOff", severity: warning, concern: delivery,
			expr: `
min without (REPLICA) (traffic_back_off_ratio) < 1
and
` + sending,
			wait:        5 * time.Minute,
			summary:     "A scenario spares its target, which responds with errors.",
			description: "Scenario {{ $labels.scenario }} sends {{ $value | humanizePercentage }} of its target rate, as too many of its requests fail.",
		},
		{
			name: "TrafficLocalFailures", severity: warning, concern: generator,
			expr: `
(
  sum without (REPLICA, request) (rate(traffic_request_failures_total{reason=~"local|denied"}[5m]))
/ ignoring (reason) group_left ()
  sum without (REPLICA, request, code) (rate(traffic_requests_total[5m]))
> @{localFailureRatio}
)
and ignoring (reason)
` + sending,
			wait:        5 * time.Minute,
			summary:     "Requests fail because of the exporter's own machine or configuration.",
			description: "{{ $value | humanizePercentage }} of the requests of scenario {{ $labels.scenario }} fail for the reason {{ $labels.reason }}, which is no fault of the target.",
		},
		{
			name: "TrafficLocalFailures", severity: warning, concern: generator, labels: map[string]string{"pace": "slow"},
			expr:        fruitless(`count_over_time((scenario:traffic_request_own_failures:rate5m > 0)[WINDOW:5m]) >= 3`),
			wait:        5 * time.Minute,
			summary:     "Requests fail because of the exporter's own machine or configuration.",
			description: "No request of scenario {{ $labels.scenario }}, which sends few, has succeeded lately, and at least three have failed for the reason {{ $labels.reason }}, which is no fault of the target.",
		},
		{
			name: "TrafficJourneysWithheld", severity: warning, concern: generator,
			expr: `
(
  sum without (REPLICA, request, kind) (rate(traffic_requests_withheld_total{kind="step"}[10m]))
/ ignoring (reason) group_left
  sum without (REPLICA) (rate(traffic_slots_finished_total[10m]))
> @{withheldRatio}
)
and ignoring (reason)
` + sending,
			wait:        5 * time.Minute,
			summary:     "Journeys end since their next request may not be sent.",
			description: "{{ $value | humanizePercentage }} of the journeys of scenario {{ $labels.scenario }} end since a step finds no room: {{ $labels.reason }}.",
		},
		{
			name: "TrafficDNSFailing", severity: warning, concern: generator,
			// Two failures at least, and more than a quarter: one packet that is lost is not
			// worth a call, and resolvers are asked seldom.
			expr: `
(
  (
    sum without (REPLICA) (rate(traffic_dns_failures_total[10m]))
  / ignoring (phase)
    (
      histogram_count(sum without (REPLICA) (rate(traffic_connect_phase_seconds{phase="dns"}[10m])))
    or
      sum without (REPLICA) (rate(traffic_connect_phase_seconds_count{phase="dns"}[10m]))
    )
  > @{dnsFailureRatio}
  and
    sum without (REPLICA) (increase(traffic_dns_failures_total[10m])) >= 1.5
  )
or
  (
    sum without (REPLICA) (rate(traffic_dns_outdated_connections_total[10m]))
  /
    sum without (REPLICA, protocol) (rate(traffic_connections_opened_total[10m]))
  > @{dnsFailureRatio}
  )
)
and
` + sending,
			wait:        2 * time.Minute,
			summary:     "The names of a scenario's targets cannot be resolved.",
			description: "{{ $value | humanizePercentage }} of what scenario {{ $labels.scenario }} asks of DNS fails, or of its connections go to addresses that are outdated. Requests fail when the grace is over.",
		},
		{
			name: "TrafficScenarioSilent", severity: warning, concern: delivery,
			// A replica that does not send is missed by TrafficRateShort only if it has a good
			// share, and by no counter: what nobody takes is not counted.
			expr:        `max without (REPLICA) (traffic_silent_seconds) > @{silentSeconds}`,
			wait:        time.Minute,
			summary:     "A replica does not send a scenario, though its requests are due.",
			description: "The sending of scenario {{ $labels.scenario }} has hung for {{ $value | humanizeDuration }} on a replica.",
		},
		{
			name: "TrafficFilesStale", severity: warning, concern: generator,
			expr:        `sum without (REPLICA) (increase(traffic_file_reload_failures_total[5m])) > 1`,
			wait:        10 * time.Minute,
			summary:     "Credentials or certificates cannot be read again: the last good ones are in use.",
			description: "A file with a credential or certificates of scenario {{ $labels.scenario }} is away, makes no sense or does not respond. Requests fail when the last good ones expire.",
		},
		{
			name: "TrafficSessionsFailing", severity: warning, concern: delivery,
			// More attempts that fail than that succeed, and not one alone: back-off is a minute at most.
			expr: `
(
  sum without (REPLICA) (increase(traffic_session_failures_total[10m]))
/
  (
    sum without (REPLICA) (increase(traffic_session_failures_total[10m]))
  +
    sum without (REPLICA) (increase(traffic_session_renewals_total[10m]))
  )
> @{sessionFailureRatio}
and
  sum without (REPLICA) (increase(traffic_session_failures_total[10m])) >= 3
)
and
` + sending,
			wait:        5 * time.Minute,
			summary:     "The token or the sessions of a scenario cannot be renewed.",
			description: "{{ $value | humanizePercentage }} of the attempts to obtain tokens or sessions for scenario {{ $labels.scenario }} fail. Slots are dropped when the last good ones end.",
		},
		{
			name: "TrafficFollowStale", severity: warning, concern: delivery,
			expr:        `time() - max without (REPLICA) (traffic_follow_last_success_timestamp_seconds) > @{followStaleSeconds}`,
			wait:        5 * time.Minute,
			summary:     "The rate that a scenario follows is not found.",
			description: "No rate has been found for scenario {{ $labels.scenario }} for more than @{followStaleSeconds} seconds. The last one holds for a while, then the rate is that of otherwise in the file.",
		},
		{
			name: "TrafficOverrideForgotten", severity: info, concern: delivery,
			expr:        `max without (REPLICA) (traffic_override_active) == 1`,
			wait:        12 * time.Hour,
			summary:     "The rate of a scenario is still overridden.",
			description: "Scenario {{ $labels.scenario }} has had another rate than its file's for @{for}.",
		},
	})
}

// enough is how many requests a window has to hold before missing ones are significant: 3
// standard deviations of as many Poisson arrivals are 15 % of them.
const enough = 400

// short returns what holds where less is sent than should be, over a window that follows
// the rate: the shortest that holds enough requests. The lowest target within it counts,
// so that no shape can make that too much. Slots that back-off holds back have their own
// alert.
func short() []string {
	var all []string
	slower := ""
	for _, window := range []string{"10m", "2h", "1d"} {
		condition := slower
		if window != "10m" {
			condition += "\n  and\n    present_over_time(scenario:traffic_target_rate:max[1h] offset " + window + ")"
		}
		if window != "1d" {
			condition += fmt.Sprintf("\n  and\n    scenario:traffic_target_rate:max * %s >= %d", window, enough)
		}
		all = append(all, strings.NewReplacer("WINDOW", window, "CONDITION", condition).Replace(`
  (
    (
      sum without (REPLICA) (rate(traffic_slots_finished_total[WINDOW]))
    +
      sum without (REPLICA, reason) (rate(traffic_slots_dropped_total{reason=~"back_off|daily_limit"}[WINDOW]))
    )
    /
    (min_over_time(scenario:traffic_target_rate:max[WINDOW]) > 0)
  <
    clamp_max(1 - 3 / sqrt(min_over_time(scenario:traffic_target_rate:max[WINDOW]) * WINDOW), @{rateShortRatio})CONDITION
  )`))
		slower = fmt.Sprintf("\n  and\n    scenario:traffic_target_rate:max * %s < %d", window, enough)
	}
	return all
}
