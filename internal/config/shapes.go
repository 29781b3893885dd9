package config

import (
	"math"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// RateShape is a rate over time: a constant, written as a rate such as 200/s, or a mapping
// with exactly one of the shapes, which scale, min and max then adjust, in that order.
// A shape with a period starts over at midnight of the scenario's time zone, or, when the
// period is longer than a day, when that number of days is over. The rate never exceeds 1000000/s.
type RateShape struct {
	// A constant rate: {steady: 200/s} is the same as 200/s.
	Steady *Rate `yaml:"steady"`
	// A straight line from one rate to another, again and again.
	Ramp *Ramp `yaml:"ramp"`
	// Constant rates one after the other, again and again.
	Steps []Step `yaml:"steps" min:"1" max:"10000"`
	// A wave.
	Sine *Sine `yaml:"sine"`
	// A constant rate with a spike once in a period.
	Spikes *Spikes `yaml:"spikes"`
	// A rate by the time of day: straight lines between points in ascending order, and
	// from the last one over midnight to the first one. Clock changes are followed.
	Daily []DayPoint `yaml:"daily" min:"1" max:"10000"`
	// A rate by the time of the week, also with straight lines between the points, from Monday.
	Weekly []WeekPoint `yaml:"weekly" min:"1" max:"10000"`
	// The sum of other rates. Periods longer than a day must be multiples of each other.
	Sum []RateShape `yaml:"sum" min:"1" max:"100"`
	// A rate that was recorded, such as a week of production's.
	Replay *Replay `yaml:"replay"`
	// A rate that a Prometheus is asked for all the time, such as production's.
	Follow *Follow `yaml:"follow"`
	// A factor.
	Scale float64 `yaml:"scale" default:"1" min:"0" max:"1000000"`
	// The lowest rate: a lower one is raised to it.
	Min Rate `yaml:"min"`
	// The highest rate: a higher one is cut to it.
	Max *Rate `yaml:"max"`
}

func (RateShape) expectation() string {
	return "a rate such as 200/s, or a mapping with one shape such as {sine: ...}"
}

// UnmarshalText sets the shape to a constant rate. An error names the expected syntax.
func (s *RateShape) UnmarshalText(text []byte) error {
	var rate Rate
	if err := rate.UnmarshalText(text); err != nil {
		return err
	}
	*s = RateShape{Steady: &rate, Scale: 1}
	return nil
}

// Ramp is a straight line from one rate to another, again and again.
type Ramp struct {
	// The rate at the start.
	From Rate `yaml:"from" required:"true"`
	// The rate at the end.
	To Rate `yaml:"to" required:"true"`
	// How long it takes.
	Over Duration `yaml:"over" required:"true" min:"1ms"`
	// The period: the rest of it stays at the end's rate. The same as over when left out.
	Every Duration `yaml:"every" min:"1ms"`
}

// Step is a constant rate for some time.
type Step struct {
	// The rate.
	Rate Rate `yaml:"rate" required:"true"`
	// How long it stays.
	For Duration `yaml:"for" required:"true" min:"1ms"`
}

// Sine is a wave.
type Sine struct {
	// The rate that it swings around.
	Mean Rate `yaml:"mean" required:"true"`
	// How far it swings up and down: not more than mean, as no rate is below 0.
	Amplitude Rate `yaml:"amplitude" required:"true"`
	// How long a wave takes.
	Period Duration `yaml:"period" required:"true" min:"1ms"`
	// When in the period it is highest.
	PeakAt Duration `yaml:"peak_at"`
}

// Spikes is a constant rate with a spike at the start of each period.
type Spikes struct {
	// The rate between spikes.
	Base Rate `yaml:"base" required:"true"`
	// The rate of a spike.
	Peak Rate `yaml:"peak" required:"true"`
	// The period.
	Every Duration `yaml:"every" required:"true" min:"1ms"`
	// How long the peak lasts.
	Lasting Duration `yaml:"lasting" required:"true" min:"1ms"`
	// How long it takes from base to peak before, and back after.
	Rise Duration `yaml:"rise"`
}

// DayPoint is a rate at a time of day.
type DayPoint struct {
	// The time of day, in the scenario's time zone.
	At TimeOfDay `yaml:"at" required:"true"`
	// The rate.
	Rate Rate `yaml:"rate" required:"true"`
}

// WeekPoint is a rate at a time of the week.
type WeekPoint struct {
	// The day of the week (mon, tue, wed, thu, fri, sat, sun) and the time, in the scenario's time zone.
	At TimeOfWeek `yaml:"at" required:"true"`
	// The rate.
	Rate Rate `yaml:"rate" required:"true"`
}

// kinds returns the keys of the shapes that are there.
func (s RateShape) kinds() []string {
	var kinds []string
	for _, kind := range []struct {
		key   string
		there bool
	}{
		{"steady", s.Steady != nil},
		{"ramp", s.Ramp != nil},
		{"steps", s.Steps != nil},
		{"sine", s.Sine != nil},
		{"spikes", s.Spikes != nil},
		{"daily", s.Daily != nil},
		{"weekly", s.Weekly != nil},
		{"sum", s.Sum != nil},
		{"replay", s.Replay != nil},
		{"follow", s.Follow != nil},
	} {
		if kind.there {
			kinds = append(kinds, kind.key)
		}
	}
	return kinds
}

// compile returns the shape for the timeline, adjustments included. For a rate that is followed
// it is the shape of otherwise: the followed rate is not known yet.
func (s RateShape) compile() timeline.Shape {
	if s.Follow != nil {
		return s.Follow.Otherwise.compile()
	}
	shape := s.bare()
	if s.Scale == 1 && s.Min == 0 && s.Max == nil {
		return shape
	}
	highest := math.Inf(1)
	if s.Max != nil {
		highest = float64(*s.Max)
	}
	return timeline.Adjusted{Shape: shape, Scale: s.Scale, Min: float64(s.Min), Max: highest}
}

// bare returns the shape without its adjustments; nil if there is none.
func (s RateShape) bare() timeline.Shape {
	switch {
	case s.Steady != nil:
		return timeline.Steady{Rate: float64(*s.Steady)}
	case s.Ramp != nil:
		return s.Ramp.compile()
	case s.Steps != nil:
		return compileSteps(s.Steps)
	case s.Sine != nil:
		return s.Sine.compile()
	case s.Spikes != nil:
		return s.Spikes.compile()
	case s.Daily != nil:
		return compileDaily(s.Daily)
	case s.Weekly != nil:
		return compileWeekly(s.Weekly)
	case s.Sum != nil:
		return compileSum(s.Sum)
	case s.Replay != nil:
		return s.Replay.compile()
	default:
		return nil
	}
}

func (r Ramp) compile() timeline.Shape {
	return timeline.Ramp{
		From: float64(r.From), To: float64(r.To),
		Over: time.Duration(r.Over), Every: time.Duration(r.Every),
	}
}

func (s Sine) compile() timeline.Shape {
	return timeline.Sine{
		Mean: float64(s.Mean), Amplitude: float64(s.Amplitude),
		Period: time.Duration(s.Period), PeakAt: time.Duration(s.PeakAt),
	}
}

func (s Spikes) compile() timeline.Shape {
	return timeline.Spikes{
		Base: float64(s.Base), Peak: float64(s.Peak),
		Every: time.Duration(s.Every), Lasting: time.Duration(s.Lasting), Rise: time.Duration(s.Rise),
	}
}

func compileSteps(steps []Step) timeline.Shape {
	var out timeline.Steps
	for _, s := range steps {
		out.Steps = append(out.Steps, timeline.Step{Rate: float64(s.Rate), For: time.Duration(s.For)})
	}
	return out
}

func compileDaily(points []DayPoint) timeline.Shape {
	var out timeline.Daily
	for _, p := range points {
		out.Points = append(out.Points, timeline.DayPoint{At: time.Duration(p.At), Rate: float64(p.Rate)})
	}
	return out
}

func compileWeekly(points []WeekPoint) timeline.Shape {
	var out timeline.Weekly
	for _, p := range points {
		out.Points = append(out.Points, timeline.WeekPoint{Day: p.At.Day, At: time.Duration(p.At.At), Rate: float64(p.Rate)})
	}
	return out
}

func compileSum(shapes []RateShape) timeline.Shape {
	var out timeline.Sum
	for _, s := range shapes {
		out.Shapes = append(out.Shapes, s.compile())
	}
	return out
}
