package engine

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// flatOut returns a scenario that is asked for more than MaxInFlight lets it send at once
// in each millisecond, of a client with these response times.
func flatOut(tb testing.TB, perSecond float64, most int, respondAfter func(protocol.Request) time.Duration) (Scenario, *fake, *ledger) {
	tb.Helper()
	sc, client, book := scenario(tb, perSecond)
	sc.Limits.MaxInFlight = most
	client.respondAfter = respondAfter
	return sc, client, book
}

// within returns response times at random up to a bound.
func within(bound time.Duration) func(protocol.Request) time.Duration {
	return func(r protocol.Request) time.Duration {
		return 1 + time.Duration(rand.New(rand.NewPCG(r.Seq, 7)).Int64N(int64(bound)))
	}
}

// always returns response times that are all the same.
func always(d time.Duration) func(protocol.Request) time.Duration {
	return func(protocol.Request) time.Duration { return d }
}

// inTime fails the test unless each request left before the next group of slots was due, and the others were dropped for lack of room.
func inTime(tb testing.TB, sc *Scenario, client *fake, book *ledger, due uint64) {
	tb.Helper()
	book.balances(tb, due)
	uniqueSlots(tb, client.all())
	if client.peak > sc.Limits.MaxInFlight {
		tb.Errorf("%d in flight at the peak, want up to %d", client.peak, sc.Limits.MaxInFlight)
	}
	if n := uint64(len(client.all())) + book.drops(DropInFlight); n != due {
		tb.Errorf("%d sent or dropped as in_flight of %d", n, due)
	}
	for _, o := range book.outcomes {
		if o.Delay < 0 || o.Delay >= max(grid, sc.Pacing.grid()) {
			tb.Fatalf("a delay of %v", o.Delay)
		}
	}
}

func TestAMillisecondTakesMoreRequestsThanMayBeInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := flatOut(t, 1_000_000, 100, always(200*time.Microsecond))
		begin := time.Now()
		due := run(t, sc, 50*time.Millisecond)
		inTime(t, &sc, client, book, due)
		// Each millisecond has room for five times as many, but when the runner is woken less
		// than a quarter of the responses may be still to come.
		for i := 1; i < 49; i++ {
			from := begin.Add(time.Duration(i) * grid)
			if n := client.between(from, from.Add(grid)); n < 375 || n > 500 {
				t.Fatalf("%d requests in millisecond %d, want some 500", n, i)
			}
		}
	})
}

func TestAGroupTakesMoreRequestsThanMayBeInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := flatOut(t, 5000, 10, always(800*time.Microsecond))
		sc.Pacing = PacingCoarse
		due := run(t, sc, 100*time.Millisecond)
		inTime(t, &sc, client, book, due)
		// There is room for twice as many in 10 ms, but for those of the last group: the runner is
		// stopped just when they are due.
		if n := book.drops(DropInFlight); n > 40 {
			t.Errorf("%d of %d dropped", n, due)
		}
	})
}

func TestWhatFindsNoRoomInItsMillisecondIsDropped(t *testing.T) {
	for name, tc := range map[string]struct {
		perSecond    float64
		most         int
		respondAfter func(protocol.Request) time.Duration
		least        uint64 // sent in 50 ms
	}{
		"at random within it":      {200_000, 100, within(grid), 8000},
		"at random within several": {200_000, 100, within(5 * grid), 1500},
		// The last responses and the next slots come at the same instant, in either order.
		"at its end":                {200_000, 100, always(grid), 2400},
		"just after it":             {200_000, 100, always(grid + 1), 2400},
		"just before it":            {200_000, 100, always(grid - 1), 4800},
		"one at a time":             {50_000, 1, always(100 * time.Microsecond), 450},
		"two at a time":             {50_000, 2, within(100 * time.Microsecond), 900},
		"hardly more than are due":  {20_000, 19, within(grid / 2), 990},
		"less than are due at once": {2000, 1, always(10 * time.Microsecond), 90},
		"none at all":               {200_000, 0, always(0), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc, client, book := flatOut(t, tc.perSecond, tc.most, tc.respondAfter)
				due := run(t, sc, 50*time.Millisecond)
				inTime(t, &sc, client, book, due)
				if n := uint64(len(client.all())); n < tc.least {
					t.Errorf("%d requests, want %d or more", n, tc.least)
				}
			})
		})
	}
}

func TestRoomIsWaitedForOnlyWhereSlotsAreDueTogether(t *testing.T) {
	for name, tc := range map[string]struct {
		perSecond float64
		pacing    Pacing
	}{
		"few":     {1000, PacingAuto},
		"fewer":   {100, PacingCoarse},
		"exactly": {50_000, PacingExact},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc, client, book := flatOut(t, tc.perSecond, 3, always(3500*time.Microsecond))
				sc.Pacing = tc.pacing
				due := run(t, sc, 100*time.Millisecond)
				inTime(t, &sc, client, book, due)
				for _, o := range book.outcomes {
					if o.Delay != 0 {
						t.Fatalf("a delay of %v", o.Delay)
					}
				}
			})
		})
	}
}

func TestWaitingForRoomTakesFewWakeUps(t *testing.T) {
	for name, tc := range map[string]struct {
		respondAfter func(protocol.Request) time.Duration
		most         func(sent uint64) uint64
	}{
		// One for some twenty-five requests, and one a millisecond.
		"while responses come one by one": {within(200 * time.Microsecond), func(sent uint64) uint64 { return sent/20 + 100 }},
		"while none comes":                {always(time.Hour), func(uint64) uint64 { return 60 }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc, client, _ := flatOut(t, 1_000_000, 100, tc.respondAfter)
				e := newEngine(Options{})
				counted := countingWaiter{newTimerWaiter(), new(atomic.Int64)}
				e.waiter = func(Pacing) waiter { return counted }
				e.Apply([]Scenario{sc})
				time.Sleep(50 * time.Millisecond)
				n := uint64(counted.n.Load())
				client.Close()
				stop(t, e)
				if most := tc.most(uint64(len(client.all()))); n > most {
					t.Errorf("woke up %d times for %d requests, want up to %d", n, len(client.all()), most)
				}
			})
		})
	}
}

func TestARunnerThatWaitsForRoomHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(8, 9))
		sc, client, book := flatOut(t, 50_000, 10, within(300*time.Microsecond))
		rates := []*timeline.Timeline{sc.Timeline, line(t, timeline.Steady{Rate: 900}), line(t, timeline.Steady{Rate: 80_000})}
		e := newEngine(Options{})
		var want uint64
		for i := range 100 {
			sc.Timeline, sc.Pacing = rates[i%3], Pacing(i/3%3)
			from := time.Now()
			e.Apply([]Scenario{sc})
			time.Sleep(time.Duration(1 + rnd.Int64N(int64(5*time.Millisecond))))
			want += sc.Timeline.Count(from, time.Now())
		}
		stop(t, e)
		book.balances(t, want)
		uniqueSlots(t, client.all())
		for _, o := range book.outcomes {
			if o.Delay < 0 || o.Delay >= PacingCoarse.grid() {
				t.Fatalf("a delay of %v", o.Delay)
			}
		}
	})
}

func TestARunnerThatWaitsForRoomStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := flatOut(t, 50_000, 10, always(time.Hour))
		e := newEngine(Options{})
		begin := time.Now()
		e.Apply([]Scenario{sc})
		time.Sleep(10*time.Millisecond + 300*time.Microsecond)
		end := time.Now()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := e.Stop(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("stop: %v", err)
		}
		if took := time.Since(end); took > 0 {
			t.Errorf("stopping took %v", took)
		}
		book.balances(t, sc.Timeline.Count(begin, end))
		client.wasClosed(t, 1)
	})
}

func TestAStepOfTheClockWhileRoomIsWaitedForLosesAndDoublesNothing(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, 7300 * time.Microsecond, -7300 * time.Microsecond, -time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc, client, book := flatOut(t, 50_000, 10, within(300*time.Microsecond))
				var w wallClock
				e := newEngine(Options{})
				e.clock = newClock(w.read, slog.New(slog.DiscardHandler))
				begin := time.Now()
				e.Apply([]Scenario{sc})
				time.Sleep(20*time.Millisecond + 300*time.Microsecond)
				w.step(step)
				time.Sleep(20 * time.Millisecond)
				end := time.Now()
				stop(t, e)
				book.balances(t, uint64(len(client.all()))+book.drops(DropInFlight)+book.drops(DropLate))
				if step > 0 {
					uniqueSlots(t, client.all())
					book.balances(t, sc.Timeline.Count(begin, end.Add(step)))
				}
				if n := client.between(begin.Add(25*time.Millisecond), end); n < 400 {
					t.Errorf("%d requests after the step", n)
				}
			})
		})
	}
}
