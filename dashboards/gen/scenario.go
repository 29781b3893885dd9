package main

import "github.com/traffic-exporter/traffic_exporter/dashboards/grafana"

// Names of series that stand for a time in the past, and of the one beside them.
const (
	now       = "now"
	yesterday = "yesterday"
	lastWeek  = "a week ago"
)

// scenario shows one scenario in all detail.
func scenario() *board {
	chosen := scenarioVariable()
	chosen.Multi, chosen.IncludeAll, chosen.AllValue, chosen.Current = false, false, "", nil
	b := newBoard(scenarioUID, "Traffic exporter / Scenario",
		"One scenario in detail: latency, failures, SLO, connections, slots, and how it was yesterday and a week ago.",
		[]grafana.Variable{
			chosen,
			labelVariable("request", "Request", metric("traffic_requests_total", ofScenario), "request", ".+"),
			periodVariable(), formVariable(),
		},
		alerts(`scenario=~"$scenario|"`), overrides(ofScenario), reloads("job", ofJob))

	b.row("Is it ok?")
	b.scenarioStats()
	b.row("Latency")
	b.latency()
	b.row("Failures")
	b.failures()
	b.row("Journeys")
	b.journeys()
	b.row("Tokens, sessions and descriptors")
	b.sessions()
	b.row("Comparison with a candidate")
	b.candidate()
	b.row("SLO and traffic")
	b.traffic()
	b.row("Connections")
	b.connections()
	b.row("Slots")
	b.slots()
	return b
}

// compare queries the same of now, yesterday and a week ago.
func compare(expr func(ago string) string) option {
	return func(p *grafana.Panel) {
		for _, o := range []option{
			query(now, expr("")), query(yesterday, expr("1d")), query(lastWeek, expr("1w")),
			named(now, colored("blue")), named(yesterday, dashed("light-purple")...), named(lastWeek, dashed(quiet)...),
		} {
			o(p)
		}
	}
}

func (b *board) scenarioStats() {
	b.place(3, 4, stat("Delivered rate", "Requests per second that ended.", perSecond,
		query("", delivered(ofScenario, "")), thresholds("blue")))
	b.place(3, 4, stat("Delivered of target", "Delivered rate over target rate, over 5 minutes. Poisson arrivals at low rates scatter.", ratio,
		query("", deliveredPart(ofScenario, "")), noValue("paused"), decimals(1), use(partSteps())))
	b.place(3, 4, stat("Budget left", "Error budget that is left of the SLO's period.", ratio,
		instantly(sum("", budgetLeft(ofScenario))), noValue("no SLO"), decimals(1),
		thresholds(bad, from(0, warning), from(0.25, good))))
	b.place(3, 4, stat("Burn, 1 h", "Error budget burn over the last hour: 1 uses it up exactly within the SLO's period.", multiple,
		query("", sum("", burn(ofScenario, "1h"))), noValue("no SLO"), decimals(2), burnThresholds))
	b.place(3, 4, stat("Failure ratio", "Part of the requests that failed.", ratio,
		query("", failureRatio(ofRequest, "", "")), noValue("no requests"), decimals(2),
		thresholds(good, from(0.01, warning), from(0.05, bad))))
	b.place(3, 4, stat("p50", "Half of the requests took less, from the due time.", seconds,
		query("", quantile("0.5", "", "traffic_request_duration_seconds", ofRequest)), noValue("no requests"), thresholds("blue")))
	b.place(3, 4, stat("p99", "99 % of the requests took less, from the due time.", seconds,
		query("", quantile("0.99", "", "traffic_request_duration_seconds", ofRequest)), noValue("no requests"), thresholds("blue")))
	b.place(3, 4, stat("Dropped slots", "Part of the slots that came due and were not sent.", ratio,
		query("", dropRatio(ofScenario, "")), noValue("none due"), decimals(2), thresholds(good, from(0.0001, warning), from(0.01, bad))))
}

func (b *board) latency() {
	const duration, service = "traffic_request_duration_seconds", "traffic_request_service_seconds"
	b.place(12, 12, heatmap("Duration of requests",
		"How many requests took how long, from the due time to the last byte. Dots are exemplars: they lead to the traces of single requests, if the data source knows where those are.",
		buckets(duration, ofRequest)))
	b.place(12, 12, chart("Duration and service time",
		"Solid: from the due time, as a user would have waited. Dashed: from the actual send. Where they part, the generator was late, see the send delay. The red line is the SLO's latency.", seconds,
		query("p50", quantile("0.5", "", duration, ofRequest)),
		query("p99", quantile("0.99", "", duration, ofRequest)), withExemplars,
		query("p99.9", quantile("0.999", "", duration, ofRequest)),
		query("p50 service", quantile("0.5", "", service, ofRequest)),
		query("p99 service", quantile("0.99", "", service, ofRequest)),
		query("SLO", maxOf("", metric("traffic_slo_latency_seconds", ofScenario))),
		logarithmic,
		named("p50", colored("green")), named("p99", colored("orange")), named("p99.9", colored("purple")),
		named("p50 service", dashed("light-green")...), named("p99 service", dashed("light-orange")...), named("SLO", dashed(bad)...)))
	b.place(12, 9, chart("p99, compared",
		"99th percentile of the duration, now and at the same time in the past.", seconds,
		compare(func(ago string) string { return quantileAgo("0.99", "", duration, ofRequest, ago) }), logarithmic))
	b.place(12, 9, chart("p99 by request",
		"99th percentile of the duration of each request of the mix.", seconds,
		query("{{request}}", quantile("0.99", "request", duration, ofRequest)), logarithmic))
}

func (b *board) failures() {
	b.place(12, 9, chart("Failures by reason",
		"Failed requests per second. Local, denied and canceled ones say nothing about the target: the exporter's machine or max_rate was in the way, or it was stopping.", perSecond,
		query("{{reason}}", sum("reason", rate(metric("traffic_request_failures_total", ofRequest)))), stacked, reasons))
	b.place(12, 9, chart("Responses by code",
		"Responses per second by the protocol's code, those that were expected and those that were not.", perSecond,
		query("{{code}}", sum("code", rate(metric("traffic_requests_total", ofRequest, `code!=""`)))),
		query("no response", sum("", rate(metric("traffic_requests_total", ofRequest, `code=""`)))), stacked, codes))
	b.place(12, 9, chart("Failure ratio, compared",
		"Part of the requests that failed, now and at the same time in the past.", ratio,
		compare(func(ago string) string { return failureRatio(ofRequest, "", ago) }), reaching(0.01)))
	b.place(12, 9, chart("Failure ratio by request",
		"Part of the requests that failed, of each request of the mix.", ratio,
		query("{{request}}", failureRatio(ofRequest, "request", "")), lines, reaching(0.01)))
	b.place(12, 9, chart("Retries and redirects",
		"Requests per second on the wire beyond the first one of each slot: repeated since the connection ended without a response, or redirected to. They count towards max_rate.", perSecond,
		query("retries", sum("", rate(metric("traffic_request_retries_total", ofRequest)))),
		query("redirects", sum("", rate(metric("traffic_request_redirects_total", ofRequest)))),
		lines, named("retries", colored("red")), named("redirects", colored("blue"))))
	b.place(12, 9, chart("Retries, redirects and steps that were not sent",
		"Requests per second that were withheld: beyond max_rate or max_in_flight, beyond the budget of retries, or while stopping.", perSecond,
		query("{{kind}}, {{reason}}", sum("kind, reason", rate(metric("traffic_requests_withheld_total", ofRequest)))), stacked, withheld))
}

func (b *board) journeys() {
	const duration = "traffic_journey_duration_seconds"
	step := ofScenario + `, request=~".+/.+"`
	b.place(12, 9, bars("Funnel",
		"Requests per second of each step of the scenario's journeys, those of each in the order of their names. Where it narrows, users were lost, or chose another way.", perSecond,
		query("{{request}}", sum("request", rate(metric("traffic_requests_total", step)))), noValue("no journeys")))
	b.place(12, 9, chart("Users at a time",
		"Journeys that have begun and have not ended: users who wait for a response, or in a pause.", count,
		query("users", sum("", metric("traffic_journeys_in_progress", ofScenario))), named("users", colored("blue"))))
	b.place(6, 9, chart("Journeys by outcome",
		"Journeys that ended per second. Withheld ones found no room for a step within late_after: max_in_flight or max_rate was in the way.", perSecondOf,
		query("{{outcome}}", inForm(
			"histogram_count("+sum("outcome", rate(metric(duration, ofScenario)))+")",
			sum("outcome", rate(metric(duration+"_bucket", ofScenario, `le="+Inf"`))))), stacked, outcomes))
	b.place(6, 9, chart("Duration of journeys",
		"From the slot's due time to the end of the last request, pauses included, of those that succeeded.", seconds,
		query("{{journey}} p50", quantile("0.5", "journey", duration, ofScenario+`, outcome="success"`)),
		query("{{journey}} p99", quantile("0.99", "journey", duration, ofScenario+`, outcome="success"`)), logarithmic))
	b.place(6, 9, chart("Checks that failed, steps left out",
		"Checks of responses that did not hold, and requests that were not sent since their journey had ended before them, per second.", perSecondOf,
		query("{{request}}: {{check}}", sum("request, check", rate(metric("traffic_check_failures_total", ofRequest)))+" > 0"),
		query("{{request}} left out", sum("request", rate(metric("traffic_steps_skipped_total", ofRequest)))+" > 0"), lines))
	b.place(6, 9, chart("Rows of data",
		"Rows that this configuration's scenarios draw from. Replicas whose file cannot be used keep the old rows: they are counted beside.", count,
		query("{{data}}", maxOf("data", metric("traffic_data_rows", ofJob))),
		query("{{data}}, old on replicas", "count by (data) ("+metric("traffic_data_last_reload_successful", ofJob)+" == 0)"), lines))
}

func (b *board) sessions() {
	b.place(6, 9, chart("Tokens and sessions that are there",
		"Tokens of the service account and sessions of users, over all replicas. Each has its own.", count,
		query("there", sum("", metric("traffic_sessions", ofScenario))), noValue("none needed"), named("there", colored("blue"))))
	b.place(6, 9, chart("Renewals",
		"Attempts to obtain tokens and sessions per second, those that succeeded and those that failed.", perSecondOf,
		query("renewed", sum("", rate(metric("traffic_session_renewals_total", ofScenario)))),
		query("failed", sum("", rate(metric("traffic_session_failures_total", ofScenario)))), noValue("none needed"),
		lines, named("renewed", colored("green")), named("failed", colored("red"))))
	b.place(6, 9, chart("Time until a token expires",
		"Of the replica whose token expires first. It climbs with each renewal; at 0 slots are dropped.", seconds,
		query("left", least("("+metric("traffic_token_expiry_timestamp_seconds", ofScenario)+" > 0) - time()")), noValue("no token"), named("left", colored("blue"))))
	b.place(6, 9, chart("Descriptors of gRPC",
		"Replicas that know the messages of the scenario's calls; others drop its slots. And attempts per second to have them.", count,
		query("replicas that know", sum("", metric("traffic_grpc_descriptors", ofScenario))),
		query("loaded/s", sum("", rate(metric("traffic_grpc_descriptor_loads_total", ofScenario)))),
		query("failed/s", sum("", rate(metric("traffic_grpc_descriptor_failures_total", ofScenario)))), noValue("no gRPC"),
		lines, named("replicas that know", colored("blue")), named("loaded/s", colored("green")), named("failed/s", colored("red"))))
}

func (b *board) candidate() {
	const duration = "traffic_compare_duration_seconds"
	requests := metric("traffic_compare_requests_total", ofRequest, `result!="base_failed"`)
	differing := metric("traffic_compare_requests_total", ofRequest, `result!~"same|base_failed"`)
	b.place(12, 9, chart("Latency of both sides",
		"From the actual send to the last byte, of the same requests at both targets. Pairs with a failed request do not count.", seconds,
		query("{{side}} p50", quantile("0.5", "side", duration, ofRequest)),
		query("{{side}} p99", quantile("0.99", "side", duration, ofRequest)), noValue("no candidate"), logarithmic,
		named("base p50", colored("blue")), named("base p99", dashed("blue")...),
		named("candidate p50", colored("orange")), named("candidate p99", dashed("orange")...)))
	b.place(12, 9, chart("Mismatches by kind",
		"Requests per second that the candidate responded to in another way, by the first thing that differs.", perSecond,
		query("{{result}}", sum("result", rate(differing))), noValue("no candidate"), stacked, mismatches))
	b.place(8, 9, chart("Share of mismatches",
		"Part of the requests sent to both targets whose responses differ, of each request of the mix. Those that failed at the scenario's own target do not count.", ratio,
		query("{{request}}", over0(sum("request", rate(differing)), sum("request", rate(requests)))), noValue("no candidate"), lines, reaching(0.01)))
	b.place(8, 9, chart("Requests to the candidate",
		"Requests per second to the candidate, retries and redirects among them, and those that failed. They are in no other panel.", perSecond,
		query("requests", sum("", rate(metric("traffic_compare_candidate_requests_total", ofRequest)))),
		query("retries and redirects", sum("", rate(metric("traffic_compare_candidate_extras_total", ofScenario)))),
		query("failed: {{reason}}", sum("reason", rate(metric("traffic_compare_candidate_failures_total", ofRequest)))+" > 0"), noValue("no candidate"), lines,
		named("requests", colored("orange"))))
	b.place(8, 9, chart("Slots not compared",
		"Slots of the sample per second that were sent to the scenario's own target alone, or not to their end: beyond max_rate or max_in_flight, while the candidate is spared, or not ready.", perSecond,
		query("{{reason}}, not compared", sum("reason", rate(metric("traffic_compare_skipped_total", ofScenario)))), noValue("no candidate"), stacked, skips))
}

func (b *board) traffic() {
	b.place(12, 9, burnChart("Error budget burn",
		"How fast the error budget is used up, over windows of the usual burn rate alerts. 1 uses it up exactly within the SLO's period; lines at 6 and 14.4 are where a 30-day SLO would have you woken.",
		query("5 min", sum("", burn(ofScenario, "5m"))), query("30 min", sum("", burn(ofScenario, "30m"))),
		query("1 h", sum("", burn(ofScenario, "1h"))), query("6 h", sum("", burn(ofScenario, "6h"))),
		named("5 min", colored("light-blue")), named("30 min", colored("blue")), named("1 h", colored("purple")), named("6 h", colored("dark-purple"))))
	b.place(12, 9, chart("Good requests",
		"Part of the requests that succeeded within the SLO's latency. The dashed line is the objective.", ratio,
		query("{{request}}", "1 - "+over0(
			sum("request", rate(metric("traffic_slo_requests_total", ofRequest, `good="false"`))),
			sum("request", rate(metric("traffic_slo_requests_total", ofRequest))))),
		query("objective", maxOf("", metric("traffic_slo_objective_ratio", ofScenario))),
		signed, upTo1, lines, named("objective", dashed(bad)...)))
	b.place(9, 9, chart("Target and delivered rate, compared",
		"Requests per second that ended, now and in the past, and what the fleet should send by the file and overrides.", perSecond,
		query("target", target(ofScenario, "")),
		compare(func(ago string) string { return deliveredAgo(ofScenario, "", ago) }), lines, named("target", dashed("green")...)))
	b.place(5, 9, chart("Rate that is followed",
		"The rate found for a scenario with follow, scaled and bounded, and its age. Without a value the rate of otherwise is sent.", perSecond,
		query("followed", maxOf("", metric("traffic_followed_rate", ofScenario))),
		query("age", "time() - "+maxOf("", metric("traffic_follow_last_success_timestamp_seconds", ofScenario)+" > 0")),
		noValue("follows none"), lines, named("followed", colored("green")), named("age", colored("purple"), grafana.Property{ID: "unit", Value: seconds})))
	b.place(5, 9, chart("Slots of the day left",
		"Slots that the fleet may still send before midnight in the scenario's time zone, of max_slots_per_day.", count,
		query("left", least(metric("traffic_day_slots_left", ofScenario))),
		noValue("no limit"), named("left", colored("blue"))))
	b.place(5, 9, chart("Back-off and override",
		"Part of the target rate that is sent while the target is spared, 100 % in normal times, and whether an override changes the rate.", ratio,
		query("sent part", least(metric("traffic_back_off_ratio", ofScenario))),
		query("overridden", maxOf("", metric("traffic_override_active", ofScenario))),
		upTo1, named("sent part", colored("blue")), named("overridden", colored("purple"), grafana.Property{ID: "unit", Value: flag})))
}

func (b *board) connections() {
	b.place(8, 9, chart("Open connections", "Connections that are open, idle ones included.", count,
		query("open", sum("", metric("traffic_open_connections", ofScenario))), named("open", colored("blue"))))
	b.place(8, 9, chart("Connections opened",
		"New connections per second, ready for requests. A steady trickle is their replacement by age.", perSecondOf,
		query("opened", sum("", rate(metric("traffic_connections_opened_total", ofScenario)))), named("opened", colored("blue"))))
	b.place(8, 9, chart("p99 of making a connection",
		"99 % of the connections took less for resolving, connecting and the TLS handshake. A step that was not needed has no values.", seconds,
		query("{{phase}}", quantile("0.99", "phase", "traffic_connect_phase_seconds", ofScenario)),
		logarithmic, pointed, named("dns", colored("purple")), named("connect", colored("blue")), named("tls", colored("orange"))))
	b.place(6, 9, chart("Stale names and files",
		"Attempts per second to resolve a name that failed, connections that were made to an address older than dns_ttl meanwhile, and looks at files of credentials and certificates that failed.", perSecondOf,
		query("DNS failures", sum("", rate(metric("traffic_dns_failures_total", ofScenario)))),
		query("to outdated addresses", sum("", rate(metric("traffic_dns_outdated_connections_total", ofScenario)))),
		query("failures of files", sum("", rate(metric("traffic_file_reload_failures_total", ofScenario)))),
		lines, named("DNS failures", colored("red")), named("to outdated addresses", colored("orange")), named("failures of files", colored("purple"))))
	b.place(6, 9, chart("Bytes",
		"Bytes per second on the wire, with TLS, headers and framing.", bytesPerSec,
		query("received", sum("", rate(metric("traffic_received_bytes_total", ofScenario)))),
		query("sent", sum("", rate(metric("traffic_sent_bytes_total", ofScenario)))),
		named("received", colored("green")), named("sent", colored("blue"))))
	b.place(6, 9, chart("Received bytes of a request",
		"Bytes received for each finished request, in the mean: a page that grows or comes back empty shows here.", byteCount,
		query("received", over0(sum("", rate(metric("traffic_received_bytes_total", ofScenario))), delivered(ofScenario, ""))),
		named("received", colored("green"))))
	b.place(6, 9, chart("Slots in flight", "Slots that have come due and have not ended yet: they wait for a response, or for a connection.", count,
		query("in flight", sum("", metric("traffic_slots_in_flight", ofScenario))), named("in flight", colored("orange"))))
}

func (b *board) slots() {
	b.place(8, 9, chart("Ledger",
		"Slots per second that came due, and what became of them: due = finished + dropped + the change of those in flight.", perSecondOf,
		query("due", sum("", rate(metric("traffic_slots_due_total", ofScenario)))),
		query("finished", delivered(ofScenario, "")),
		query("dropped", sum("", rate(metric("traffic_slots_dropped_total", ofScenario)))),
		lines, named("due", dashed(quiet)...), named("finished", colored("green")), named("dropped", colored("red"))))
	b.place(8, 9, chart("Slots that were not sent",
		"Slots that came due and were dropped, by reason.", perSecondOf,
		query("{{reason}}", sum("reason", rate(metric("traffic_slots_dropped_total", ofScenario)))), stacked, drops))
	b.place(8, 9, chart("Send delay",
		"From the due time to the actual send: the generator's own lateness. Up to some 0.1 ms is usual; differences below 15 us do not show. Silent is for how long a replica whose sending hangs has sent nothing that was due.", seconds,
		query("p50", quantile("0.5", "", "traffic_send_delay_seconds", ofScenario)),
		query("p99", quantile("0.99", "", "traffic_send_delay_seconds", ofScenario)),
		query("silent", maxOf("", metric("traffic_silent_seconds", ofScenario))),
		logarithmic, named("p50", colored("green")), named("p99", colored("orange")), named("silent", colored("red"))))
}
