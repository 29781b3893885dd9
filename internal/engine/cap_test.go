package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// passes counts the slots of n on a timeline, from epoch on, that a cap lets pass to
// an arc.
func passes(tl *timeline.Timeline, maxRate float64, arc share.Arc, n int) (passed, owned int) {
	c := rateCap{max: maxRate}
	cursor := tl.Cursor(epoch())
	for range n {
		slot, _ := cursor.Next(epoch().AddDate(200, 0, 0))
		if !arc.Owns(slot.Seq) {
			continue
		}
		owned++
		if c.slot(slot.Due.Sub(epoch()), arc.Ratio()) {
			passed++
		}
	}
	return passed, owned
}

func TestArrivalsAtTheCapPass(t *testing.T) {
	third := share.NewView([]share.Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}}).Arc("a")
	for _, arrivals := range []timeline.Arrivals{timeline.Uniform, timeline.Poisson} {
		for _, perSecond := range []float64{0.001, 0.05, 1, 50, 1e6} {
			for _, arc := range []share.Arc{share.Whole(), third} {
				t.Run(fmt.Sprintf("%v at %g per second, part %.2f", arrivals, perSecond, arc.Ratio()), func(t *testing.T) {
					tl := newLine(t, timeline.Options{Name: "cap", Shape: timeline.Steady{Rate: perSecond}, Arrivals: arrivals})
					if passed, owned := passes(tl, perSecond, arc, 50_000); passed != owned {
						t.Errorf("the cap held %d slots of %d", owned-passed, owned)
					}
				})
			}
		}
	}
}

func TestArrivalsBeyondTheCapAreHeldToIt(t *testing.T) {
	tl := line(t, timeline.Steady{Rate: 1000})
	const seconds, limit = 100, 50
	passed, _ := passes(tl, limit, share.Whole(), seconds*1000)
	if most := seconds*limit + burstSlack; passed > most || passed < most-2 {
		t.Errorf("%d slots passed in %d s at a limit of %d, want %d", passed, seconds, limit, most)
	}
}

func TestTheCapFollowsTheReplicasPart(t *testing.T) {
	c := rateCap{max: 100}
	count := func(from, to int, ratio float64) (passed int) {
		for ms := from; ms < to; ms++ {
			if c.slot(time.Duration(ms)*time.Millisecond, ratio) {
				passed++
			}
		}
		return passed
	}
	count(0, 10_000, 1) // Uses up the burst.
	if n := count(10_000, 20_000, 0.5); n < 499 || n > 501 {
		t.Errorf("%d of 10 s passed at half of 100 a second", n)
	}
	if n := count(20_000, 30_000, 1); n < 999 || n > 1001 {
		t.Errorf("%d of 10 s passed at 100 a second", n)
	}
	if n := count(30_000, 40_000, 0); n > 1 {
		t.Errorf("%d passed at no part at all", n)
	}
}

func TestWithoutACapAllPass(t *testing.T) {
	var c rateCap
	for range 10_000 {
		if !c.slot(0, 1) || !c.extra(0, 1) {
			t.Fatal("held")
		}
	}
}

func TestSlotsBeyondTheCapAreDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 500) // Its timeline was not clamped.
		sc.Limits.MaxRate = 100
		due := run(t, sc, time.Minute)
		book.balances(t, due)
		n := len(client.all())
		if most := 60*100 + burstSlack; n > most || n < most-2 {
			t.Errorf("%d requests in a minute, want 100 a second and a burst: %d", n, most)
		}
		if got := book.drops(DropRateCap); got != due-uint64(n) {
			t.Errorf("%d dropped by the cap, want the other %d", got, due-uint64(n))
		}
	})
}

func TestExtrasHaveWhatSlotsLeaveOfTheRate(t *testing.T) {
	for _, tc := range []struct {
		slots, limit float64
		least, most  int // extras in a minute
	}{
		{slots: 5, limit: 5, least: 0, most: 0},
		{slots: 4, limit: 5, least: 59, most: 61},
		{slots: 2, limit: 5, least: 177, most: 182},
		{slots: 0.5, limit: 5, least: 119, most: 125}, // The level is full before each slot.
		{slots: 0.05, limit: 0.1, least: 2, most: 3},
	} {
		t.Run(fmt.Sprintf("%g of %g per second", tc.slots, tc.limit), func(t *testing.T) {
			c := rateCap{max: tc.limit}
			extras := 0
			gap := time.Duration(float64(time.Second) / tc.slots)
			for due := gap / 2; due < time.Minute; due += gap {
				if !c.slot(due, 1) {
					t.Fatalf("the slot at %v is held", due)
				}
				for range 10 { // A redirect to itself.
					if c.extra(due, 1) {
						extras++
					}
				}
			}
			if extras < tc.least || extras > tc.most {
				t.Errorf("%d extras, want %d to %d", extras, tc.least, tc.most)
			}
		})
	}
}

func TestArrivalsAtTheCapPassBesideAnyNumberOfExtras(t *testing.T) {
	for _, perSecond := range []float64{0.05, 1, 50, 1e4} {
		t.Run(fmt.Sprintf("%g per second", perSecond), func(t *testing.T) {
			tl := newLine(t, timeline.Options{Name: "cap", Shape: timeline.Steady{Rate: perSecond}, Arrivals: timeline.Poisson})
			c := rateCap{max: perSecond}
			cursor := tl.Cursor(epoch())
			for i := range 50_000 {
				slot, _ := cursor.Next(epoch().AddDate(200, 0, 0))
				due := slot.Due.Sub(epoch())
				if !c.slot(due, 1) {
					t.Fatalf("slot %d is held", i)
				}
				for c.extra(due, 1) { // Whatever there is.
				}
			}
		})
	}
}

// wired is a request that a cap let through.
type wired struct {
	at    time.Duration // on the wire
	extra bool
	// room is the most that the cap may have had in store just before it, and earned what the
	// rate has come to until then.
	room, earned float64
}

// history sends slots and extras at random through a cap, slots up to late after they were
// due, and returns those that passed.
func history(r *rand.Rand, limit float64, late time.Duration, ratio func() float64) []wired {
	const perSecond = 30
	c := rateCap{max: limit}
	var through []wired
	var now, credited time.Duration
	var earned, known, lastDue float64
	part := ratio()
	known = part
	for range 1000 {
		now += time.Duration(r.ExpFloat64() * float64(time.Second) / perSecond)
		if r.IntN(300) == 0 {
			now += time.Duration(r.Int64N(int64(5 * time.Second))) // Nothing happens for a while.
		}
		if r.IntN(100) == 0 {
			part = ratio()
		}
		at, extra := now, r.IntN(3) > 0
		if !extra {
			at = max(now-time.Duration(r.Int64N(int64(late))), time.Duration(lastDue))
			lastDue = float64(at)
		}
		if at > credited {
			earned += (limit*known + rateSlack) * (at - credited).Seconds()
			credited, known = at, part
		}
		if w := (wired{now, extra, max(leastBurst, limit*known+rateSlack), earned}); extra && c.extra(at, part) || !extra && c.slot(at, part) {
			through = append(through, w)
		}
	}
	return through
}

func TestNoWindowHasMoreThanTheRateAndTheBurst(t *testing.T) {
	const late = 100 * time.Millisecond
	parts := func(r *rand.Rand) func() float64 {
		return func() float64 { return []float64{0, 0.1, 1.0 / 3, 0.5, 1}[r.IntN(5)] }
	}
	for seed := range uint64(10) {
		for _, limit := range []float64{0.5, 5, 20, 200} {
			r := rand.New(rand.NewPCG(seed, uint64(limit*10)))
			all := history(r, limit, late, parts(r))
			for i := range all {
				for j := i; j < len(all); j++ {
					most := all[i].room + all[j].earned - all[i].earned + 1e-6
					if !all[j].extra {
						most += burstSlack
					}
					if n := float64(j - i + 1); n > most {
						t.Fatalf("seed %d, limit %g: %g requests from %v to %v, want at most %.2f",
							seed, limit, n, all[i].at, all[j].at, most)
					}
				}
			}
		}
	}
}

func TestNoWindowOfTheWireHasMoreThanTheRateAndTheBurst(t *testing.T) {
	const late = 100 * time.Millisecond
	for seed := range uint64(10) {
		for _, limit := range []float64{0.5, 5, 20, 200} {
			all := history(rand.New(rand.NewPCG(seed, uint64(limit*10))), limit, late, func() float64 { return 1 })
			for i := range all {
				for j := i; j < len(all); j++ {
					most := max(leastBurst, limit) + (limit+rateSlack)*(all[j].at-all[i].at+late).Seconds() + 1e-6
					if n := float64(j - i + 1); all[j].extra && n > most {
						t.Fatalf("seed %d, limit %g: %g requests from %v to %v, want at most %.2f",
							seed, limit, n, all[i].at, all[j].at, most)
					}
				}
			}
		}
	}
}

func TestALateSlotEarnsNothingTwice(t *testing.T) {
	c := rateCap{max: 10}
	n := 0
	for ms := 1000; ms < 11_000; ms++ {
		now := time.Duration(ms) * time.Millisecond
		if c.extra(now, 1) {
			n++
		}
		if ms%1000 == 0 && c.slot(now-time.Second, 1) {
			n++
		}
	}
	if n > 111 {
		t.Errorf("%d requests in 10 s at 10 a second, with a second's worth at the start", n)
	}
}

func TestWhatIsNoSlotsPassesTheSameGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 10)
		sc.Limits.MaxRate = 20
		e := newEngine(Options{})
		if e.Admit("test") {
			t.Error("a request of a scenario that does not run is admitted")
		}
		begin := time.Now()
		e.Apply([]Scenario{sc})
		admitted := 0
		for range 1000 {
			time.Sleep(10 * time.Millisecond)
			if e.Admit("test") {
				admitted++
			}
		}
		if e.Admit("another") {
			t.Error("a request of an unknown scenario is admitted")
		}
		due := sc.Timeline.Count(begin, time.Now())
		stop(t, e)
		book.balances(t, due)
		// 10/s are left of 20/s, and a second's worth may come at once.
		if admitted < 95 || admitted > 125 {
			t.Errorf("%d requests were admitted in 10 s, want about 100", admitted)
		}
		if n := book.drops(DropRateCap); n != 0 || len(client.all()) != int(due) {
			t.Errorf("%d slots were dropped, %d sent of %d", n, len(client.all()), due)
		}
		if e.Admit("test") {
			t.Error("a request is admitted after the stop")
		}
	})
}
