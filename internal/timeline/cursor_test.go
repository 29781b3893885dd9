package timeline_test

import (
	"slices"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

func TestNextEndsWhereNothingIsDue(t *testing.T) {
	silent := map[string]timeline.Shape{
		"always 0":          timeline.Steady{},
		"0 by the clock":    timeline.Daily{Points: []timeline.DayPoint{{}}},
		"0 by the week":     timeline.Weekly{Points: []timeline.WeekPoint{{}}},
		"scaled to 0":       timeline.Adjusted{Shape: timeline.Steady{Rate: 5}, Max: 1},
		"limited to 0":      timeline.Adjusted{Shape: timeline.Steady{Rate: 5}, Scale: 1},
		"one in 3000 years": timeline.Steady{Rate: 1e-11},
	}
	for name, shape := range silent {
		for _, a := range []timeline.Arrivals{timeline.Uniform, timeline.Poisson} {
			t.Run(name+", "+a.String(), func(t *testing.T) {
				tl := newTimeline(t, timeline.Options{Name: "silent", Shape: shape, Arrivals: a, Location: zone(t, "Europe/Berlin")})
				end := start.AddDate(3, 0, 0)
				if slot, ok := tl.Cursor(start).Next(end); ok {
					t.Errorf("a slot is due at %v", slot.Due)
				}
				if n := tl.Count(start, end); n != 0 {
					t.Errorf("%d slots", n)
				}
				for r := range tl.Ranges(start, end) {
					t.Errorf("a range: %v", r)
				}
			})
		}
	}
}

func TestNextYieldsOnlyWhatIsDueBefore(t *testing.T) {
	c := newTimeline(t, timeline.Options{Name: "x", Shape: timeline.Steady{Rate: 1}}).Cursor(start)
	first, ok := c.Next(start.Add(time.Hour))
	if !ok {
		t.Fatal("no slot within an hour")
	}
	due := first.Due.Add(time.Second)
	if slot, early := c.Next(due); early {
		t.Fatalf("slot due at %v is not before %v", slot.Due, due)
	}
	second, ok := c.Next(due.Add(1))
	if !ok || !second.Due.Equal(due) || second.Seq != first.Seq+1 {
		t.Errorf("slot %d due at %v, want %d at %v", second.Seq, second.Due, first.Seq+1, due)
	}
}

func TestSeekMovesBothWays(t *testing.T) {
	for _, a := range []timeline.Arrivals{timeline.Uniform, timeline.Poisson} {
		c := newTimeline(t, timeline.Options{Name: "x", Shape: business(100), Arrivals: a}).Cursor(start)
		far := start.AddDate(1, 0, 0)
		var slots []timeline.Slot
		for range 5000 {
			slot, _ := c.Next(far)
			slots = append(slots, slot)
		}
		for _, k := range []int{4000, 0, 4999, 1, 1024, 2500} {
			c.Seek(slots[k].Due)
			if slot, _ := c.Next(far); slot != slots[k] {
				t.Errorf("%v: after seeking slot %d at %v comes %v", a, slots[k].Seq, slots[k].Due, slot)
			}
		}
	}
}

func TestRangesAreTheSlotsThatACursorFinds(t *testing.T) {
	from, to := start, start.AddDate(0, 0, 3)
	tl := newTimeline(t, timeline.Options{Name: "x", Shape: business(0.02), Arrivals: timeline.Poisson})
	var walked, counted []string
	for c := tl.Cursor(from); ; {
		slot, ok := c.Next(to)
		if !ok {
			break
		}
		walked = append(walked, identity(slot.Segment, slot.Seq))
	}
	for r := range tl.Ranges(from, to) {
		for seq := r.From; seq < r.To; seq++ {
			counted = append(counted, identity(r.Segment, seq))
		}
	}
	if len(walked) < 1000 || !slices.Equal(walked, counted) {
		t.Errorf("a cursor finds %d slots, the ranges have %d", len(walked), len(counted))
	}
	for range tl.Ranges(from, to) {
		break // A caller may stop early.
	}
}

func identity(segment string, seq uint64) string {
	return segment + ":" + time.Duration(seq).String()
}

func TestDuePanicsBeyondTheEnd(t *testing.T) {
	s := newTimeline(t, timeline.Options{Shape: timeline.Steady{Rate: 1}}).Segment(start)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	s.Due(s.Len())
}

// A changed file must not reuse the identity of a slot.
func TestEveryChangeOfTheTimelineChangesTheSegment(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	seen := map[string]timeline.Options{}
	for _, o := range []timeline.Options{
		{Name: "a", Shape: timeline.Steady{Rate: 1}},
		{Name: "a", Shape: timeline.Steady{Rate: 1.0000001}},
		{Name: "a", Shape: timeline.Steady{Rate: 1}, Arrivals: timeline.Poisson},
		{Name: "a", Shape: timeline.Steady{Rate: 1}, Location: berlin},
		{Name: "a", Shape: timeline.Steady{Rate: 1}, MaxRate: 0.9},
		{Name: "a", Shape: timeline.Ramp{From: 1, To: 2, Over: time.Hour}},
		{Name: "a", Shape: timeline.Ramp{From: 1, To: 2, Over: time.Hour, Every: 2 * time.Hour}},
		{Name: "a", Shape: timeline.Ramp{From: 2, To: 1, Over: time.Hour}},
	} {
		tl := newTimeline(t, o)
		id := tl.Segment(start).ID
		if other, found := seen[id]; found {
			t.Errorf("%v and %v share segment %s", o, other, id)
		}
		seen[id] = o
		if again := newTimeline(t, o).Segment(start.Add(time.Hour)).ID; again != id {
			t.Errorf("%v: segment %s, and %s an hour later", o, id, again)
		}
	}
}

// These numbers are the same on every processor and in every version that follows:
// replicas of different versions share one fleet. A change of them is a break.
func TestTheTimelineDoesNotChange(t *testing.T) {
	shape := timeline.Sum{Shapes: []timeline.Shape{
		business(50),
		timeline.Adjusted{Shape: timeline.Sine{Mean: 3, Amplitude: 9, Period: 7 * time.Minute, PeakAt: time.Minute}, Scale: 1.1, Max: 11},
		timeline.Weekly{Points: []timeline.WeekPoint{{Day: time.Friday, At: time.Hour, Rate: 3}, {Day: time.Sunday, Rate: 0.1}}},
	}}
	tests := map[timeline.Arrivals]struct {
		id     string
		digest uint64
	}{
		timeline.Uniform: {"20261122T230000Z-c089a99d", 0xee367e1fd29730a},
		timeline.Poisson: {"20261122T230000Z-2a296408", 0x24d7e79cee9a8cd9},
	}
	for a, test := range tests {
		tl := newTimeline(t, timeline.Options{Name: "golden", Shape: shape, Arrivals: a, Location: zone(t, "Europe/Berlin")})
		if id := tl.Segment(start).ID; id != test.id {
			t.Errorf("%v: segment %s, want %s", a, id, test.id)
		}
		digest := uint64(14695981039346656037)
		c := tl.Cursor(start)
		for range 100_000 {
			slot, _ := c.Next(start.AddDate(1, 0, 0))
			for _, x := range []uint64{uint64(slot.Due.UnixNano()), slot.Seq, slot.Hash} {
				digest = (digest ^ x) * 1099511628211
			}
		}
		if digest != test.digest {
			t.Errorf("%v: digest %#x, want %#x", a, digest, test.digest)
		}
	}
}

func TestNumbersDrawnWithDifferentSeedsHaveNothingToDoWithEachOther(t *testing.T) {
	const n, bins = 100_000, 10
	var both [bins][bins]int
	seg := newTimeline(t, timeline.Options{Name: "x", Shape: timeline.Steady{Rate: 100}}).Segment(start)
	for seq := range uint64(n) {
		hash := seg.Slot(seq).Hash
		x, y := timeline.Draw(hash, 1), timeline.Draw(hash, 2)
		if x < 0 || x >= 1 || y < 0 || y >= 1 {
			t.Fatalf("slot %d: %v and %v are not in [0, 1)", seq, x, y)
		}
		both[int(x*bins)][int(y*bins)]++
	}
	for i, row := range both {
		for j, got := range row {
			if want := n / bins / bins; got < want*8/10 || got > want*12/10 {
				t.Errorf("%d slots fall into square %d, %d, want about %d", got, i, j, want)
			}
		}
	}
}
