package rules

import "time"

// fleetAlerts fire when replicas are missing, or do not agree.
func fleetAlerts() group {
	return alerts("fleet", []alert{
		{
			name: "TrafficExporterAbsent", severity: critical, concern: fleet,
			expr:        `absent(traffic_exporter_build_info)`,
			wait:        10 * time.Minute,
			summary:     "No traffic_exporter is scraped: nothing is tested.",
			description: "Prometheus has seen no traffic_exporter for @{for}.",
		},
		{
			name: "TrafficFleetAbsent", severity: critical, concern: fleet,
			// Whatever service discovery forgets, the recorded number remembers. The chart
			// adds the fleets that have to be there even if none has ever been seen.
			expr:        "max_over_time(" + replicas + "[1d])\nunless\n" + replicas,
			wait:        10 * time.Minute,
			summary:     "No replica of a fleet is scraped any more: its targets get nothing, or nobody sees it.",
			description: "Prometheus has found no replica of {{ $labels.job }} for @{for}. Within the last day there were up to {{ $value }}.",
		},
		{
			name: "TrafficReplicaDown", severity: warning, concern: fleet,
			// Whatever the job is called: it is one of ours if it was within a day.
			expr: `
up == 0
and on (job, instance)
last_over_time(traffic_exporter_build_info[1d])`,
			wait:        5 * time.Minute,
			summary:     "A replica cannot be scraped.",
			description: "Replica {{ $labels.instance }} of {{ $labels.job }} has not responded to Prometheus for @{for}.",
		},
		{
			name: "TrafficReplicaSilent", severity: warning, concern: fleet,
			expr:        `traffic_fleet_live == 0`,
			wait:        5 * time.Minute,
			summary:     "A replica runs and sends nothing.",
			description: "Replica {{ $labels.instance }} of {{ $labels.job }} has not counted as a member of its fleet for @{for}.",
		},
		{
			name: "TrafficReplicaMissing", severity: warning, concern: fleet,
			// A median over time is the usual size; one who was replaced is not missed, nor
			// one who left gracefully.
			expr: `
max without (REPLICA) (quantile_over_time(0.5, traffic_fleet_members[2h]))
-
max without (REPLICA) (traffic_fleet_members)
>= 1
and
max without (REPLICA) (max_over_time(traffic_fleet_lost_members[2h])) > 0`,
			wait:        5 * time.Minute,
			summary:     "A fleet has lost a replica and not got it back.",
			description: "The fleet of {{ $labels.job }} has {{ $value }} replicas fewer than usual, and at least one did not leave gracefully.",
		},
		{
			name: "TrafficMembersDisagree", severity: warning, concern: fleet,
			expr: `
max without (REPLICA) (traffic_fleet_members)
-
min without (REPLICA) (traffic_fleet_members)
> 0`,
			wait:        5 * time.Minute,
			summary:     "Replicas do not agree on who their fleet is.",
			description: "The largest and the smallest number of members that replicas of {{ $labels.job }} count differ by {{ $value }}: traffic may be doubled or missing.",
		},
		{
			name: "TrafficFleetSplit", severity: critical, concern: fleet,
			// Replicas that have sent all the time, so that those who come and go in a rollout
			// do not count.
			expr: `
count without (REPLICA) (
  min_over_time(traffic_fleet_live[5m]) == 1
and
  traffic_fleet_live offset 5m == 1
and
  traffic_fleet_live == 1
)
-
max without (REPLICA) (traffic_fleet_members)
> 0`,
			wait:        time.Minute,
			summary:     "Replicas send without knowing of each other: the target gets too much.",
			description: "{{ $value }} replicas of {{ $labels.job }} send and are no members of the largest fleet among them.",
		},
		{
			name: "TrafficConfigsDiffer", severity: warning, concern: configuration,
			// The second part is for replicas that do not hear of each other. Those that
			// are each on their own may well run different files.
			expr: `
max without (REPLICA) (traffic_fleet_config_mismatch_members) > 0
or
max without (REPLICA) (traffic_fleet_min_replicas_mismatch_members) > 0
or
(
  max without (REPLICA) (traffic_config_hash) != min without (REPLICA) (traffic_config_hash)
and
  max without (REPLICA) (traffic_fleet_members) > 1
)`,
			wait:        10 * time.Minute,
			summary:     "Replicas of a fleet run different configurations.",
			description: "Replicas of {{ $labels.job }} have been running different configurations for @{for}.",
		},
		{
			name: "TrafficConfigReloadFailed", severity: warning, concern: configuration,
			expr:        `traffic_config_last_reload_successful == 0`,
			wait:        5 * time.Minute,
			summary:     "A replica cannot load its configuration and runs on with the last good one.",
			description: "Replica {{ $labels.instance }} of {{ $labels.job }} runs on with its last good configuration.",
		},
		{
			name: "TrafficWebConfigStale", severity: warning, concern: configuration,
			expr:        `traffic_web_config_last_reload_successful == 0`,
			wait:        10 * time.Minute,
			summary:     "The web configuration or a certificate in it cannot be read again: the last good one is in use.",
			description: "Replica {{ $labels.instance }} of {{ $labels.job }} serves its metrics with its last good web configuration. Scrapes fail when the certificates in it expire.",
		},
		{
			name: "TrafficStoreAway", severity: warning, concern: fleet,
			expr:        `count without (REPLICA) (traffic_fleet_store_up == 0)`,
			wait:        2 * time.Minute,
			summary:     "Replicas do not reach the store through which they know of each other.",
			description: "{{ $value }} replicas of {{ $labels.job }} hold their last view of the fleet, as its store is away.",
		},
		{
			name: "TrafficStrangersRefused", severity: warning, concern: fleet,
			expr:        `sum without (REPLICA) (rate(traffic_fleet_refused_total[10m])) > 0`,
			wait:        10 * time.Minute,
			summary:     "Strangers keep knocking at the gossip's port.",
			description: "Replicas of {{ $labels.job }} refuse {{ $value | humanize }} packets or connections of strangers a second.",
		},
		{
			name: "TrafficClockSkew", severity: warning, concern: fleet,
			expr:        `abs(traffic_fleet_clock_skew_seconds) > @{clockSkewSeconds}`,
			wait:        5 * time.Minute,
			summary:     "The clock of a replica is wrong.",
			description: "The clock of replica {{ $labels.instance }} of {{ $labels.job }} is {{ $value | humanizeDuration }} from those of the others.",
		},
	})
}
