package fleet

import (
	"fmt"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
)

// arcs returns arcs that differ.
func arcs(n int) []share.Arc {
	var members []share.Member
	for i := range n {
		members = append(members, share.Member{ID: fmt.Sprintf("%04d", i), Weight: 1})
	}
	v := share.NewView(members)
	var all []share.Arc
	for _, m := range members {
		all = append(all, v.Arc(m.ID))
	}
	return all
}

func TestAWindowTellsThePartOfEachSecond(t *testing.T) {
	parts := arcs(1000)
	w := &window{}
	if w.arc(0) != (share.Arc{}) {
		t.Error("an empty window has a part")
	}
	for s := range int64(500) {
		w = w.with(s, parts[s])
	}
	for s := int64(-5); s < 510; s++ {
		want := share.Arc{}
		switch {
		case s >= 500-keep && s < 500:
			want = parts[s]
		}
		if got := w.arc(s); got != want {
			t.Errorf("second %d: %v, want %v", s, got, want)
		}
	}
}

func TestSecondsThatWereNotDecidedHaveNoPart(t *testing.T) {
	parts := arcs(3)
	w := (&window{}).with(100, parts[0]).with(110, parts[1])
	for s := int64(101); s < 110; s++ {
		if w.arc(s) != (share.Arc{}) {
			t.Errorf("second %d has a part", s)
		}
	}
	if w.arc(100) != parts[0] || w.arc(110) != parts[1] {
		t.Error("those that were decided have not theirs")
	}
	for name, s := range map[string]int64{"back": 50, "far ahead": 10_000} {
		if next := w.with(s, parts[2]); next.arc(s) != parts[2] || next.arc(110) != (share.Arc{}) {
			t.Errorf("after a jump of the clock %s old seconds have parts", name)
		}
	}
}

func TestDecisionsComeBeforeTheirSeconds(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 2000 {
		d := untilNextTick(at)
		next := at.Add(d)
		if d <= 0 || d > time.Second {
			t.Fatalf("at %v the next decision is in %v", at, d)
		}
		if begin := next.Add(lead); !begin.Equal(begin.Truncate(time.Second)) {
			t.Fatalf("the decision at %v is not %v before a second", next, lead)
		}
		at = at.Add(1234567 * time.Nanosecond)
	}
}

func TestTheLastSecondCanBeDecidedAgain(t *testing.T) {
	parts := arcs(3)
	w := (&window{}).with(100, parts[0]).with(101, parts[1])
	again := w.with(101, parts[2])
	if again.arc(100) != parts[0] || again.arc(101) != parts[2] || w.arc(101) != parts[1] {
		t.Errorf("%v, %v", again.arc(100), again.arc(101))
	}
}

func TestAClockThatIsSetBackIsAnAbsence(t *testing.T) {
	f, err := New(gossip(t, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Round(0)
	f.beaten = now
	f.tick(now)
	f.tick(now.Add(-time.Hour))
	if f.Arc(now) != (share.Arc{}) || f.Arc(now.Add(-time.Hour)) != (share.Arc{}) {
		t.Error("it goes on as if nothing had happened")
	}
	if s := f.current(now.Add(-time.Hour)).Second; s > now.Unix() {
		t.Errorf("the view is of second %d", s)
	}
}
