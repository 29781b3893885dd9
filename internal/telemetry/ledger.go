package telemetry

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
)

// ledger counts slots. Its figures are read together and exposed together, so that
// due = finished + in flight + dropped holds in each scrape and not merely in the
// end: a counter a metric could be caught in between.
type ledger struct {
	created time.Time

	dueDesc, finishedDesc, droppedDesc, inFlightDesc *prometheus.Desc

	mu    sync.Mutex
	slots slots
}

// slots are the figures of the ledger at one moment.
type slots struct {
	due      uint64
	finished uint64
	dropped  [engine.NumDropReasons]uint64
}

// inFlight is the number of slots that have come due and have not ended. Negative means
// that the engine broke its promise to announce a slot before it ends it: better seen than
// hidden.
func (s slots) inFlight() int64 {
	left := s.due - s.finished
	for _, n := range s.dropped {
		left -= n
	}
	return int64(left)
}

func newLedger(f factory) *ledger {
	return &ledger{
		created:      time.Now(),
		dueDesc:      f.desc("traffic_slots_due_total", "Slots of this replica's share whose time has come."),
		finishedDesc: f.desc("traffic_slots_finished_total", "Slots whose request has ended, well or badly."),
		droppedDesc: f.desc("traffic_slots_dropped_total",
			"Slots that came due and were not sent, by reason.", "reason"),
		inFlightDesc: f.desc("traffic_slots_in_flight", "Slots that have come due and have not ended yet."),
	}
}

func (l *ledger) due(n uint64) {
	l.mu.Lock()
	l.slots.due += n
	l.mu.Unlock()
}

func (l *ledger) drop(r engine.DropReason, n uint64) {
	l.mu.Lock()
	l.slots.dropped[r] += n
	l.mu.Unlock()
}

func (l *ledger) finish() {
	l.mu.Lock()
	l.slots.finished++
	l.mu.Unlock()
}

func (l *ledger) snapshot() slots {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.slots
}

// Describe implements prometheus.Collector.
func (l *ledger) Describe(ch chan<- *prometheus.Desc) {
	ch <- l.dueDesc
	ch <- l.finishedDesc
	ch <- l.droppedDesc
	ch <- l.inFlightDesc
}

// Collect implements prometheus.Collector with one snapshot.
func (l *ledger) Collect(ch chan<- prometheus.Metric) {
	s := l.snapshot()
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetricWithCreatedTimestamp(
			d, prometheus.CounterValue, float64(n), l.created, labels...)
	}
	counter(l.dueDesc, s.due)
	counter(l.finishedDesc, s.finished)
	for r, n := range s.dropped {
		counter(l.droppedDesc, n, engine.DropReason(r).String())
	}
	ch <- prometheus.MustNewConstMetric(l.inFlightDesc, prometheus.GaugeValue, float64(s.inFlight()))
}
