package engine

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/share"
)

// asked runs a scenario for a minute whose client asks for so many extras in each call.
func asked(t *testing.T, perSecond, limit float64, arcs Arcs, e protocol.Extra, asks int) (*ledger, int) {
	t.Helper()
	sc, client, book := scenario(t, perSecond)
	sc.Limits.MaxRate = limit
	client.extra, client.asks = e, asks
	engine := newEngine(Options{Arcs: arcs})
	begin := time.Now()
	engine.Apply([]Scenario{sc})
	time.Sleep(time.Minute)
	stop(t, engine)
	if arcs == nil {
		book.balances(t, sc.Timeline.Count(begin, time.Now()))
	}
	return book, len(client.all())
}

func TestRedirectsAreWithinTheCap(t *testing.T) {
	for _, tc := range []struct {
		slots, limit float64
		arcs         Arcs
		most         int // requests on the wire
	}{
		{slots: 5, limit: 5, most: 300},
		{slots: 2, limit: 5, most: 300},
		{slots: 20, limit: 50, most: 3000},
		{slots: 5, limit: 0, most: 300 * 11},
		{slots: 10, limit: 20, arcs: arcsFunc(func(time.Time) share.Arc {
			return share.NewView([]share.Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 1}}).Arc("a")
		}), most: 600},
	} {
		synctest.Test(t, func(t *testing.T) {
			book, firsts := asked(t, tc.slots, tc.limit, tc.arcs, protocol.Redirect, 10)
			n := firsts + book.extras[protocol.Redirect]
			if n > tc.most || n < tc.most-5 {
				t.Errorf("%g/s at a cap of %g/s: %d requests in a minute, want %d", tc.slots, tc.limit, n, tc.most)
			}
			if got := book.withheld[protocol.Redirect][WithheldRateCap]; got != 11*firsts-n {
				t.Errorf("%g/s at a cap of %g/s: %d withheld, want the other %d", tc.slots, tc.limit, got, 11*firsts-n)
			}
			if n := book.drops(DropRateCap); n > 0 {
				t.Errorf("%g/s at a cap of %g/s: %d slots dropped for redirects", tc.slots, tc.limit, n)
			}
		})
	}
}

func TestRepeatsAreWithinTheBudgetAndTheCap(t *testing.T) {
	for _, tc := range []struct {
		name           string
		slots, limit   float64
		least, most    int
		budget, capped bool
	}{
		{name: "a low rate", slots: 1, least: 60, most: 60},
		{name: "the budget holds", slots: 50, least: 350, most: 360, budget: true},
		{name: "the cap holds", slots: 1, limit: 1, least: 0, most: 1, capped: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				book, firsts := asked(t, tc.slots, tc.limit, nil, protocol.Retry, 1)
				n := book.extras[protocol.Retry]
				if n < tc.least || n > tc.most {
					t.Errorf("%d repeats of %d requests, want %d to %d", n, firsts, tc.least, tc.most)
				}
				withheld := book.withheld[protocol.Retry]
				if (withheld[WithheldRetryBudget] > 0) != tc.budget || (withheld[WithheldRateCap] > 0) != tc.capped {
					t.Errorf("withheld %v", withheld)
				}
				if n+withheld[WithheldRetryBudget]+withheld[WithheldRateCap] != firsts {
					t.Errorf("%d repeats and %v withheld of %d", n, withheld, firsts)
				}
			})
		})
	}
}

func TestTransparentRetriesAreWithinTheCapAlone(t *testing.T) {
	for _, tc := range []struct {
		slots, limit float64
		most         int
	}{
		{slots: 50, most: 50 * 60},
		{slots: 50, limit: 60, most: 10*60 + 60},
	} {
		synctest.Test(t, func(t *testing.T) {
			book, firsts := asked(t, tc.slots, tc.limit, nil, protocol.TransparentRetry, 1)
			n := book.extras[protocol.TransparentRetry]
			if n > tc.most || n < tc.most-100 {
				t.Errorf("%g/s at a cap of %g/s: %d retries of %d requests, want %d", tc.slots, tc.limit, n, firsts, tc.most)
			}
			if capped := book.withheld[protocol.TransparentRetry][WithheldRateCap]; n+capped != firsts {
				t.Errorf("%g/s at a cap of %g/s: %d retries and %d beyond the cap, of %d", tc.slots, tc.limit, n, capped, firsts)
			}
		})
	}
}

func TestNothingMoreIsSentOnceCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, _, book := scenario(t, 1)
		e := newEngine(Options{})
		r := newRunner(sc, e.arcs, e.clock, newTimerWaiter(), e.clock.look())
		r.cut.Store(true)
		f, _ := r.flights.Get().(*flight)
		if f.call.Admits(protocol.Redirect) {
			t.Error("a redirect was admitted")
		}
		if book.withheld[protocol.Redirect][WithheldShutdown] != 1 {
			t.Errorf("withheld %v", book.withheld)
		}
	})
}

func TestToAdmitTakesNoAllocation(t *testing.T) {
	sc, _, _ := scenario(t, 1)
	sc.Limits.MaxRate = 1e9
	sc.Recorder = newCountdown(1)
	e := newEngine(Options{})
	r := newRunner(sc, e.arcs, e.clock, newTimerWaiter(), e.clock.look())
	f, _ := r.flights.Get().(*flight)
	if n := testing.AllocsPerRun(1000, func() { f.call.Admits(protocol.Redirect) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

func TestExtrasOfManyGoroutinesAreWithinTheCap(t *testing.T) {
	const perSecond, seconds = 1000, 10
	g := gate{cap: rateCap{max: perSecond}}
	var sent atomic.Int64
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for at := time.Duration(0); at <= seconds*time.Second; at += 100 * time.Microsecond {
				if i == 0 && at%(2*time.Millisecond) == 0 {
					if g.slot(at, 1) {
						sent.Add(1)
					}
				} else if _, ok := g.extra(protocol.Redirect, at, 1); ok {
					sent.Add(1)
				}
			}
		})
	}
	all.Wait()
	// Whichever comes first moves the clock, so that late slots may borrow the slack.
	if n := sent.Load(); n > perSecond*seconds+burstSlack+1 || n < perSecond*seconds/2 {
		t.Errorf("%d requests in %d s at a cap of %d a second", n, seconds, perSecond)
	}
}
