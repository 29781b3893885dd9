package history

import (
	"math"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

const (
	// seconds and minutes are the numbers of points in the ring buffers, and few is the number of
	// seconds where there are many scenarios.
	seconds, minutes, few = 15 * 60, 24 * 60, 20
	// recentMinutes is how far back the figures of single requests reach.
	recentMinutes = 15
	// smoothing is how many points the present figures are over, at least.
	smoothing = 10 * time.Second
)

// The columns of a Series, beside one for each reason. Durations are in seconds.
const (
	// Target is the whole fleet's rate in slots per second.
	Target = "target"
	// Fleet is 1 where the point is of the whole fleet. Where it is missing the point is of this
	// replica alone.
	Fleet = "fleet"
	// Sent are the slots that were not dropped.
	Sent = "sent"
	// Ended are the requests that ended.
	Ended = "ended"
	// P50 is the median of their latency.
	P50 = "p50"
	// P99 is the 99th percentile of their latency.
	P99 = "p99"
	// Delay is the 99th percentile of this replica's own delay.
	Delay = "delay"
	// Users are the journeys in progress.
	Users = "users"
	// Good are the requests of this replica that were good by the SLO.
	Good = "good"
	// Bad are its others.
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

// Gauges are the values that are sampled rather than counted.
type Gauges struct {
	// Target is the fleet's rate; NaN if unknown.
	Target float64
	// Others is what the other replicas do per second; nil if that is not known, or if there are
	// none. It is read only while it is handed over.
	Others *Flow
}

// Totals are the counts since the start.
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
	// targets and others are of this minute. others is nil until something is known of them.
	targets mean
	others  *flows
}

// tracked is a request with its counts at the last minutes, the oldest first.
type tracked struct {
	request
	ended, failed []uint64
}

// mean is the mean of the values added to it.
type mean struct{ sum, n float64 }

func (m *mean) add(v float64) {
	if !math.IsNaN(v) {
		m.sum, m.n = m.sum+v, m.n+1
	}
}

// drain returns the mean, NaN of nothing, and begins anew.
func (m *mean) drain() float64 {
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

// Totals returns the counts since the start. The due slots are read last, so that no
// more seem to have ended.
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
	var others, minute *Flow
	if g.Others != nil {
		others = &Flow{}
		others.add(g.Others, now.Sub(s.second.at).Seconds(), 1)
	}
	if s.others == nil && g.Others != nil {
		s.others = &flows{}
	}
	if s.others != nil {
		s.others.add(g.Others)
	}
	s.seconds.add(now.Unix()-1, s.point(x, &s.second, g.Target, others))
	s.second = *x
	if begun := now.Unix() / 60; begun != s.minute.at.Unix()/60 {
		if s.others != nil {
			minute = s.others.drain(now.Sub(s.minute.at).Seconds())
		}
		s.minutes.add((begun-1)*60, s.point(x, &s.minute, s.targets.drain(), minute))
		s.minute = *x
		for _, q := range s.requests {
			q.ended, q.failed = remember(q.ended, q.request.ended.Load()), remember(q.failed, q.request.failed.Load())
		}
	}
	if now.Sub(s.newer.at) >= smoothing {
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

// point returns the values of the time between two snapshots, in which the others did that.
func (s *Scenario) point(x, before *snapshot, target float64, others *Flow) map[string]float64 {
	t := x.totals.minus(&before.totals)
	latency, delay := x.latency.minus(&before.latency), x.delay.minus(&before.delay)
	f := flowOf(&t, x.totals.Journeys, latency, delay)
	if others != nil {
		f.Add(others)
	}
	v := f.columns()
	if v[Delay] = delay.quantile(0.99); others != nil {
		v[Fleet] = 1
	}
	if !math.IsNaN(target) {
		v[Target] = target
	}
	if s.journeys {
		v[Users] = f.Users
	}
	if s.slo.Objective > 0 {
		v[Good], v[Bad] = float64(t.Good), float64(t.Bad)
	}
	return v
}

// minus returns the increases since an earlier time.
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

// DroppedSum adds up the reasons.
func (t *Totals) DroppedSum() (n uint64) {
	for _, d := range t.Dropped {
		n += d
	}
	return n
}
