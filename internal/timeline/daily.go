package timeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Daily follows the local time of day: linear between its points, and from the last
// round midnight to the first. One point is a constant. The hour that a change of
// the clocks skips is skipped; the one that it repeats is repeated.
//
//	        .──.
//	      .'    `.──.
//	 .──.'           `──.
//	0h   6h   12h  18h  24h
type Daily struct{ Points []DayPoint }

// DayPoint is the rate at a local time of day.
type DayPoint struct {
	// At is the time of day by the clock on the wall: 0 <= At < 24 h.
	At   time.Duration
	Rate float64
}

// Weekly follows the local time of the week: linear between its points, and from
// the last round the end of the week to the first. See Daily.
//
//	  _   _   _   _   _
//	.' `.' `.' `.' `.' `.________
//	Mo  Tu  We  Th  Fr  Sa  Su
type Weekly struct{ Points []WeekPoint }

// WeekPoint is the rate at a local time of the week.
type WeekPoint struct {
	Day time.Weekday
	// At is the time of day by the clock on the wall: 0 <= At < 24 h.
	At   time.Duration
	Rate float64
}

var (
	_ Shape = Daily{}
	_ Shape = Weekly{}
)

// String returns the formula.
func (d Daily) String() string {
	parts := make([]string, len(d.Points))
	for i, p := range d.Points {
		parts[i] = fmt.Sprintf("%s %g/s", clockTime(p.At), p.Rate)
	}
	return "daily " + strings.Join(parts, ", ")
}

// String returns the formula.
func (w Weekly) String() string {
	parts := make([]string, len(w.Points))
	for i, p := range w.Points {
		parts[i] = fmt.Sprintf("%.3s %s %g/s", p.Day, clockTime(p.At), p.Rate)
	}
	return "weekly " + strings.Join(parts, ", ")
}

// clockTime writes a time of day as a clock shows it.
func clockTime(at time.Duration) string {
	switch midnight := time.Time.Add(time.Time{}, at); {
	case at%time.Second != 0:
		return midnight.Format("15:04:05.999999999")
	case at%time.Minute != 0:
		return midnight.Format("15:04:05")
	default:
		return midnight.Format("15:04")
	}
}

func (d Daily) plan() (plan, error) {
	for i, p := range d.Points {
		if err := checkPoint(p.At, p.Rate); err != nil {
			return plan{}, fmt.Errorf("daily[%d]: %w", i, err)
		}
	}
	if err := checkKnots(d.knots()); err != nil {
		return plan{}, fmt.Errorf("daily: %w", err)
	}
	return named("daily", d.wave())
}

func (w Weekly) plan() (plan, error) {
	for i, p := range w.Points {
		if err := checkPoint(p.At, p.Rate); err != nil {
			return plan{}, fmt.Errorf("weekly[%d]: %w", i, err)
		}
		if p.Day < time.Sunday || p.Day > time.Saturday {
			return plan{}, fmt.Errorf("weekly[%d]: %q is not a day of the week", i, p.Day)
		}
	}
	if err := checkKnots(w.knots()); err != nil {
		return plan{}, fmt.Errorf("weekly: %w", err)
	}
	return named("weekly", w.wave())
}

func checkPoint(at time.Duration, rate float64) error {
	if at < 0 || at >= day {
		return fmt.Errorf("%q is not a time of day", at)
	}
	return checkRates(rate)
}

func checkKnots(knots []knot) error {
	if len(knots) == 0 {
		return fmt.Errorf("no point")
	}
	for i := 1; i < len(knots); i++ {
		if knots[i].at == knots[i-1].at {
			return fmt.Errorf("two points at the same time")
		}
	}
	return nil
}

// knots returns the points in the order of time.
func (d Daily) knots() []knot {
	knots := make([]knot, len(d.Points))
	for i, p := range d.Points {
		knots[i] = knot{p.At, p.Rate}
	}
	return sorted(knots)
}

// knots returns the points in the order of time since Monday, 0 h.
func (w Weekly) knots() []knot {
	knots := make([]knot, len(w.Points))
	for i, p := range w.Points {
		sinceMonday := (p.Day + 6) % 7
		knots[i] = knot{time.Duration(sinceMonday)*day + p.At, p.Rate}
	}
	return sorted(knots)
}

func sorted(knots []knot) []knot {
	slices.SortFunc(knots, func(a, b knot) int { return cmp.Compare(a.at, b.at) })
	return knots
}

func (d Daily) wave() wave {
	w := loop(day, d.knots())
	w.clock = true
	return w
}

func (w Weekly) wave() wave {
	v := loop(week, w.knots())
	v.clock = true
	return v
}

func (d Daily) draw(l layout) []piece { return d.wave().draw(l) }

func (w Weekly) draw(l layout) []piece { return w.wave().draw(l) }
