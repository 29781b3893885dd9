package timeline_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

func TestLawsHoldForRandomTimelines(t *testing.T) {
	n := uint64(600)
	if testing.Short() {
		n = 100
	}
	refused := 0
	for seed := range n {
		if !checkLaws(t, seed) {
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

func FuzzLaws(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(1_000_000 + seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { checkLaws(t, seed) })
}

// checkLaws draws a timeline and an instant, and reports whether New accepts it.
func checkLaws(t *testing.T, seed uint64) bool {
	t.Helper()
	r := newRandom(seed)
	o := r.options(t)
	tl, err := timeline.New(o)
	if err != nil {
		return false
	}
	at := r.instant()
	l := laws{random: r, tl: tl, where: fmt.Sprintf("%v, %v, %v, at %v", o.Shape, o.Arrivals, o.Location, at)}
	s := tl.Segment(at)
	l.segment(t, s, at)
	l.slots(t, s)
	l.cursor(t, at)
	l.cursor(t, s.End.Add(-time.Duration(min(1e18, 20e9/s.Peak()))))
	l.intervals(t, at)
	l.peak(t, at)
	l.spliced(t, at)
	return true
}

// laws checks what must hold for every timeline.
type laws struct {
	random
	tl    *timeline.Timeline
	where string
}

// segment checks that the segment contains the instant and has as many slots as the
// integral of its rate says.
func (l laws) segment(t *testing.T, s *timeline.Segment, at time.Time) {
	t.Helper()
	if at.Before(s.Start) || !at.Before(s.End) {
		t.Errorf("%s: segment is from %v to %v", l.where, s.Start, s.End)
	}
	integral := s.Integral(s.End.Sub(s.Start))
	if diff := float64(s.Len()) - integral; math.Abs(diff) >= 1 {
		t.Errorf("%s: %d slots, the integral of the rate is %g", l.where, s.Len(), integral)
	}
	if last := l.tl.Segment(s.End.Add(-1)); last.ID != s.ID {
		t.Errorf("%s: segment %s starts before %s is over", l.where, last.ID, s.ID)
	}
	if next := l.tl.Segment(s.End); !next.Start.Equal(s.End) || next.ID == s.ID {
		t.Errorf("%s: segment %s follows %s", l.where, next.ID, s.ID)
	}
}

// slots checks that Due increases and that Count is its inverse.
func (l laws) slots(t *testing.T, s *timeline.Segment) {
	t.Helper()
	n := s.Len()
	if got := s.Count(s.Start); got != 0 {
		t.Errorf("%s: %d slots before the start", l.where, got)
	}
	if got := s.Count(s.End); got != n {
		t.Errorf("%s: %d of %d slots before the end", l.where, got, n)
	}
	if n == 0 {
		return
	}
	samples := []uint64{0, 1, 1022, 1023, 1024, 2046, 2047, 2048, n / 1024 * 1024, n - n%1024 - 1, n - 2, n - 1}
	for range 8 {
		samples = append(samples, l.Uint64N(n))
	}
	for _, k := range samples {
		if k < n {
			l.slot(t, s, k)
		}
	}
}

func (l laws) slot(t *testing.T, s *timeline.Segment, k uint64) {
	t.Helper()
	due := s.Due(k)
	if due.Before(s.Start) || !due.Before(s.End) {
		t.Errorf("%s: slot %d of %d is due at %v, outside of %v to %v", l.where, k, s.Len(), due, s.Start, s.End)
	}
	if k+1 < s.Len() && !due.Before(s.Due(k+1)) {
		t.Errorf("%s: slot %d is due at %v, the next one at %v", l.where, k, due, s.Due(k+1))
	}
	if got := s.Count(due); got != k {
		t.Errorf("%s: slot %d is due at %v, before which %d are due", l.where, k, due, got)
	}
	if got := s.Count(due.Add(1)); got != k+1 {
		t.Errorf("%s: slot %d is due at %v, a nanosecond later %d are due", l.where, k, due, got)
	}
}

// cursor checks that a cursor from the instant on yields every slot once, in order,
// as random access does.
func (l laws) cursor(t *testing.T, at time.Time) {
	t.Helper()
	s := l.tl.Segment(at)
	c, k := l.tl.Cursor(at), s.Count(at)
	until := s.End.AddDate(0, 0, 20)
	last := at.Add(-1)
	for range 60 {
		for k >= s.Len() && s.Start.Before(until) {
			s, k = l.tl.Segment(s.End), 0
		}
		slot, ok := c.Next(until)
		if !ok {
			if s.Start.Before(until) && s.Due(k).Before(until) {
				t.Errorf("%s: no slot before %v, but slot %d of %s is due at %v", l.where, until, k, s.ID, s.Due(k))
			}
			return
		}
		if slot.Segment != s.ID || slot.Seq != k || !slot.Due.Equal(s.Due(k)) {
			t.Errorf("%s: slot %d of %s due at %v, want %d of %s", l.where, slot.Seq, slot.Segment, slot.Due, k, s.ID)
			return
		}
		if !slot.Due.After(last) {
			t.Errorf("%s: slot %d of %s is due at %v, the one before at %v", l.where, k, s.ID, slot.Due, last)
		}
		last = slot.Due
		k++
	}
	l.again(t, last)
}

// again checks that a cursor that has been elsewhere finds the same slot, stays where
// it is while the slot is not due, and then moves on.
func (l laws) again(t *testing.T, due time.Time) {
	t.Helper()
	c := l.tl.Cursor(l.instant())
	c.Next(l.instant())
	c.Seek(due)
	for range 2 {
		if slot, ok := c.Next(due); ok {
			t.Errorf("%s: slot due at %v before %v", l.where, slot.Due, due)
		}
	}
	slot, ok := c.Next(due.Add(1))
	if !ok || !slot.Due.Equal(due) {
		t.Errorf("%s: slot due at %v, want %v", l.where, slot.Due, due)
	}
	if slot, ok = c.Next(due.Add(1)); ok {
		t.Errorf("%s: another slot due at %v", l.where, slot.Due)
	}
}

// spliced checks that what does not speak of segments holds for a timeline with a
// stretch as well.
func (l laws) spliced(t *testing.T, at time.Time) {
	t.Helper()
	less, err := l.tl.Scaled(0.5 + l.Float64()/2)
	if err != nil {
		t.Errorf("%s: %v", l.where, err)
		return
	}
	from := at.Add(l.between(0, 10*24*time.Hour, 1))
	until := from.Add(1 + l.between(0, 10*24*time.Hour, 1))
	l.tl = spliced(t, l.tl, []timeline.Stretch{{From: from, Until: until, Timeline: less}})
	l.where += fmt.Sprintf(", spliced from %v until %v", from, until)
	l.intervals(t, at)
	l.peak(t, from.Add(-time.Minute))
	l.peak(t, until.Add(-time.Minute))
	for _, near := range []time.Time{at, from, until} {
		if slot, ok := l.tl.Cursor(near).Next(near.AddDate(0, 0, 20)); ok {
			l.again(t, slot.Due)
		}
	}
}

// intervals checks that the counts of adjacent intervals add up, and that Ranges agrees
// with them.
func (l laws) intervals(t *testing.T, from time.Time) {
	t.Helper()
	mid := from.Add(l.between(0, 10*24*time.Hour, 1))
	to := mid.Add(l.between(0, 10*24*time.Hour, 1))
	all := l.tl.Count(from, to)
	if parts := l.tl.Count(from, mid) + l.tl.Count(mid, to); parts != all {
		t.Errorf("%s: %d slots from %v to %v, %d in parts", l.where, all, from, to, parts)
	}
	var sum uint64
	for r := range l.tl.Ranges(from, to) {
		sum += r.To - r.From
	}
	if sum != all {
		t.Errorf("%s: %d slots from %v to %v, %d in ranges", l.where, all, from, to, sum)
	}
	if n := l.tl.Count(to, from); from.Before(to) && n != 0 {
		t.Errorf("%s: %d slots in an interval that ends before it starts", l.where, n)
	}
}

// peak checks that the rate is nowhere above the peak, and there at its moment.
func (l laws) peak(t *testing.T, from time.Time) {
	t.Helper()
	to := from.Add(1 + l.between(0, time.Hour, 1))
	peak, at := l.tl.Peak(from, to)
	if at.Before(from) || !at.Before(to) {
		t.Errorf("%s: the peak from %v to %v is at %v", l.where, from, to, at)
	}
	for range 20 {
		k := from.Add(l.between(0, to.Sub(from)-1, 1))
		if rate := l.tl.Rate(k); rate > peak*(1+1e-12) {
			t.Errorf("%s: the rate at %v is %v, the peak from %v to %v is %v", l.where, k, rate, from, to, peak)
		}
	}
	if rate := l.tl.Rate(at); rate < peak*0.9 {
		t.Errorf("%s: the rate at %v is %v, not the peak of %v", l.where, at, rate, peak)
	}
}

func TestDueTimesIncreaseStrictlyAtTheHighestRate(t *testing.T) {
	shapes := map[string]timeline.Shape{
		"steady":             timeline.Steady{Rate: 1e6},
		"sine that rests":    timeline.Sine{Mean: 5e5, Amplitude: 5e5, Period: time.Second},
		"ramp down to 0":     timeline.Ramp{From: 1e6, To: 0, Over: time.Second},
		"spikes of 1 us":     timeline.Spikes{Base: 1, Peak: 1e6, Every: time.Millisecond, Lasting: time.Microsecond},
		"day-long down to 0": timeline.Ramp{From: 1e6, To: 0, Over: 24 * time.Hour},
		"two weeks":          timeline.Ramp{From: 0, To: 1e6, Over: 14 * 24 * time.Hour},
	}
	for name, shape := range shapes {
		for _, a := range []timeline.Arrivals{timeline.Uniform, timeline.Poisson} {
			t.Run(name+" "+a.String(), func(t *testing.T) {
				tl := newTimeline(t, timeline.Options{Name: name, Shape: shape, Arrivals: a})
				end := tl.Segment(start).End
				for _, at := range []time.Time{start, end.Add(-200 * time.Millisecond), end.Add(-time.Second / 100)} {
					increases(t, tl.Cursor(at), 60_000)
				}
			})
		}
	}
}

func increases(t *testing.T, c *timeline.Cursor, n int) {
	t.Helper()
	far := start.AddDate(1, 0, 0)
	last, _ := c.Next(far)
	for range n {
		slot, ok := c.Next(far)
		if !ok || !slot.Due.After(last.Due) {
			t.Fatalf("slot %d of %s is due at %v, slot %d of %s at %v", last.Seq, last.Segment, last.Due, slot.Seq, slot.Segment, slot.Due)
		}
		last = slot
	}
}
