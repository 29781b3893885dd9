package timeline

import "time"

// Ln and Cosine are the package's own, the same on every processor.
var (
	Ln     = ln
	Cosine = cosine
)

// Theta is where the scenario's points lie between the integers, in 2^-64.
func (t *Timeline) Theta() uint64 { return t.name }

// Integral is the integral of the rate from the segment's start to an offset.
func (s *Segment) Integral(offset time.Duration) float64 { return s.curve.integral(offset).float() }

// Peak is the highest rate of the segment's curve.
func (s *Segment) Peak() float64 { return s.curve.peak }

// DayStart is the first instant at which the local date is that day or later.
func DayStart(loc *time.Location, year int, month time.Month, dayOfMonth int) time.Time {
	number := time.Date(year, month, dayOfMonth, 0, 0, 0, 0, time.UTC).Unix() / 86400
	return calendar{loc: loc, days: 1}.dayStart(number)
}

// Looks is at how many ends of pieces Peak looks.
func (t *Timeline) Looks(from, to time.Time) int {
	n := 0
	for run := range t.runs(from, to) {
		for range run.ends() {
			n++
		}
	}
	return n
}
