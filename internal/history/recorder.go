package history

import (
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Recorder counts for a Scenario what it passes on to another recorder. Its calls are atomic
// additions: they allocate nothing and wait for nobody. Safe for concurrent use.
type Recorder struct {
	engine.Recorder

	counters *counters
	requests []*request
	slo      SLO
}

var _ engine.Recorder = (*Recorder)(nil)

// counters are the counts of a scenario since the start.
type counters struct {
	due      atomic.Uint64
	finished atomic.Uint64
	journeys atomic.Int64
	dropped  [engine.NumDropReasons]atomic.Uint64
	failed   [protocol.NumReasons]atomic.Uint64
	good     atomic.Uint64
	bad      atomic.Uint64
	latency  histogram
	delay    histogram
}

// request are the counters of one request of the mix.
type request struct {
	name   string
	ended  atomic.Uint64
	failed atomic.Uint64
}

// Due implements engine.Recorder.
func (r *Recorder) Due(n uint64) {
	r.Recorder.Due(n)
	r.counters.due.Add(n)
}

// Dropped implements engine.Recorder.
func (r *Recorder) Dropped(why engine.DropReason, n uint64) {
	r.Recorder.Dropped(why, n)
	r.counters.dropped[why].Add(n)
}

// Finished implements engine.Recorder.
func (r *Recorder) Finished() {
	r.Recorder.Finished()
	r.counters.finished.Add(1)
}

// JourneyBegan implements engine.Recorder.
func (r *Recorder) JourneyBegan(entry int) {
	r.Recorder.JourneyBegan(entry)
	r.counters.journeys.Add(1)
}

// JourneyEnded implements engine.Recorder.
func (r *Recorder) JourneyEnded(entry int, o engine.JourneyOutcome, took time.Duration) {
	r.Recorder.JourneyEnded(entry, o, took)
	r.counters.journeys.Add(-1)
}

// Exchanged implements engine.Recorder. As in the metrics, a failure of our own says nothing
// about the target.
func (r *Recorder) Exchanged(o engine.Outcome) {
	r.Recorder.Exchanged(o)
	c, q := r.counters, r.requests[o.Entry]
	c.delay.observe(o.Delay)
	q.ended.Add(1)
	if reason := o.Result.Reason; reason != protocol.ReasonNone {
		c.failed[reason].Add(1)
		q.failed.Add(1)
		if reason.Ours() {
			return
		}
	}
	latency := o.Latency()
	c.latency.observe(latency)
	switch {
	case r.slo.Objective == 0:
	case !o.Result.Failed() && latency <= r.slo.Latency:
		c.good.Add(1)
	default:
		c.bad.Add(1)
	}
}
