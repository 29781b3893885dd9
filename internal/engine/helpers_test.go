package engine

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/share"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// ledger is a Recorder that keeps everything and fails the test as soon as the law of the
// ledger is broken: a slot that has ended must have been due.
type ledger struct {
	tb       testing.TB
	forget   bool // to keep no outcomes
	mu       sync.Mutex
	due      uint64
	finished uint64
	dropped  [NumDropReasons]uint64
	outcomes []Outcome
	extras   [protocol.NumExtras]int
	withheld [protocol.NumExtras][NumWithheldReasons]int
	begun    int
	journeys [NumJourneyOutcomes]int
	took     []time.Duration
}

var _ Recorder = (*ledger)(nil)

func (l *ledger) Due(n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due += n
}

func (l *ledger) Dropped(r DropReason, n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped[r] += n
	l.check()
}

func (l *ledger) Exchanged(o Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.forget {
		l.outcomes = append(l.outcomes, o)
	}
}

func (l *ledger) Finished() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finished++
	l.check()
}

func (l *ledger) JourneyBegan(int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun++
}

func (l *ledger) JourneyEnded(_ int, o JourneyOutcome, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.journeys[o]++
	l.took = append(l.took, took)
}

func (l *ledger) Extra(_ int, e protocol.Extra) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.extras[e]++
}

func (l *ledger) Withheld(_ int, e protocol.Extra, why WithheldReason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.withheld[e][why]++
}

func (l *ledger) check() {
	if l.finished+l.allDropped() > l.due {
		l.tb.Errorf("%d finished and %d dropped of %d due", l.finished, l.allDropped(), l.due)
	}
}

func (l *ledger) allDropped() uint64 {
	var n uint64
	for _, d := range l.dropped {
		n += d
	}
	return n
}

// drops returns how many slots were dropped for a reason.
func (l *ledger) drops(r DropReason) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped[r]
}

// balances fails the test unless want slots came due and each has ended.
func (l *ledger) balances(tb testing.TB, want uint64) {
	tb.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.due != want {
		tb.Errorf("%d slots came due, want %d", l.due, want)
	}
	if l.due != l.finished+l.allDropped() {
		tb.Errorf("%d slots due, %d finished, %v dropped", l.due, l.finished, l.dropped)
	}
}

// sent is a request as a client sees it.
type sent struct {
	protocol.Request
	at time.Time
}

// fake is a Client that responds after a while and remembers the calls.
type fake struct {
	respondAfter func(protocol.Request) time.Duration // nil: at once
	fails        func(protocol.Request) bool          // nil: never
	// extra is asked for so many times in each call, before it ends.
	extra  protocol.Extra
	asks   int
	mu     sync.Mutex
	sent   []sent
	closed int
	active int
	peak   int
	// down is closed when the client is.
	down chan struct{}
	// flushes are how many calls each Flush was for.
	flushes   []int
	unflushed int
}

var _ protocol.Client = (*fake)(nil)

func (f *fake) Start(c *protocol.Call) {
	res := protocol.Result{Sent: time.Now(), Code: "200"}
	down := f.begin(c.Request, res.Sent)
	for range f.asks {
		c.Admits(f.extra)
	}
	if f.respondAfter == nil {
		f.end(c, res)
		return
	}
	go func() {
		timer := time.NewTimer(f.respondAfter(c.Request))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-down:
			res.Code, res.Reason, res.Err = "", protocol.ReasonCanceled, context.Canceled
		}
		f.end(c, res)
	}()
}

func (f *fake) begin(r protocol.Request, at time.Time) (down <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, sent{r, at})
	f.active++
	f.unflushed++
	f.peak = max(f.peak, f.active)
	if f.down == nil {
		f.down = make(chan struct{})
	}
	return f.down
}

func (f *fake) end(c *protocol.Call, res protocol.Result) {
	f.mu.Lock()
	f.active--
	f.mu.Unlock()
	res.Done = time.Now()
	if res.Reason == protocol.ReasonNone && f.fails != nil && f.fails(c.Request) {
		res.Reason = protocol.ReasonStatus
	}
	c.Finish(res)
}

func (f *fake) Flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flushes = append(f.flushes, f.unflushed)
	f.unflushed = 0
}

func (f *fake) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed++
	if f.down != nil && f.closed == 1 {
		close(f.down)
	}
}

// wasClosed fails the test unless the client was closed that many times, and none of
// its requests is in flight then.
func (f *fake) wasClosed(tb testing.TB, want int) {
	tb.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed != want {
		tb.Errorf("the client was closed %d times, want %d", f.closed, want)
	}
	if f.closed > 0 && f.active > 0 {
		tb.Errorf("the client was closed with %d requests in flight", f.active)
	}
}

func (f *fake) all() []sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]sent(nil), f.sent...)
}

// between returns the number of requests sent in [from, to).
func (f *fake) between(from, to time.Time) uint64 {
	var n uint64
	for _, s := range f.all() {
		if !s.at.Before(from) && s.at.Before(to) {
			n++
		}
	}
	return n
}

// uniqueSlots fails the test if a slot was sent twice.
func uniqueSlots(tb testing.TB, requests []sent) {
	tb.Helper()
	type id struct {
		segment string
		seq     uint64
	}
	seen := make(map[id]bool, len(requests))
	for _, s := range requests {
		k := id{s.Segment, s.Seq}
		if seen[k] {
			tb.Fatalf("slot %s/%d was sent twice", s.Segment, s.Seq)
		}
		seen[k] = true
	}
}

// line returns the timeline of a shape.
func line(tb testing.TB, shape timeline.Shape) *timeline.Timeline {
	tb.Helper()
	return newLine(tb, timeline.Options{Name: "test", Shape: shape})
}

func newLine(tb testing.TB, o timeline.Options) *timeline.Timeline {
	tb.Helper()
	tl, err := timeline.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return tl
}

// scenario returns a steady scenario with a fake client and a ledger.
func scenario(tb testing.TB, perSecond float64) (Scenario, *fake, *ledger) {
	tb.Helper()
	client, book := &fake{}, &ledger{tb: tb}
	return Scenario{
		Name:     "test",
		Timeline: line(tb, timeline.Steady{Rate: perSecond}),
		Entries:  []Entry{{Weight: 1}},
		Client:   client,
		Recorder: book,
		Limits:   Limits{MaxInFlight: 100, LateAfter: time.Second},
	}, client, book
}

// arcsFunc makes a function an Arcs.
type arcsFunc func(time.Time) share.Arc

// Arc implements Arcs.
func (f arcsFunc) Arc(due time.Time) share.Arc { return f(due) }

// newEngine returns an engine that waits for timers of the runtime, which virtual time
// needs.
func newEngine(o Options) *Engine {
	e := New(o)
	e.waiter = func(Pacing) waiter { return newTimerWaiter() }
	return e
}

// run runs a scenario for a while and returns how many slots were due meanwhile.
func run(tb testing.TB, sc Scenario, d time.Duration) uint64 {
	tb.Helper()
	e := newEngine(Options{})
	begin := time.Now()
	e.Apply([]Scenario{sc})
	time.Sleep(d)
	end := time.Now()
	stop(tb, e)
	return sc.Timeline.Count(begin, end)
}

func stop(tb testing.TB, e *Engine) {
	tb.Helper()
	if err := e.Stop(context.Background()); err != nil {
		tb.Errorf("stop: %v", err)
	}
}
