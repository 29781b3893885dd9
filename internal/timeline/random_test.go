package timeline_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// zones are places whose clocks have done odd things.
func zones() []string {
	return []string{
		"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
		"Pacific/Apia", "America/Havana", "America/St_Johns", "America/Sao_Paulo",
		"Africa/Monrovia", "Antarctica/Troll", "Asia/Gaza", "Pacific/Kwajalein", "Asia/Manila",
	}
}

// random draws timelines and instants.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 0))} }

// between draws a whole number of some unit from low to high.
func (r random) between(low, high, unit time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64((high-low)/unit)+1))*unit
}

// period draws one that is short, awkward, whole days, or somewhere in between.
func (r random) period() time.Duration {
	switch r.IntN(5) {
	case 0:
		return r.between(time.Second, time.Minute, time.Nanosecond)
	case 1:
		return r.between(2*24*time.Hour, 9*24*time.Hour, 24*time.Hour)
	default:
		return r.between(time.Minute, 24*time.Hour, time.Second)
	}
}

// simple draws a shape with a peak of at most 1.
func (r random) simple() timeline.Shape {
	switch a, b := r.Float64(), r.Float64()*float64(r.IntN(2)); r.IntN(8) {
	case 0:
		every := r.period()
		return timeline.Ramp{From: a, To: b, Over: 1 + r.between(0, every-1, 1), Every: every}
	case 1:
		return r.steps(r.period())
	case 2:
		return timeline.Sine{Mean: 0.5, Amplitude: a / 2, Period: r.period(), PeakAt: r.between(0, time.Hour, 1)}
	case 3:
		every := r.period()
		return timeline.Spikes{Base: a, Peak: b, Every: every, Lasting: 1 + r.between(0, every/2, 1), Rise: r.between(0, every/8, 1)}
	case 4:
		return timeline.Daily{Points: r.dayPoints()}
	case 5:
		return timeline.Weekly{Points: r.weekPoints()}
	case 6:
		return r.recorded()
	default:
		return timeline.Steady{Rate: a}
	}
}

func (r random) steps(period time.Duration) timeline.Steps {
	var s timeline.Steps
	for n := time.Duration(1 + r.IntN(5)); n > 0; n-- {
		length := period / n
		s.Steps = append(s.Steps, timeline.Step{Rate: r.Float64() * float64(r.IntN(2)), For: length})
		period -= length
	}
	return s
}

func (r random) dayPoints() []timeline.DayPoint {
	points := []timeline.DayPoint{{At: r.between(0, time.Hour, 1), Rate: r.Float64()}}
	for at := points[0].At + 1; ; {
		at += r.between(1, 8*time.Hour, 1)
		if at >= 24*time.Hour {
			return points
		}
		points = append(points, timeline.DayPoint{At: at, Rate: r.Float64() * float64(r.IntN(2))})
	}
}

func (r random) weekPoints() []timeline.WeekPoint {
	var points []timeline.WeekPoint
	for d := time.Sunday; d <= time.Saturday; d++ {
		if r.IntN(2) == 0 || d == time.Wednesday {
			points = append(points, timeline.WeekPoint{Day: d, At: r.between(0, 24*time.Hour-1, 1), Rate: r.Float64()})
		}
	}
	return points
}

func (r random) recorded() *timeline.Recorded {
	out := &timeline.Recorded{Start: r.instant(), Points: []timeline.RecordedPoint{{Rate: r.Float64()}}, Repeat: r.IntN(4) > 0, Otherwise: r.Float64()}
	var at time.Duration
	for range 1 + r.IntN(20) {
		at += r.between(time.Minute, 24*time.Hour, time.Nanosecond)
		out.Points = append(out.Points, timeline.RecordedPoint{After: at, Rate: r.Float64() * float64(r.IntN(2))})
	}
	return out
}

// shape draws any shape, with a peak of at most the given rate.
func (r random) shape(peak float64) timeline.Shape {
	s := r.simple()
	if r.IntN(3) == 0 {
		s = timeline.Sum{Shapes: []timeline.Shape{
			timeline.Adjusted{Shape: s, Scale: 0.5, Max: math.Inf(1)},
			timeline.Adjusted{Shape: r.simple(), Scale: 0.5, Max: math.Inf(1)},
		}}
	}
	a := timeline.Adjusted{Shape: s, Scale: peak, Max: peak}
	if r.IntN(3) == 0 {
		a.Min = peak * r.Float64() / 2
		a.Max = a.Min + peak*r.Float64()/2
	}
	return a
}

// options draws a timeline of any kind, of 1/day to 1e6/s.
func (r random) options(tb testing.TB) timeline.Options {
	tb.Helper()
	peak := math.Exp(math.Log(1.0/86400) + r.Float64()*math.Log(1e6*86400))
	return timeline.Options{
		Name:     string(rune('a' + r.IntN(26))),
		Shape:    r.shape(min(peak, 1e6)),
		Arrivals: timeline.Arrivals(r.IntN(2)),
		Location: zone(tb, zones()[r.IntN(len(zones()))]),
	}
}

// instant draws one between 1969 and 2069.
func (r random) instant() time.Time {
	return time.Unix(r.Int64N(100*365*86400)-365*86400, r.Int64N(1e9)).UTC()
}
