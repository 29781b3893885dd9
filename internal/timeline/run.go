package timeline

import (
	"iter"
	"time"
)

// run is a time in which the slots are those of one segment: from <= t < until.
type run struct {
	seg         *Segment
	from, until time.Time
}

// runs returns the runs of [from, to) in order. Their segments have no name yet.
func (t *Timeline) runs(from, to time.Time) iter.Seq[run] {
	return func(yield func(run) bool) {
		for from.Before(to) {
			plain, until := t.inEffect(from, to)
			if !plain.walk(from, until, yield) {
				return
			}
			from = until
		}
	}
}

// walk yields the runs of a plain timeline. It returns false if yield stopped it.
func (t *Timeline) walk(from, to time.Time, yield func(run) bool) bool {
	if t.only != nil {
		return yield(run{seg: t.only, from: from, until: to})
	}
	g, start, end := t.calendar.group(from)
	for start.Before(to) {
		r := run{from: start, until: end}
		if r.from.Before(from) {
			r.from = from
		}
		if r.until.After(to) {
			r.until = to
		}
		// A day that the clocks skip as a whole has no curve.
		if r.from.Before(r.until) {
			r.seg = t.build(g, start, end)
			if !yield(r) {
				return false
			}
		}
		g++
		start, end = end, t.calendar.start(g+1)
	}
	return true
}

// slots returns the sequence numbers of the run's slots, From before To if it has some.
func (r run) slots() Range { return Range{From: r.seg.Count(r.from), To: r.seg.Count(r.until)} }

// integral returns the integral of the rate over the run.
func (r run) integral() float64 {
	a, b := r.from.Sub(r.seg.Start), r.until.Sub(r.seg.Start)
	return r.seg.curve.integral(b).sub(r.seg.curve.integral(a)).float()
}

// ends returns the first and the last moment of each piece of the curve in the run,
// with the rates between which it is linear. The left side of a jump counts for the
// moment before it. Of a curve that repeats it looks at two periods: the second one is
// whole, so that the ones after it are like it, or it is the last.
func (r run) ends() iter.Seq2[time.Time, float64] {
	return func(yield func(time.Time, float64) bool) {
		first, last := r.from.Sub(r.seg.Start), r.until.Sub(r.seg.Start)
		period := r.seg.curve.period
		start := first - first%period
		for range 2 {
			for _, p := range r.seg.curve.pieces {
				p.at += start
				from, to := max(p.at, first), min(p.end(), last)
				if from >= to {
					continue
				}
				if !yield(r.seg.Start.Add(from), p.rate(from-p.at)) || !yield(r.seg.Start.Add(to-1), p.rate(to-p.at)) {
					return
				}
			}
			start += period
		}
	}
}
