package telemetry

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// FleetState is what a scrape asks about the fleet.
type FleetState struct {
	// Members is the number of members that the rate is divided among, and Lost that of
	// the members whose heartbeats are missing.
	Members, Lost int
	// Ratio is this replica's part, from 0 to 1.
	Ratio float64
	// Live says that this replica may send, and StoreUp that the fleet's store responds.
	Live, StoreUp bool
	// Skew is what this replica's clock is ahead of the others' by.
	Skew time.Duration
	// Mismatched is the number of members that run another configuration.
	Mismatched int
	// OtherFloor is the number of members that have another min_replicas.
	OtherFloor int
	// Waiting says that none of the replicas that should be joined has been reached.
	Waiting bool
	// Connected is the number of other replicas that this one has a connection to.
	Connected int
	// Changes counts the changes of this replica's view, Refused the packets and connections of
	// strangers, and Relayed the heartbeats that came by way of a third replica.
	Changes, Refused, Relayed uint64
}

// alone is the state of a replica that has no fleet: it is all of it.
func alone() FleetState { return FleetState{Members: 1, Ratio: 1, Live: true, StoreUp: true} }

// fleetMetric is one metric and its value in a state.
type fleetMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(FleetState) float64
}

// fleetCollector exposes this replica's view of the fleet.
type fleetCollector struct {
	metrics []fleetMetric
	read    atomic.Pointer[func() FleetState]
}

func newFleetCollector() *fleetCollector {
	c := &fleetCollector{}
	add := func(kind prometheus.ValueType, name, help string, value func(FleetState) float64) {
		c.metrics = append(c.metrics, fleetMetric{prometheus.NewDesc(name, help, nil, nil), kind, value})
	}
	gauge, counter := prometheus.GaugeValue, prometheus.CounterValue
	add(gauge, "traffic_fleet_members", "Replicas that the rate is divided among, in this replica's view.",
		func(s FleetState) float64 { return float64(s.Members) })
	add(gauge, "traffic_fleet_lost_members", "Replicas whose heartbeats are missing, whether or not others have taken over their part.",
		func(s FleetState) float64 { return float64(s.Lost) })
	add(gauge, "traffic_fleet_weight_ratio", "This replica's part of the rate, from 0 to 1; 0 while it may not send.",
		func(s FleetState) float64 { return s.Ratio })
	add(gauge, "traffic_fleet_live", "Whether this replica counts as a member and sends (1) or not (0).",
		func(s FleetState) float64 { return truth(s.Live) })
	add(gauge, "traffic_fleet_store_up", "Whether the heartbeats of the fleet are heard (1) or its last view is held because the store is away (0).",
		func(s FleetState) float64 { return truth(s.StoreUp) })
	add(gauge, "traffic_fleet_clock_skew_seconds", "How far this replica's clock is ahead of the others', as the median.",
		func(s FleetState) float64 { return s.Skew.Seconds() })
	add(gauge, "traffic_fleet_config_mismatch_members", "Other members that run other scenarios than this replica.",
		func(s FleetState) float64 { return float64(s.Mismatched) })
	add(gauge, "traffic_fleet_min_replicas_mismatch_members", "Other members that have another min_replicas than this replica.",
		func(s FleetState) float64 { return float64(s.OtherFloor) })
	add(gauge, "traffic_fleet_waiting_for_seeds", "Whether this replica waits, and sends nothing, because it has reached none of those in join (1) or not (0).",
		func(s FleetState) float64 { return truth(s.Waiting) })
	add(counter, "traffic_fleet_view_changes_total", "Changes of this replica's view of the fleet.",
		func(s FleetState) float64 { return float64(s.Changes) })
	add(counter, "traffic_fleet_refused_total", "Packets and connections of strangers that were refused at the gossip's port.",
		func(s FleetState) float64 { return float64(s.Refused) })
	add(gauge, "traffic_fleet_connected_replicas", "Other replicas that this one sends its heartbeats to over a connection; 0 with etcd and Consul.",
		func(s FleetState) float64 { return float64(s.Connected) })
	add(counter, "traffic_fleet_relayed_heartbeats_total", "Heartbeats that came by way of a third replica, as two replicas do not reach each other or are slow.",
		func(s FleetState) float64 { return float64(s.Relayed) })
	read := alone
	c.read.Store(&read)
	return c
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Describe implements prometheus.Collector.
func (c *fleetCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range c.metrics {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *fleetCollector) Collect(ch chan<- prometheus.Metric) {
	s := (*c.read.Load())()
	for _, m := range c.metrics {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s))
	}
}

// Fleet makes the metrics of the fleet those that read returns, which is called at each
// scrape, concurrently with everything else. Before that they are those of a replica on
// its own.
func (m *Metrics) Fleet(read func() FleetState) { m.fleet.read.Store(&read) }
