package history

import (
	"math"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

const (
	// seconds and minutes are how many points the rings have, and few is how many seconds are
	// kept where there are many scenarios.
	seconds, minutes, few = 15 * 60, 24 * 60, 20
	// recentMinutes is how far back the figures of single requests reach.
	recentMinutes = 15
	// settle is how many points the present figures are over, at least.
	settle = 10 * time.Second
)

// The columns of a Series, beside one for each reason. Durations are in seconds.
const (
	// Target is the whole fleet's rate in slots per second.
	Target = "target"
	// Sent are the slots of this replica that were not dropped.
	Sent = "sent"
	// Others is what the rest of the fleet sent per second.
	Others = "others"
	// Ended are the requests that ended.
	Ended = "ended"
	// P50 is the median of their latency.
	P50 = "p50"
	// P99 is the 99th percentile of their latency.
	P99 = "p99"
	// Delay is the 99th percentile of the generator's own delay.
	Delay = "delay"
	// Users are the journeys in progress.
	Users = "users"
	// Good are the requests that were good by the SLO.
	Good = "good"
	// Bad are the others.
	Bad = "bad"
	// Dropped is the prefix of the columns of dropped slots by reason.
	Dropped = "dropped:"
	// Failed is the prefix of the columns of failed requests by reason.
	Failed = "failed:"
)

// SLO is what makes a request good. The zero SLO judges nothing.
type SLO struct {
	Objective float64
	Latency   time.Duration
}

// Gauges are what is looked at rather than counted.
type Gauges struct {
	// Target is the fleet's rate, and Others what the other replicas send; NaN if unknown.
	Target, Others float64
}

// Totals are what has been counted since the start.
type Totals struct {
	Due, Finished, Good, Bad uint64
	Journeys                 int64
	Dropped                  [engine.NumDropReasons]uint64
	Failed                   [protocol.NumReasons]uint64
}

// snapshot is all that has been counted until a time.
type snapshot struct {
	at             time.Time
	totals         Totals
	latency, delay counts
}

// Scenario is the history of one scenario. It outlives reloads. Safe for concurrent use.
type Scenario struct {
	counters counters

	mu  sync.Mutex
	slo SLO
	// requests are those of the mix as it is, by name, and order how it lists them.
	requests map[string]*tracked
	order    []string
	journeys bool

	seconds, minutes *ring
	// second, minute and older are where the present second, minute and figures began, and
	// newer is where the next figures will.
	second, minute, older, newer snapshot
	// targets are the sum and the number of the gauges of this minute.
	targets, others mean
}

// tracked is a request with its counts at the last minutes, the oldest first.
type tracked struct {
	request
	ended, failed []uint64
}

// mean is the mean of what is added to it.
type mean struct{ sum, n float64 }

func (m *mean) add(v float64) {
	if !math.IsNaN(v) {
		m.sum, m.n = m.sum+v, m.n+1
	}
}

// take returns the mean, NaN of nothing, and begins anew.
func (m *mean) take() float64 {
	v := m.sum / m.n
	*m = mean{}
	return v
}

func newScenario(now time.Time, size int) *Scenario {
	s := &Scenario{seconds: newRing(1, size), minutes: newRing(60, minutes), requests: map[string]*tracked{}}
	s.second.at, s.minute.at, s.older.at, s.newer.at = now, now, now, now
	return s
}

// shape makes the scenario one of these requests.
func (s *Scenario) shape(o Options) []*request {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slo, s.order, s.journeys = o.SLO, o.Requests, o.Journeys
	next, all := map[string]*tracked{}, []*request{}
	for _, name := range o.Requests {
		q, ok := s.requests[name]
		if !ok {
			q = &tracked{request: request{name: name}, ended: []uint64{0}, failed: []uint64{0}}
		}
		next[name] = q
		all = append(all, &q.request)
	}
	s.requests = next
	return all
}

// read reads all counters.
func (s *Scenario) read(now time.Time) *snapshot {
	c := &s.counters
	x := &snapshot{at: now}
	x.totals = s.Totals()
	c.latency.read(&x.latency)
	c.delay.read(&x.delay)
	return x
}

// Totals returns what has been counted since the start. What is due is read last, so that no
// more seems to have ended.
func (s *Scenario) Totals() Totals {
	c := &s.counters
	t := Totals{Finished: c.finished.Load(), Good: c.good.Load(), Bad: c.bad.Load(), Journeys: c.journeys.Load()}
	for i := range t.Dropped {
		t.Dropped[i] = c.dropped[i].Load()
	}
	for i := range t.Failed {
		t.Failed[i] = c.failed[i].Load()
	}
	t.Due = c.due.Load()
	return t
}

// tick ends the second before now, and the minute if one is over.
func (s *Scenario) tick(now time.Time, g Gauges) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.read(now)
	s.targets.add(g.Target)
	s.others.add(g.Others)
	s.seconds.add(now.Unix()-1, s.point(x, &s.second, g))
	s.second = *x
	if begun := now.Unix() / 60; begun != s.minute.at.Unix()/60 {
		s.minutes.add((begun-1)*60, s.point(x, &s.minute, Gauges{Target: s.targets.take(), Others: s.others.take()}))
		s.minute = *x
		for _, q := range s.requests {
			q.ended, q.failed = remember(q.ended, q.request.ended.Load()), remember(q.failed, q.request.failed.Load())
		}
	}
	if now.Sub(s.newer.at) >= settle {
		s.older, s.newer = s.newer, *x
	}
}

// remember appends to the counts of the last minutes.
func remember(all []uint64, n uint64) []uint64 {
	if len(all) > recentMinutes {
		all = append(all[:0], all[1:]...)
	}
	return append(all, n)
}

// point returns the values of the time between two snapshots.
func (s *Scenario) point(x, before *snapshot, g Gauges) map[string]float64 {
	t := x.totals.minus(&before.totals)
	latency, delay := x.latency.minus(&before.latency), x.delay.minus(&before.delay)
	v := map[string]float64{Sent: t.sent(), Ended: float64(delay.total()), P50: latency.quantile(0.5), P99: latency.quantile(0.99), Delay: delay.quantile(0.99)}
	if !math.IsNaN(g.Target) {
		v[Target] = g.Target
	}
	if !math.IsNaN(g.Others) {
		v[Others] = g.Others
	}
	if s.journeys {
		v[Users] = float64(x.totals.Journeys)
	}
	if s.slo.Objective > 0 {
		v[Good], v[Bad] = float64(t.Good), float64(t.Bad)
	}
	for i, n := range t.Dropped {
		if n > 0 {
			v[Dropped+engine.DropReason(i).String()] = float64(n)
		}
	}
	for i, n := range t.Failed {
		if n > 0 {
			v[Failed+protocol.Reason(i).String()] = float64(n)
		}
	}
	return v
}

// minus returns what has come since an earlier time.
func (t *Totals) minus(before *Totals) Totals {
	d := Totals{Due: t.Due - before.Due, Finished: t.Finished - before.Finished, Good: t.Good - before.Good, Bad: t.Bad - before.Bad}
	for i := range d.Dropped {
		d.Dropped[i] = t.Dropped[i] - before.Dropped[i]
	}
	for i := range d.Failed {
		d.Failed[i] = t.Failed[i] - before.Failed[i]
	}
	return d
}

// sent returns how many slots were not dropped. A slot may be dropped a moment after it has come
// due.
func (t *Totals) sent() float64 {
	n := float64(t.Due)
	for _, d := range t.Dropped {
		n -= float64(d)
	}
	return max(0, n)
}

// DroppedSum and FailedSum add up the reasons.
func (t *Totals) DroppedSum() (n uint64) {
	for _, d := range t.Dropped {
		n += d
	}
	return n
}

// FailedSum adds up the reasons.
func (t *Totals) FailedSum() (n uint64) {
	for _, d := range t.Failed {
		n += d
	}
	return n
}
