package timeline

import "time"

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
	for run := range t.runs(from, from.Add(time.Duration(n)*step)) {
		i := int(run.from.Sub(from) / step)
		for part := run; part.from.Before(run.until); i++ {
			part.until = run.until
			if end := from.Add(time.Duration(i+1) * step); end.Before(part.until) {
				part.until = end
			}
			all[i] += part.integral()
			part.from = part.until
		}
	}
	return all
}
