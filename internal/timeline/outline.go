package timeline

import (
	"iter"
	"time"
)

// Peak returns the highest rate in [from, to), in slots per second, and the first
// moment at which it is reached.
func (t *Timeline) Peak(from, to time.Time) (rate float64, at time.Time) {
	rate, at = t.Rate(from), from
	for run := range t.runs(from, to) {
		for k, r := range run.ends() {
			if r > rate {
				rate, at = r, k
			}
		}
	}
	return rate, at
}

// Integral returns the integral of the rate over [from, to): the number of slots that
// Count returns, but for the fraction that rounds it to whole ones, once in each
// segment and each stretch.
func (t *Timeline) Integral(from, to time.Time) float64 {
	var slots float64
	for run := range t.runs(from, to) {
		slots += run.integral()
	}
	return slots
}

// Integrals returns the integrals of the rate over n steps of time, one after the other
// from an instant on. It draws each segment only once.
func (t *Timeline) Integrals(from time.Time, step time.Duration, n int) []float64 {
	all := make([]float64, n)
	for i, part := range t.parts(from, step, n) {
		all[i] += part.integral()
	}
	return all
}

// Extremes are the lowest and the highest rate of a time, in slots per second.
type Extremes struct{ Low, High float64 }

// Extremes returns the extremes of the rate in n steps of time, one after the other from an
// instant on.
func (t *Timeline) Extremes(from time.Time, step time.Duration, n int) []Extremes {
	all := make([]Extremes, n)
	seen := make([]bool, n)
	for i, part := range t.parts(from, step, n) {
		for _, rate := range part.ends() {
			if !seen[i] {
				all[i], seen[i] = Extremes{rate, rate}, true
			}
			all[i].Low, all[i].High = min(all[i].Low, rate), max(all[i].High, rate)
		}
	}
	return all
}

// parts yields the runs of n steps of time, each with the number of its step. A step may have
// several.
func (t *Timeline) parts(from time.Time, step time.Duration, n int) iter.Seq2[int, run] {
	return func(yield func(int, run) bool) {
		for run := range t.runs(from, from.Add(time.Duration(n)*step)) {
			i := int(run.from.Sub(from) / step)
			for part := run; part.from.Before(run.until); i++ {
				part.until = run.until
				if end := from.Add(time.Duration(i+1) * step); end.Before(part.until) {
					part.until = end
				}
				if !yield(i, part) {
					return
				}
				part.from = part.until
			}
		}
	}
}
