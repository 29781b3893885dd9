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
