package timeline_test

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

func TestASplicedTimelineIsThePlainOnesOneAfterTheOther(t *testing.T) {
	n := uint64(300)
	if testing.Short() {
		n = 40
	}
	refused := 0
	for seed := range n {
		if !checkSplice(t, seed) {
			refused++
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if refused > int(n/4) {
		t.Errorf("%d of %d random timelines are refused", refused, n)
	}
}

func FuzzSplice(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(1_000_000 + seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { checkSplice(t, seed) })
}

// checkSplice draws a spliced timeline and a time, compares it with its reference, and
// reports whether New accepts its ingredients.
func checkSplice(t *testing.T, seed uint64) bool {
	t.Helper()
	s, ok := newSplice(t, newRandom(seed))
	if !ok {
		return false
	}
	s.walk(t)
	s.ranges(t)
	s.skip(t)
	s.identities(t)
	s.segments(t)
	for _, at := range s.instants() {
		s.seek(t, at)
		s.rate(t, at)
		s.interval(t, at, at.Add(s.between(0, s.window(), 1)))
	}
	s.interval(t, s.from, s.to)
	s.peak(t, s.from, s.to)
	s.peak(t, s.from.Add(s.between(0, s.window(), 1)), s.from.Add(s.between(0, s.window(), 1)))
	return true
}

// splice is a spliced timeline with what it is made of, and its slots in [from, to)
// found in a plain way.
type splice struct {
	random
	base      *timeline.Timeline
	stretches []timeline.Stretch
	tl        *timeline.Timeline
	from, to  time.Time
	slots     []timeline.Slot
}

// newSplice draws one. The window has at most some thousands of slots.
func newSplice(t *testing.T, r random) (splice, bool) {
	t.Helper()
	base, err := timeline.New(r.options(t))
	if err != nil {
		return splice{}, false
	}
	s := splice{random: r, base: base, from: r.instant()}
	others := []*timeline.Timeline{base}
	peak := base.Segment(s.from).Peak()
	for range 1 + r.IntN(4) {
		other, err := r.other(base, peak)
		if err != nil {
			return splice{}, false
		}
		others = append(others, other)
	}
	for _, other := range others {
		peak = max(peak, other.Segment(s.from).Peak())
	}
	window := min(20*24*time.Hour, max(time.Microsecond, time.Duration(1e9*min(1e9, 1500/peak))))
	s.to = s.from.Add(window)
	s.stretches = s.draw(others)
	s.tl = spliced(t, base, s.stretches)
	s.slots = s.reference()
	return s, true
}

// other draws a timeline to replace parts of the base.
func (r random) other(base *timeline.Timeline, peak float64) (*timeline.Timeline, error) {
	peak *= math.Exp(4*r.Float64() - 2)
	switch r.IntN(6) {
	case 0:
		return base.Scaled(0)
	case 1:
		return base.Scaled(1)
	case 2:
		return base.Scaled(min(3*r.Float64(), 1e6/max(peak, 1e-9)))
	case 3:
		return base.With(timeline.Steady{Rate: min(peak, 1e6)})
	case 4:
		// The two need not have the same arrivals, time zone and days.
		return timeline.New(timeline.Options{
			Name: "other", Shape: r.shape(min(peak, 1e6)), Arrivals: timeline.Arrivals(r.IntN(2)), Location: time.FixedZone("", r.IntN(86400)-43200),
		})
	default:
		return base.With(r.shape(min(peak, 1e6)))
	}
}

// draw draws stretches in and around the window.
func (s splice) draw(others []*timeline.Timeline) []timeline.Stretch {
	var edges []time.Time
	for range 2 * (1 + s.IntN(5)) {
		edges = append(edges, s.edge(others))
	}
	slices.SortFunc(edges, time.Time.Compare)
	var out []timeline.Stretch
	for i := 0; i+1 < len(edges); i++ {
		if edges[i].Before(edges[i+1]) {
			other := others[s.IntN(len(others))]
			out = append(out, timeline.Stretch{From: edges[i], Until: edges[i+1], Timeline: other})
			i += s.IntN(2) // Otherwise the next one is adjacent.
		}
	}
	return out
}

// edge draws an instant at which a stretch may start or end.
func (s splice) edge(others []*timeline.Timeline) time.Time {
	w := s.window()
	at := s.from.Add(s.between(-w/4, w+w/4, 1))
	switch s.IntN(4) {
	case 0:
		return at.Truncate(time.Second)
	case 1:
		if slot, ok := others[s.IntN(len(others))].Cursor(at).Next(s.to); ok {
			return slot.Due.Add(s.between(-1, 1, 1))
		}
		return at
	case 2:
		return s.base.Segment(at).End
	default:
		return at
	}
}

func (s splice) window() time.Duration { return s.to.Sub(s.from) }

// plain returns the plain timeline that is in effect.
func (s splice) plain(at time.Time) *timeline.Timeline {
	for _, x := range s.stretches {
		if !at.Before(x.From) && at.Before(x.Until) {
			return x.Timeline
		}
	}
	return s.base
}

// reference walks every plain timeline through the window and keeps the slots that are
// due while it is in effect.
func (s splice) reference() []timeline.Slot {
	plain := map[*timeline.Timeline]bool{s.base: true}
	for _, x := range s.stretches {
		plain[x.Timeline] = true
	}
	var out []timeline.Slot
	for tl := range plain {
		for _, slot := range walk(tl.Cursor(s.from), s.to) {
			if s.plain(slot.Due) == tl {
				out = append(out, slot)
			}
		}
	}
	slices.SortFunc(out, func(a, b timeline.Slot) int { return a.Due.Compare(b.Due) })
	return out
}

// instants draws a few in the window: any, borders, and due times.
func (s splice) instants() []time.Time {
	var out []time.Time
	for range 10 {
		out = append(out, s.from.Add(s.between(0, s.window(), 1)))
	}
	for _, x := range s.stretches {
		out = append(out, x.From.Add(-1), x.From, x.From.Add(1), x.Until.Add(-1), x.Until)
	}
	for range min(5, len(s.slots)) {
		out = append(out, s.slots[s.IntN(len(s.slots))].Due)
	}
	out = slices.DeleteFunc(out, func(at time.Time) bool { return at.Before(s.from) || at.After(s.to) })
	s.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:10]
}

// index returns how many slots of the window are due before the instant.
func (s splice) index(at time.Time) int {
	return sort.Search(len(s.slots), func(i int) bool { return !s.slots[i].Due.Before(at) })
}

// walk checks that a cursor finds the slots, in one go and by and by.
func (s splice) walk(t *testing.T) {
	t.Helper()
	if got := walk(s.tl.Cursor(s.from), s.to); !slices.Equal(got, s.slots) {
		t.Errorf("%v: a cursor finds %d slots, want %d", s, len(got), len(s.slots))
	}
	var got []timeline.Slot
	c := s.tl.Cursor(s.from)
	for before := s.from; before.Before(s.to); {
		before = before.Add(1 + s.between(0, s.window()/20, 1))
		if before.After(s.to) {
			before = s.to
		}
		got = append(got, walk(c, before)...)
		if want := s.index(before); len(got) != want {
			t.Errorf("%v: a cursor finds %d slots before %v, want %d", s, len(got), before, want)
			return
		}
	}
	if !slices.Equal(got, s.slots) {
		t.Errorf("%v: a cursor that waits finds other slots", s)
	}
}

// walk returns the slots that a cursor finds.
func walk(c *timeline.Cursor, before time.Time) []timeline.Slot {
	var out []timeline.Slot
	for {
		slot, ok := c.Next(before)
		if !ok {
			return out
		}
		out = append(out, slot)
	}
}

// ranges checks that Ranges has the slots of a cursor, in their order.
func (s splice) ranges(t *testing.T) {
	t.Helper()
	i := 0
	for r := range s.tl.Ranges(s.from, s.to) {
		if r.From >= r.To {
			t.Errorf("%v: an empty range: %v", s, r)
		}
		for seq := r.From; seq < r.To; seq++ {
			if i >= len(s.slots) || s.slots[i].Segment != r.Segment || s.slots[i].Seq != seq {
				t.Errorf("%v: slot %d of %s is not the %dth that a cursor finds", s, seq, r.Segment, i)
				return
			}
			i++
		}
	}
	if i != len(s.slots) {
		t.Errorf("%v: %d slots in ranges, want %d", s, i, len(s.slots))
	}
}

// skip checks that a cursor which skips some slots and finds the others passes each of them
// once, in their order.
func (s splice) skip(t *testing.T) {
	t.Helper()
	c := s.tl.Cursor(s.from)
	i := 0
	for at := s.from; at.Before(s.to); {
		if s.IntN(2) == 0 {
			if slot, ok := c.Next(s.to); ok {
				if i >= len(s.slots) || slot != s.slots[i] {
					t.Errorf("%v: after skipping, slot %v is not the %dth that a cursor finds", s, slot, i)
					return
				}
				at, i = slot.Due.Add(1), i+1
			}
		}
		at = at.Add(1 + time.Duration(s.Int64N(int64(s.to.Sub(s.from)/10)+1)))
		if at.After(s.to) {
			at = s.to
		}
		for r, ok := c.Skip(at); ok; r, ok = c.Skip(at) {
			for seq := r.From; seq < r.To; seq, i = seq+1, i+1 {
				if i >= len(s.slots) || s.slots[i].Segment != r.Segment || s.slots[i].Seq != seq || !s.slots[i].Due.Before(at) {
					t.Errorf("%v: slot %d of %s, skipped until %v, is not the %dth that a cursor finds", s, seq, r.Segment, at, i)
					return
				}
			}
		}
		if i < len(s.slots) && s.slots[i].Due.Before(at) {
			t.Errorf("%v: skipping until %v leaves %v", s, at, s.slots[i])
			return
		}
	}
	if i != len(s.slots) {
		t.Errorf("%v: %d slots skipped or found, want %d", s, i, len(s.slots))
	}
}

// identities checks that no slot comes twice, and none at the time of another.
func (s splice) identities(t *testing.T) {
	t.Helper()
	seen := map[string]bool{}
	for i, slot := range s.slots {
		id := identity(slot.Segment, slot.Seq)
		if seen[id] {
			t.Errorf("%v: slot %d of %s comes twice", s, slot.Seq, slot.Segment)
		}
		seen[id] = true
		if i > 0 && !slot.Due.After(s.slots[i-1].Due) {
			t.Errorf("%v: two slots are due at %v", s, slot.Due)
		}
	}
}

// segments checks that each slot is one of the segment that is in effect when it is due.
func (s splice) segments(t *testing.T) {
	t.Helper()
	for range min(20, len(s.slots)) {
		slot := s.slots[s.IntN(len(s.slots))]
		seg := s.tl.Segment(slot.Due)
		if seg.ID != slot.Segment || !seg.Due(slot.Seq).Equal(slot.Due) {
			t.Errorf("%v: slot %d of %s is due at %v, when the segment is %s", s, slot.Seq, slot.Segment, slot.Due, seg.ID)
		}
	}
}

// seek checks that a cursor finds its place wherever it was before.
func (s splice) seek(t *testing.T, at time.Time) {
	t.Helper()
	c := s.tl.Cursor(s.from.Add(s.between(0, s.window(), 1)))
	c.Next(s.to)
	c.Seek(at)
	want := s.slots[s.index(at):]
	want = want[:min(3, len(want))]
	for i := range 3 {
		slot, ok := c.Next(s.to)
		if ok != (i < len(want)) || ok && slot != want[i] {
			t.Errorf("%v: after %v comes %v, want the first of %v", s, at, slot, want)
			return
		}
	}
}

func (s splice) rate(t *testing.T, at time.Time) {
	t.Helper()
	if got, want := s.tl.Rate(at), s.plain(at).Rate(at); got != want {
		t.Errorf("%v: the rate at %v is %v, want %v", s, at, got, want)
	}
	if seg := s.tl.Segment(at); at.Before(seg.Start) || !at.Before(seg.End) || seg.ID != s.plain(at).Segment(at).ID {
		t.Errorf("%v: the segment at %v is %s from %v to %v", s, at, seg.ID, seg.Start, seg.End)
	}
}

// interval checks the number of slots and the integral. What lies beyond the window is
// not known and left out.
func (s splice) interval(t *testing.T, from, to time.Time) {
	t.Helper()
	if to.After(s.to) {
		to = s.to
	}
	if got, want := s.tl.Count(from, to), s.index(to)-s.index(from); got != uint64(want) {
		t.Errorf("%v: %d slots from %v to %v, want %d", s, got, from, to, want)
	}
	var want float64
	edges := s.edges(from, to)
	for i, until := range edges[1:] {
		want += s.plain(edges[i]).Integral(edges[i], until)
	}
	if got := s.tl.Integral(from, to); math.Abs(got-want) > 1e-6+1e-12*want {
		t.Errorf("%v: the integral from %v to %v is %v, want %v", s, from, to, got, want)
	}
}

// peak checks that the peak is the highest one of the plain timelines.
func (s splice) peak(t *testing.T, from, to time.Time) {
	t.Helper()
	want, wantAt := s.plain(from).Rate(from), from
	edges := s.edges(from, to)
	for i, until := range edges[1:] {
		if rate, at := s.plain(edges[i]).Peak(edges[i], until); rate > want {
			want, wantAt = rate, at
		}
	}
	if got, at := s.tl.Peak(from, to); got != want || !at.Equal(wantAt) {
		t.Errorf("%v: the peak from %v to %v is %v at %v, want %v at %v", s, from, to, got, at, want, wantAt)
	}
}

// edges returns the instants from from to to between which one plain timeline is in
// effect, both included.
func (s splice) edges(from, to time.Time) []time.Time {
	if !from.Before(to) {
		return []time.Time{from}
	}
	edges := []time.Time{from, to}
	for _, x := range s.stretches {
		edges = append(edges, x.From, x.Until)
	}
	edges = slices.DeleteFunc(edges, func(at time.Time) bool { return at.Before(from) || at.After(to) })
	slices.SortFunc(edges, time.Time.Compare)
	return slices.CompactFunc(edges, time.Time.Equal)
}

// String names the stretches, for what went wrong.
func (s splice) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "from %v to %v", s.from, s.to)
	for _, x := range s.stretches {
		fmt.Fprintf(&b, ", %v-%v", x.From, x.Until)
	}
	return b.String()
}
