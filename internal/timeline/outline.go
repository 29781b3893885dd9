package timeline

import (
	"iter"
	"time"
)

// Peak returns the highest rate in [from, to), in slots per second, and the first
// moment at which it is reached.
func (t *Timeline) Peak(from, to time.Time) (rate float64, at time.Time) {
	rate, at = t.Rate(from), from
	g, start, end := t.calendar.group(from)
	for start.Before(to) {
		for offset, r := range t.build(g, start, end).knots() {
			if k := start.Add(offset); r > rate && k.After(from) && k.Before(to) {
				rate, at = r, k
			}
		}
		g++
		start, end = end, t.calendar.start(g+1)
	}
	return rate, at
}

// Integral returns the integral of the rate over [from, to): the number of slots that
// Count returns, but for the fraction that rounds it to whole ones.
func (t *Timeline) Integral(from, to time.Time) float64 {
	if !from.Before(to) {
		return 0
	}
	var slots float64
	g, start, end := t.calendar.group(from)
	for start.Before(to) {
		s := t.build(g, start, end)
		a, b := max(0, from.Sub(start)), min(end.Sub(start), to.Sub(start))
		slots += s.curve.integral(b).sub(s.curve.integral(a)).float()
		g++
		start, end = end, t.calendar.start(g+1)
	}
	return slots
}

// knots returns the offsets at which the rate of the segment changes its course, with
// the rates on both sides. The left side of a jump counts for the moment before it.
func (s *Segment) knots() iter.Seq2[time.Duration, float64] {
	return func(yield func(time.Duration, float64) bool) {
		for period := time.Duration(0); period <= s.last; period += s.curve.period {
			for _, p := range s.curve.pieces {
				at := period + p.at
				if at > s.last {
					return
				}
				if !yield(at, p.from) || !yield(min(at+p.length-1, s.last), p.to) {
					return
				}
			}
		}
	}
}
