package engine

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// epoch is an instant to count from.
func epoch() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// stepped runs a scenario of 100 slots a second for 30 s. After 10.005 s the wall
// clock is stepped.
func stepped(t *testing.T, step time.Duration) (*fake, *ledger, *timeline.Timeline) {
	t.Helper()
	return steppedAt(t, 100, 10*time.Second+5*time.Millisecond, 30*time.Second, step)
}

// steppedAt does so at another rate, after another time and for another one.
func steppedAt(t *testing.T, perSecond float64, after, length, step time.Duration) (*fake, *ledger, *timeline.Timeline) {
	t.Helper()
	sc, client, book := scenario(t, perSecond)
	var w wallClock
	e := newEngine(Options{})
	e.clock = newClock(w.read, slog.New(slog.DiscardHandler))
	e.Apply([]Scenario{sc})
	time.Sleep(after)
	w.step(step)
	time.Sleep(length - after)
	stop(t, e)
	return client, book, sc.Timeline
}

func TestAStepOfTheClockNeitherStallsNorBursts(t *testing.T) {
	for _, step := range []time.Duration{
		time.Hour, 3 * time.Second, 100 * time.Millisecond,
		-100 * time.Millisecond, -3 * time.Second, -time.Hour,
		31 * 24 * time.Hour,
	} {
		t.Run(step.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				client, book, tl := stepped(t, step)
				for s := range 30 {
					from := begin.Add(time.Duration(s) * time.Second)
					if n := client.between(from, from.Add(time.Second)); n < 98 || n > 102 {
						t.Errorf("%d requests in second %d, want 100", n, s)
					}
				}
				// Found out by the leader's next wake, at most 10 ms later.
				late := uint64(0)
				if step > 0 {
					at := begin.Add(10*time.Second + 5*time.Millisecond)
					late = tl.Count(at, at.Add(step))
				}
				if n := book.drops(DropLate); n+1 < late || n > late+1 {
					t.Errorf("%d slots were dropped as late, want %d", n, late)
				}
				book.balances(t, uint64(len(client.all()))+book.drops(DropLate))
				for _, o := range book.outcomes {
					if o.Delay != 0 {
						t.Fatalf("a delay of %v", o.Delay)
					}
				}
			})
		})
	}
}

func TestAStepForwardSendsNoSlotTwiceAndSkipsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		client, book, tl := stepped(t, time.Hour)
		uniqueSlots(t, client.all())
		book.balances(t, tl.Count(begin, begin.Add(time.Hour+30*time.Second)))
	})
}

// stepper is a ledger that steps the clock as soon as a slot has been handed out.
type stepper struct {
	ledger
	clock *wallClock
	step  time.Duration
	once  sync.Once
}

// Due implements Recorder.
func (s *stepper) Due(n uint64) {
	s.ledger.Due(n)
	s.once.Do(func() { s.clock.step(s.step) })
}

func TestASlotThatWasSentBeforeAStepIsNotCountedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, _, _ := scenario(t, 100)
		const step = 3 * time.Second
		var w wallClock
		book := &stepper{ledger: ledger{tb: t}, clock: &w, step: step}
		sc.Recorder = book
		e := newEngine(Options{})
		e.clock = newClock(w.read, slog.New(slog.DiscardHandler))
		begin := time.Now()
		e.Apply([]Scenario{sc})
		time.Sleep(time.Second)
		end := time.Now().Add(step)
		stop(t, e)
		book.balances(t, sc.Timeline.Count(begin, end))
	})
}

// stalled runs a scenario of 100 slots a second and holds its leader up once, where
// it asks what it owns. The leader is held just before the slot at 10 s.
func stalled(t *testing.T, stall time.Duration) (client *fake, book *ledger, due uint64, end time.Time) {
	t.Helper()
	sc, client, book := scenario(t, 100)
	begin := time.Now()
	var once sync.Once
	e := newEngine(Options{Arcs: arcsFunc(func(due time.Time) share.Arc {
		if due.Sub(begin) >= 10*time.Second {
			once.Do(func() { time.Sleep(stall) })
		}
		return share.Whole()
	})})
	e.Apply([]Scenario{sc})
	time.Sleep(20*time.Second + stall)
	now := time.Now()
	stop(t, e)
	return client, book, sc.Timeline.Count(begin, now), now.Add(-10 * time.Second)
}

func TestAStallWithinLateAfterIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, book, due, _ := stalled(t, 500*time.Millisecond)
		book.balances(t, due)
		if n := uint64(len(client.all())); n != due {
			t.Errorf("%d requests, want all %d", n, due)
		}
		// Their latency includes the stall.
		late := 0
		for _, o := range book.outcomes {
			if o.Delay > 0 {
				late++
			}
			if o.Delay > 500*time.Millisecond || o.Latency() < o.Delay {
				t.Fatalf("delay %v, latency %v", o.Delay, o.Latency())
			}
		}
		if late < 48 || late > 50 {
			t.Errorf("%d requests were late, want those of half a second", late)
		}
	})
}

func TestALongStallIsDroppedAndNoBurstFollows(t *testing.T) {
	for _, stall := range []time.Duration{1100 * time.Millisecond, 30 * time.Second, 31 * 24 * time.Hour} {
		t.Run(stall.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, book, due, end := stalled(t, stall)
				book.balances(t, due)
				late := uint64(stall.Seconds() * 100)
				if n := book.drops(DropLate); n+2 < late || n > late+2 {
					t.Errorf("%d slots were dropped, want those of the stall: %d", n, late)
				}
				for s := range 10 {
					from := end.Add(time.Duration(s) * time.Second)
					if n := client.between(from, from.Add(time.Second)); n < 98 || n > 102 {
						t.Errorf("%d requests in second %d after the stall", n, s)
					}
				}
				uniqueSlots(t, client.all())
			})
		})
	}
}

func TestStallsAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, _, book := scenario(t, 10)
		var log bytes.Buffer
		e := newEngine(Options{
			// Each call takes longer than the slots may be overdue.
			Arcs:   arcsFunc(func(time.Time) share.Arc { time.Sleep(2 * time.Second); return share.Whole() }),
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		e.Apply([]Scenario{sc})
		time.Sleep(150 * time.Second)
		stop(t, e)
		if book.drops(DropLate) == 0 {
			t.Error("nothing was late")
		}
		if n := strings.Count(log.String(), "scenario=test"); n < 1 || n > 3 {
			t.Errorf("%d lines in the log of 150 s:\n%s", n, log.String())
		}
	})
}

// newTestPacer returns a pacer that waits at an instant.
func newTestPacer(tb testing.TB, tl *timeline.Timeline, arcs Arcs) *pacer {
	tb.Helper()
	sc, _, _ := scenario(tb, 1)
	sc.Timeline = tl
	logger := slog.New(slog.DiscardHandler)
	return newPacer(&sc, arcs, newClock(systemClocks, logger), newTimerWaiter(), reading{wall: epoch()})
}

// passed has a pacer go on from one instant to another, and returns how many of its slots it passed.
func passed(p *pacer, from, to time.Time) uint64 {
	p.cursor.Seek(from)
	p.seen = from
	return p.pass(to)
}

// walk counts what pass does, slot by slot.
func walk(tl *timeline.Timeline, arcs Arcs, from, to time.Time) uint64 {
	var n uint64
	cursor := tl.Cursor(from)
	for slot, ok := cursor.Next(to); ok; slot, ok = cursor.Next(to) {
		if arcs.Arc(slot.Due).Owns(slot.Seq) {
			n++
		}
	}
	return n
}

// changing returns Arcs that change at whole seconds.
func changing(seed uint64) Arcs {
	whole := share.Whole()
	view := share.NewView([]share.Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}})
	arcs := []share.Arc{{}, whole, view.Arc("a"), view.Arc("b"), whole}
	return arcsFunc(func(due time.Time) share.Arc {
		// The same for a few seconds on end.
		return arcs[(uint64(due.Unix())/3*0x9E3779B97F4A7C15^seed)>>32%uint64(len(arcs))]
	})
}

func FuzzPassingSlotsCountsWhatAWalkDoes(f *testing.F) {
	f.Add(uint64(1), 10.0, int64(0), int64(5*time.Second), false)
	f.Add(uint64(2), 100.0, int64(time.Second), int64(time.Minute), true)
	f.Add(uint64(3), 0.5, int64(24*time.Hour)-int64(10*time.Second), int64(20*time.Second), true)
	f.Add(uint64(4), 3.0, int64(time.Second-1), int64(1), false)
	f.Fuzz(func(t *testing.T, seed uint64, perSecond float64, offset, length int64, poisson bool) {
		if !(perSecond >= 0 && perSecond < 1000) {
			t.Skip()
		}
		o := timeline.Options{Name: "owned", Shape: timeline.Steady{Rate: perSecond}}
		if poisson {
			o.Arrivals = timeline.Poisson
		}
		tl := newLine(t, o)
		from := epoch().Add(time.Duration(offset))
		to := from.Add(time.Duration(length) % time.Minute)
		arcs := changing(seed)
		p := newTestPacer(t, tl, arcs)
		if got, want := passed(p, from, to), walk(tl, arcs, from, to); got != want {
			t.Errorf("%d slots are owned in [%v, %v), want %d", got, from, to, want)
		}
	})
}

func TestPassingSlotsIsExactOverAMinuteOfChanges(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	tl := line(t, timeline.Sine{Mean: 50, Amplitude: 40, Period: time.Minute})
	for range 200 {
		arcs := changing(rnd.Uint64())
		from := epoch().Add(time.Duration(rnd.Int64N(int64(48 * time.Hour))))
		to := from.Add(time.Duration(rnd.Int64N(int64(time.Minute))))
		if got, want := passed(newTestPacer(t, tl, arcs), from, to), walk(tl, arcs, from, to); got != want {
			t.Errorf("%d slots are owned in [%v, %v), want %d", got, from, to, want)
		}
	}
}

func TestPassingAMonthAtAMillionASecondLooksAtFewInstants(t *testing.T) {
	for _, arrivals := range []timeline.Arrivals{timeline.Uniform, timeline.Poisson} {
		t.Run(arrivals.String(), func(t *testing.T) {
			tl := newLine(t, timeline.Options{Name: "month", Shape: timeline.Steady{Rate: 1e6}, Arrivals: arrivals})
			looks := 0
			p := newTestPacer(t, tl, arcsFunc(func(time.Time) share.Arc { looks++; return share.Whole() }))
			from := epoch().Add(12345 * time.Microsecond)
			to := from.AddDate(0, 1, 0)
			if got, want := passed(p, from, to), tl.Count(from, to); got != want || want < 26e11 {
				t.Errorf("%d slots, want %d", got, want)
			}
			if looks > 62+31*24 {
				t.Errorf("looked %d times", looks)
			}
		})
	}
}

func TestOwnershipIsAskedForShortlyBeforeTheDueTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 50)
		begin := time.Now()
		change := begin.Add(10 * time.Second)
		var asked atomic.Int64
		e := newEngine(Options{Arcs: arcsFunc(func(due time.Time) share.Arc {
			asked.Add(1)
			if ahead := time.Until(due); ahead > horizon {
				t.Errorf("asked %v ahead", ahead)
			}
			if due.Before(change) {
				return share.Whole()
			}
			return share.Arc{}
		})})
		e.Apply([]Scenario{sc})
		time.Sleep(20 * time.Second)
		stop(t, e)
		want := sc.Timeline.Count(begin, change)
		book.balances(t, want)
		if n := client.between(begin, change); n != want {
			t.Errorf("%d requests before the change, want %d", n, want)
		}
		if asked.Load() == 0 {
			t.Error("never asked")
		}
	})
}

func TestReplicasShareATimelineWithoutGapOrDuplicate(t *testing.T) {
	for name, view := range map[string]share.View{
		"one replica":             share.NewView([]share.Member{{ID: "a", Weight: 1}}),
		"three of uneven weights": share.NewView([]share.Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 1}, {ID: "c", Weight: 2}}),
		"one without weight":      share.NewView([]share.Member{{ID: "a", Weight: 3}, {ID: "b", Weight: 0}}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc, _, book := scenario(t, 50)
				client := &fake{}
				begin := time.Now()
				engines := replicas(sc, client, view)
				time.Sleep(time.Minute)
				end := time.Now()
				for _, e := range engines {
					stop(t, e)
				}
				want := sc.Timeline.Count(begin, end)
				book.balances(t, want)
				uniqueSlots(t, client.all())
				if n := client.between(begin, end); n != want || want != 3000 {
					t.Errorf("%d requests, want %d", n, want)
				}
			})
		})
	}
}

func TestAReplicaWithoutAnArcSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, _, book := scenario(t, 50)
		e := newEngine(Options{Arcs: arcsFunc(func(time.Time) share.Arc { return share.Arc{} })})
		e.Apply([]Scenario{sc})
		time.Sleep(time.Minute)
		stop(t, e)
		book.balances(t, 0)
	})
}
