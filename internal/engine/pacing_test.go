package engine

import (
	"iter"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/quick"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// countingWaiter counts how often its owner wakes up.
type countingWaiter struct {
	waiter
	n *atomic.Int64
}

func (c countingWaiter) wait(d time.Duration) {
	c.n.Add(1)
	c.waiter.wait(d)
}

// paced runs a scenario for a while and returns how often its pacer has woken up.
func paced(tb testing.TB, sc Scenario, arcs Arcs, d time.Duration) (wakes int64, begin, end time.Time) {
	tb.Helper()
	var n atomic.Int64
	e := newEngine(Options{Arcs: arcs})
	e.waiter = func(Pacing) waiter { return countingWaiter{newTimerWaiter(), &n} }
	begin = time.Now()
	e.Apply([]Scenario{sc})
	time.Sleep(d)
	end = time.Now()
	stop(tb, e)
	return n.Load(), begin, end
}

// grid is what PacingAuto rounds up to.
const grid = time.Millisecond

// upTo returns the end of the part of a grid that an instant lies in.
func upTo(at time.Time, grid time.Duration) time.Time { return at.Add(grid - 1).Truncate(grid) }

// slotsOf returns the slots with from <= due < to.
func slotsOf(tl *timeline.Timeline, from, to time.Time) iter.Seq[timeline.Slot] {
	return func(yield func(timeline.Slot) bool) {
		cursor := tl.Cursor(from)
		for slot, ok := cursor.Next(to); ok && yield(slot); {
			slot, ok = cursor.Next(to)
		}
	}
}

func TestDueTimesAreRoundedWhereTheReplicaHasManySlots(t *testing.T) {
	third := share.NewView([]share.Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}}).Arc("a")
	for name, tc := range map[string]struct {
		perSecond float64
		arrivals  timeline.Arrivals
		pacing    Pacing
		arc       share.Arc
		grid      time.Duration // 0: not rounded
	}{
		"few":                      {300, timeline.Uniform, PacingAuto, share.Whole(), 0},
		"one in a millisecond":     {1000, timeline.Uniform, PacingAuto, share.Whole(), 0},
		"a little more":            {1001, timeline.Uniform, PacingAuto, share.Whole(), grid},
		"many":                     {4321, timeline.Uniform, PacingAuto, share.Whole(), grid},
		"many at random":           {4321, timeline.Poisson, PacingAuto, share.Whole(), grid},
		"many, but exactly":        {4321, timeline.Poisson, PacingExact, share.Whole(), 0},
		"of which few are its own": {2000, timeline.Uniform, PacingAuto, third, 0},
		"of which many are":        {6000, timeline.Poisson, PacingAuto, third, grid},
		"few for coarse":           {100, timeline.Uniform, PacingCoarse, share.Whole(), 0},
		"many for coarse":          {101, timeline.Poisson, PacingCoarse, share.Whole(), 10 * grid},
		"many in a group":          {4321, timeline.Poisson, PacingCoarse, share.Whole(), 10 * grid},
		"of few in a group":        {300, timeline.Uniform, PacingCoarse, third, 0},
		"of many in a group":       {6000, timeline.Uniform, PacingCoarse, third, 10 * grid},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc, client, book := scenario(t, 0)
				sc.Timeline = newLine(t, timeline.Options{Name: "test", Shape: timeline.Steady{Rate: tc.perSecond}, Arrivals: tc.arrivals})
				sc.Pacing = tc.pacing
				arcs := arcsFunc(func(time.Time) share.Arc { return tc.arc })
				wakes, begin, end := paced(t, sc, arcs, 3*time.Second)
				owned := walk(sc.Timeline, arcs, begin, end)
				book.balances(t, owned)
				if n := uint64(len(client.all())); n != owned || n == 0 {
					t.Errorf("%d requests, want %d", n, owned)
				}
				uniqueSlots(t, client.all())
				instants := map[uint64]time.Time{}
				for slot := range slotsOf(sc.Timeline, begin, end) {
					instants[slot.Seq] = slot.Due
					if tc.grid > 0 {
						instants[slot.Seq] = upTo(slot.Due, tc.grid)
					}
				}
				for _, s := range client.all() {
					if !tc.arc.Owns(s.Seq) || !s.at.Equal(instants[s.Seq]) {
						t.Fatalf("slot %d at %v, want %v", s.Seq, s.at, instants[s.Seq])
					}
				}
				for _, o := range book.outcomes {
					if o.Delay != 0 {
						t.Fatalf("a delay of %v", o.Delay)
					}
				}
				if tc.grid > 0 && wakes > int64(3*time.Second/tc.grid)+100 {
					t.Errorf("woke up %d times in 3 s", wakes)
				}
			})
		})
	}
}

// rising is a timeline whose rate doubles every few seconds, from 250 to 8,000 a second.
func rising(tb testing.TB) *timeline.Timeline {
	tb.Helper()
	var steps timeline.Steps
	for rate := 250.0; rate <= 8000; rate *= 2 {
		steps.Steps = append(steps.Steps, timeline.Step{Rate: rate, For: 2500 * time.Millisecond})
	}
	return newLine(tb, timeline.Options{Name: "test", Shape: steps, Arrivals: timeline.Poisson})
}

func TestRoundingIsDecidedForWholeSeconds(t *testing.T) {
	tl := rising(t)
	for pacing, grid := range map[Pacing]time.Duration{PacingAuto: time.Millisecond, PacingCoarse: 10 * time.Millisecond} {
		r := newRounding(pacing)
		for slot := range slotsOf(tl, epoch(), epoch().Add(15*time.Second)) {
			want := slot.Due
			if tl.Rate(slot.Due.Truncate(time.Second)) > float64(time.Second/grid) {
				want = upTo(slot.Due, grid)
			}
			if due := r.due(tl, slot.Due, 1); !due.Equal(want) {
				t.Fatalf("pacing %d: the slot of %v is due at %v, want %v", pacing, slot.Due, due, want)
			}
		}
	}
}

func TestRoundedDueTimesAreInOrderAndLessThanAGroupLater(t *testing.T) {
	tl := rising(t)
	law := func(seed uint64) bool {
		rnd := rand.New(rand.NewPCG(seed, 0))
		from := epoch().Add(time.Duration(rnd.Int64N(int64(14 * time.Second))))
		ratio, pacing := rnd.Float64(), []Pacing{PacingAuto, PacingCoarse}[rnd.IntN(2)]
		r, last := newRounding(pacing), time.Time{}
		for slot := range slotsOf(tl, from, from.Add(1500*time.Millisecond)) {
			due := r.due(tl, slot.Due, ratio)
			if later := due.Sub(slot.Due); later < 0 || later >= pacing.grid() || due.Before(last) {
				t.Logf("slot of %v at %v, the one before at %v", slot.Due, due, last)
				return false
			}
			// A replica that begins in the middle decides alike.
			if fresh := newRounding(pacing); !fresh.due(tl, slot.Due, ratio).Equal(due) {
				return false
			}
			last = due
		}
		return true
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 30}); err != nil {
		t.Error(err)
	}
}

func TestChangesAndStopsWithinAGroupLoseAndDoubleNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(5, 6))
		sc, client, book := scenario(t, 5000)
		rates := []*timeline.Timeline{sc.Timeline, line(t, timeline.Steady{Rate: 900}), line(t, timeline.Steady{Rate: 20_000})}
		e := newEngine(Options{})
		var want uint64
		for i := range 300 {
			sc.Timeline, sc.Pacing = rates[i%3], Pacing(i/3%3)
			from := time.Now()
			e.Apply([]Scenario{sc})
			time.Sleep(time.Duration(1 + rnd.Int64N(int64(20*time.Millisecond))))
			want += sc.Timeline.Count(from, time.Now())
		}
		stop(t, e)
		book.balances(t, want)
		uniqueSlots(t, client.all())
		if n := uint64(len(client.all())); n != want {
			t.Errorf("%d requests, want %d", n, want)
		}
		for _, o := range book.outcomes {
			if o.Delay != 0 {
				t.Fatalf("a delay of %v", o.Delay)
			}
		}
	})
}

func TestAStepOfTheClockWithManySlotsLosesAndDoublesNothing(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, 7300 * time.Microsecond, -7300 * time.Microsecond, -time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				client, book, tl := steppedAt(t, 5000, 1500300*time.Microsecond, 3*time.Second, step)
				book.balances(t, uint64(len(client.all()))+book.drops(DropLate))
				if step > 0 {
					uniqueSlots(t, client.all())
					book.balances(t, tl.Count(begin, begin.Add(3*time.Second+step)))
				}
				for i := range 30 {
					from := begin.Add(time.Duration(i) * 100 * time.Millisecond)
					if n := client.between(from, from.Add(100*time.Millisecond)); n < 450 || n > 550 {
						t.Errorf("%d requests in the %dth tenth of a second, want 500", n, i)
					}
				}
			})
		})
	}
}
