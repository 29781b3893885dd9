package engine

import (
	"fmt"
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
		if c.allow(slot.Due, arc.Ratio()) {
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
	if most := (seconds+1)*limit + burstSlack; passed > most || passed < most-2 {
		t.Errorf("%d slots passed in %d s at a limit of %d, want %d", passed, seconds, limit, most)
	}
}

func TestTheCapFollowsTheReplicasPart(t *testing.T) {
	c := rateCap{max: 100}
	count := func(from, to int, ratio float64) (passed int) {
		for ms := from; ms < to; ms++ {
			if c.allow(epoch().Add(time.Duration(ms)*time.Millisecond), ratio) {
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
		if !c.allow(epoch(), 1) {
			t.Fatal("held")
		}
	}
}

func TestSlotsBeyondTheCapAreDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 500) // Its timeline was not clamped.
		sc.Limits.MaxRate = 100
		due := run(t, sc, time.Minute)
		book.settled(t, due)
		n := len(client.all())
		if most := 61*100 + burstSlack; n > most || n < most-2 {
			t.Errorf("%d requests in a minute, want 100 a second and a burst: %d", n, most)
		}
		if got := book.drops(DropRateCap); got != due-uint64(n) {
			t.Errorf("%d dropped by the cap, want the other %d", got, due-uint64(n))
		}
	})
}
