package main

import "github.com/traffic-exporter/traffic_exporter/dashboards/grafana"

// ofReplica is the label of a replica.
const ofReplica = "instance"

// fleet shows the replicas: who has which part, what each costs, and whether they agree.
func fleet() *board {
	b := newBoard(fleetUID, "Traffic exporter / Fleet",
		"The replicas: who sends which part, whether the generator keeps up, what it costs, and whether all agree.",
		[]grafana.Variable{
			labelVariable("instance", "Replica", metric("traffic_fleet_live", ofJob), "instance", ".+"),
			formVariable(),
		},
		alerts(), overrides(ofJob), reloads("job, instance", ofInstance), viewChanges())

	b.row("Is it ok?")
	b.fleetStats()
	b.row("Replicas")
	b.place(24, 7, replicaTable())
	b.row("Shares")
	b.shares()
	b.row("Does the generator keep up?")
	b.honesty()
	b.row("Cost")
	b.cost()
	b.row("Agreement")
	b.agreement()
	return b
}

// viewChanges are the moments at which replicas join, leave, are lost or come back.
func viewChanges() grafana.Annotation {
	return annotation("Members", "orange",
		maxOf(fleetLabels, "increase("+over(metric("traffic_fleet_view_changes_total", ofInstance), window, "")+")")+" > 0",
		"Members changed", "{{job}}", "job")
}

// each is a gauge of each replica.
func each(name string) string { return maxOf(ofReplica, metric(name, ofInstance)) }

// eachSum is the sum over a replica's scenarios.
func eachSum(name string) string { return sum(ofReplica, metric(name, ofInstance)) }

// eachRate is the rate of a counter of each replica.
func eachRate(name string) string { return sum(ofReplica, rate(metric(name, ofInstance))) }

// sendDelay is a quantile of each replica's lateness.
func sendDelay(q string) string {
	return quantile(q, ofReplica, "traffic_send_delay_seconds", ofInstance)
}

// cpuPerRequest is what a request costs each replica.
func cpuPerRequest() string {
	return over0(eachRate("process_cpu_seconds_total"), eachRate("traffic_slots_finished_total"))
}

// configurations is the number of different configurations in a fleet.
func configurations() string {
	return maxOf("", "count by ("+fleetLabels+") (count_values by ("+fleetLabels+`) ("hash", `+metric("traffic_config_hash", ofInstance)+"))")
}

// delayThresholds: a send delay of 10 ms is no longer the machine's usual jitter.
func delayThresholds() *grafana.Thresholds { return steps(good, from(0.01, warning), from(0.1, bad)) }

// skewThresholds: clocks have to agree to within half a second.
func skewThresholds() *grafana.Thresholds { return steps(good, from(0.1, warning), from(0.5, bad)) }

// texts shows texts for 0 and 1.
func texts(zero, zeroColor, one, oneColor string) []grafana.Mapping {
	return []grafana.Mapping{{Type: "value", Options: map[string]grafana.Mapped{
		"0": {Text: zero, Color: zeroColor, Index: 0}, "1": {Text: one, Color: oneColor, Index: 1},
	}}}
}

// mapped shows texts for 0 and 1 in a whole panel.
func mapped(m []grafana.Mapping) option {
	return func(p *grafana.Panel) { p.FieldConfig.Defaults.Mappings = m }
}

// reloaded is whether replicas could load their configuration, and their web configuration where they have one.
func reloaded() string {
	config, web := metric("traffic_config_last_reload_successful", ofInstance), metric("traffic_web_config_last_reload_successful", ofInstance)
	return config + " * " + web + " or " + config
}

func (b *board) fleetStats() {
	b.place(3, 4, stat("Replicas that send", "Replicas that count as members of their fleet and send.", count,
		query("", sum("", metric("traffic_fleet_live", ofInstance))), decimals(0), thresholds(bad, from(1, good))))
	b.place(3, 4, stat("Lost members", "Replicas whose heartbeats are missing, in the view of the replica that misses most.", count,
		query("", maxOf("", metric("traffic_fleet_lost_members", ofInstance))), decimals(0), thresholds(good, from(1, bad))))
	b.place(3, 4, stat("Sum of shares", "100 % when every part of the rate is somebody's, and nobody's part is sent twice.", ratio,
		query("", "avg("+sum(fleetLabels, metric("traffic_fleet_weight_ratio", ofJob))+")"), decimals(1),
		thresholds(bad, from(0.999, good), from(1.001, bad))))
	b.place(3, 4, stat("Configurations", "Different configurations that the replicas of a fleet run. More than one while a changed file makes its way; for longer it is a fault.", count,
		query("", configurations()), decimals(0), thresholds(good, from(2, bad))))
	b.place(3, 4, stat("Last reload", "Whether every replica could load its configuration, and its web configuration if it has one, the last time it tried.", count,
		query("", least(reloaded())), mapped(texts("failed", bad, "ok", good))))
	b.place(3, 4, stat("Store", "Whether every replica hears the heartbeats of the fleet. If not, its last view is held.", count,
		query("", least(metric("traffic_fleet_store_up", ofInstance))), mapped(texts("away", bad, "ok", good))))
	b.place(3, 4, stat("Largest clock skew", "The clock that is furthest from the others' median.", seconds,
		query("", maxOf("", "abs("+metric("traffic_fleet_clock_skew_seconds", ofInstance)+")")), use(skewThresholds())))
	b.place(3, 4, stat("Send delay, p99", "The generator's lateness, of the replica that is latest. Where it is high the generator is the bottleneck, not the target.", seconds,
		query("", maxOf("", sendDelay("0.99"))), noValue("no requests"), use(delayThresholds())))
}

// replicaTable has a row for each replica.
func replicaTable() grafana.Panel {
	return table("Replicas, one by one", "What each replica sends, and what it costs.", ofReplica, "Replica", []column{
		{title: "Sends", expr: each("traffic_fleet_live"), unit: count, colors: steps(bad, from(1, good)), mappings: texts("no", bad, "yes", good)},
		{title: "Dry run", expr: each("traffic_dry_run"), unit: count, colors: steps(good, from(1, bad)), mappings: texts("no", good, "yes", bad)},
		{title: "Share", expr: each("traffic_fleet_weight_ratio"), unit: ratio, decimals: 1, gauge: true, colors: steps("blue")},
		{title: "Should send", expr: eachSum("traffic_share_rate"), unit: perSecond},
		{title: "Delivered", expr: eachRate("traffic_slots_finished_total"), unit: perSecond},
		{title: "Dropped", expr: eachRate("traffic_slots_dropped_total"), unit: perSecondOf, colors: steps(good, from(0.01, bad))},
		{title: "In flight", expr: eachSum("traffic_slots_in_flight"), unit: count},
		{title: "Send delay p99", expr: sendDelay("0.99"), unit: seconds, colors: delayThresholds()},
		{title: "CPU", expr: eachRate("process_cpu_seconds_total"), unit: cores, decimals: 3},
		{title: "CPU a request", expr: cpuPerRequest(), unit: seconds},
		{title: "Memory", expr: each("process_resident_memory_bytes"), unit: byteCount},
		{title: "Connections", expr: eachSum("traffic_open_connections"), unit: count},
		{title: "Clock skew", expr: each("traffic_fleet_clock_skew_seconds"), unit: seconds},
		{title: "Up for", expr: "time() - " + each("process_start_time_seconds"), unit: seconds},
	})
}

func (b *board) shares() {
	b.place(8, 9, chart("Share of each replica",
		"Each replica's share of the rate, by its weight. All together are 100 %.", ratio,
		query("{{instance}}", each("traffic_fleet_weight_ratio")), stacked, reaching(1)))
	b.place(8, 9, chart("Rate of each replica",
		"Requests per second that each replica sent and that have ended. The dashed line is what all of them should send.", perSecond,
		query("{{instance}}", eachRate("traffic_slots_finished_total")),
		query("should", sum("", metric("traffic_share_rate", ofInstance))), stacked, named("should", dashed(quiet)...)))
	b.place(8, 9, chart("Rate of each replica against its share",
		"Delivered rate over the rate that the replica should send.", ratio,
		query("{{instance}}", over0(eachRate("traffic_slots_finished_total"),
			sum(ofReplica, "avg_over_time("+over(metric("traffic_share_rate", ofInstance), window, "")+")"))), lines, reaching(1.1)))
}

func (b *board) honesty() {
	b.place(8, 9, chart("Send delay of each replica",
		"99th percentile of the time from the due time to the actual send. Where it rises, look at the processor and its limits.", seconds,
		query("{{instance}}", sendDelay("0.99")), logarithmic))
	b.place(8, 9, chart("Slots that were not sent",
		"Slots that came due and were dropped, by reason and replica.", perSecondOf,
		query("{{reason}}", sum("reason", rate(metric("traffic_slots_dropped_total", ofInstance)))), stacked, drops))
	b.place(8, 9, chart("Slots in flight",
		"Slots that have come due and have not ended yet.", count,
		query("{{instance}}", eachSum("traffic_slots_in_flight")), lines))
}

func (b *board) cost() {
	b.place(8, 9, chart("CPU of each replica", "Processor time used.", cores, query("{{instance}}", eachRate("process_cpu_seconds_total")), lines, decimals(3)))
	b.place(8, 9, chart("CPU of a request",
		"Processor time of the whole process over its finished requests. At low rates the fixed cost of a replica dominates.", seconds,
		query("{{instance}}", cpuPerRequest()), lines))
	b.place(8, 9, chart("Memory of each replica", "Resident memory.", byteCount, query("{{instance}}", each("process_resident_memory_bytes")), lines))
	b.place(8, 9, chart("Goroutines", "Goroutines: bounded by max_in_flight and the number of scenarios. A steady climb would be a leak.", count,
		query("{{instance}}", each("go_goroutines")), lines))
	b.place(8, 9, chart("Open connections", "Connections to targets that are open.", count,
		query("{{instance}}", eachSum("traffic_open_connections")), lines))
	b.place(8, 9, chart("Open files", "Part of the file descriptors that the process may have: each connection needs one.", ratio,
		query("{{instance}}", over0(each("process_open_fds"), each("process_max_fds"))), lines))
	b.place(12, 9, chart("Spans over OTLP", "Spans of sampled slots that the receiver of OTLP has taken, and those that were dropped, by the reason.", perSecondOf,
		query("exported", sum("", rate(metric("traffic_otlp_spans_exported_total", ofInstance)))),
		query("dropped: {{reason}}", sum("reason", rate(metric("traffic_otlp_spans_dropped_total", ofInstance)))), lines))
	b.place(12, 9, chart("Metrics over OTLP", "Pushes of all metrics to the receiver of OTLP, and those that failed.", perSecondOf,
		query("pushed", sum("", rate(metric("traffic_otlp_metric_pushes_total", ofInstance)))),
		query("failed", sum("", rate(metric("traffic_otlp_metric_push_failures_total", ofInstance)))), lines))
}

func (b *board) agreement() {
	b.place(6, 9, chart("Members in each replica's view", "Replicas that the rate is divided among. Lines that differ for more than seconds are a partition.", count,
		query("{{instance}}", each("traffic_fleet_members")), lines))
	b.place(6, 9, chart("Waiting for others", "Replicas that have reached none of those in join, and send nothing.", count,
		query("{{instance}}", each("traffic_fleet_waiting_for_seeds")), lines))
	b.place(6, 9, chart("Lost members in each replica's view", "Replicas whose heartbeats are missing.", count,
		query("{{instance}}", each("traffic_fleet_lost_members")), lines))
	b.place(6, 9, chart("Others with another configuration", "Members that run another configuration than this replica.", count,
		query("{{instance}}", each("traffic_fleet_config_mismatch_members")),
		query("{{instance}}: another min_replicas", each("traffic_fleet_min_replicas_mismatch_members")), lines))
	b.place(6, 9, chart("Clock skew", "How far each clock is ahead of the others'. Above half a second is a fault.", seconds,
		query("{{instance}}", each("traffic_fleet_clock_skew_seconds")), signed, lines))
	b.place(6, 9, chart("Direct connections", "Others that each replica sends its heartbeats to. Those that came by way of a third replica are per second: links that are cut, or replicas that are slow.", count,
		query("{{instance}}", each("traffic_fleet_connected_replicas")),
		query("{{instance}}: by way of others", eachRate("traffic_fleet_relayed_heartbeats_total")), lines))
	b.place(6, 9, chart("Refused strangers", "Packets and connections per second that were refused at the gossip's port.", perSecondOf,
		query("{{instance}}", eachRate("traffic_fleet_refused_total")), lines))
	b.place(6, 9, chart("Overrides in effect", "Scenarios whose rate is not the file's, in each replica's view.", count,
		query("{{instance}}", eachSum("traffic_override_active")), lines))
}
