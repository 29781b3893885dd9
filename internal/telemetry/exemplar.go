package telemetry

import (
	"encoding/hex"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
)

const (
	// slowestOver is the time over which a request is the slowest one.
	slowestOver = time.Minute
	// successEvery and failureEvery are the least times between two exemplars that
	// are kept for no other cause than that it is time for one.
	successEvery = time.Second
	failureEvery = 100 * time.Millisecond
)

// timed is a histogram that keeps a sample of its observations as exemplars. An
// exemplar costs ten times what the observation does and allocates, and a histogram
// remembers only a handful, so most of them would be wasted.
type timed struct {
	plain   prometheus.Observer
	example prometheus.ExemplarObserver
	sampler sampler
}

func newTimed(o prometheus.Observer, every time.Duration, base time.Time) *timed {
	return &timed{
		plain:   o,
		example: o.(prometheus.ExemplarObserver), // As the client library promises of its histograms.
		sampler: sampler{every: every, base: base},
	}
}

// observe counts the latency of a request. Only one that asked for its trace to be kept becomes an exemplar,
// which would lead nowhere otherwise.
func (t *timed) observe(latency time.Duration, o engine.Outcome) {
	if !o.Sampled || !t.sampler.sample(o.Result.Done, latency) {
		t.plain.Observe(seconds(latency))
		return
	}
	t.example.ObserveWithExemplar(seconds(latency), prometheus.Labels{labelTrace: hex.EncodeToString(o.Trace[:])})
}

// sampler chooses the requests that are worth an exemplar: one each time that every
// has passed, and one that is slower than all within the last slowestOver, by a
// tenth at least. The tenth is about the width of a native bucket and bounds how
// many there can be while latency climbs steadily.
type sampler struct {
	every time.Duration
	// base is the moment that the times below are counted from, in nanoseconds.
	base time.Time

	// next is when one is due whatever its latency, and bar the latency from which
	// on one is taken whatever the time.
	next atomic.Int64
	bar  atomic.Int64

	mu sync.Mutex
	// fresh is when the bar falls.
	fresh time.Duration
}

// sample reports whether the request is chosen. It reads no clock: time is what the
// requests' ends say.
func (s *sampler) sample(end time.Time, latency time.Duration) bool {
	now := end.Sub(s.base)
	if int64(now) < s.next.Load() && int64(latency) < s.bar.Load() {
		return false
	}
	return s.choose(now, latency)
}

// choose decides again, alone: of requests that end together one is enough.
func (s *sampler) choose(now, latency time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now >= s.fresh {
		s.fresh = now + slowestOver
		s.bar.Store(0)
	}
	slowest := int64(latency) >= s.bar.Load()
	if !slowest && int64(now) < s.next.Load() {
		return false
	}
	if slowest {
		s.bar.Store(int64(latency) + int64(latency)/10 + 1)
	}
	s.next.Store(int64(now + s.every))
	return true
}
