package timeline_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

func TestTheIntegralIsTheCountButForAFraction(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	shape := timeline.Sum{Shapes: []timeline.Shape{
		timeline.Daily{Points: []timeline.DayPoint{{At: 2 * time.Hour, Rate: 1}, {At: 14 * time.Hour, Rate: 9}}},
		timeline.Spikes{Base: 0, Peak: 50, Every: time.Hour, Lasting: time.Minute},
	}}
	tl := newTimeline(t, timeline.Options{Name: "x", Shape: shape, Location: zone(t, "Europe/Berlin")})
	for range 200 {
		from := time.Unix(1_774_000_000+rng.Int64N(30_000_000), rng.Int64N(1e9))
		to := from.Add(time.Duration(rng.Int64N(int64(5 * 24 * time.Hour))))
		// Each segment rounds its count on its own.
		segments := to.Sub(from).Hours()/23 + 2
		if n, sum := float64(tl.Count(from, to)), tl.Integral(from, to); math.Abs(n-sum) > segments {
			t.Errorf("from %v to %v: %v slots, integral %v", from, to, n, sum)
		}
	}
	if sum := tl.Integral(time.Unix(2000, 0), time.Unix(1000, 0)); sum != 0 {
		t.Errorf("the integral of an empty interval is %v", sum)
	}
}

func TestPeakFindsTheHighestRateAndItsMoment(t *testing.T) {
	day := time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		shape    timeline.Shape
		from, to time.Duration
		rate     float64
		at       time.Duration
	}{
		"a constant":             {timeline.Steady{Rate: 5}, time.Hour, 2 * time.Hour, 5, time.Hour},
		"a sine":                 {timeline.Sine{Mean: 10, Amplitude: 5, Period: 4 * time.Hour, PeakAt: time.Hour}, 0, 24 * time.Hour, 15, time.Hour},
		"a short spike":          {timeline.Spikes{Base: 1, Peak: 100, Every: 12 * time.Hour, Lasting: time.Second, Rise: time.Second}, time.Hour, 24 * time.Hour, 100, 12*time.Hour + time.Second},
		"a spike out of sight":   {timeline.Spikes{Base: 1, Peak: 100, Every: 12 * time.Hour, Lasting: time.Second}, time.Hour, 2 * time.Hour, 1, time.Hour},
		"the end of a ramp":      {timeline.Ramp{From: 1, To: 9, Over: 8 * time.Hour, Every: 24 * time.Hour}, 0, 24 * time.Hour, 9, 8 * time.Hour},
		"tomorrow":               {timeline.Daily{Points: []timeline.DayPoint{{At: 0, Rate: 1}, {At: 6 * time.Hour, Rate: 7}}}, 12 * time.Hour, 36 * time.Hour, 7, 30 * time.Hour},
		"the way up":             {timeline.Ramp{From: 1, To: 9, Over: 8 * time.Hour, Every: 24 * time.Hour}, time.Hour, 4 * time.Hour, 5, 4 * time.Hour},
		"after a jump down":      {timeline.Steps{Steps: []timeline.Step{{Rate: 9, For: time.Hour}, {Rate: 1, For: time.Hour}}}, time.Hour, 2 * time.Hour, 1, time.Hour},
		"before a jump up":       {timeline.Steps{Steps: []timeline.Step{{Rate: 1, For: time.Hour}, {Rate: 9, For: time.Hour}}}, 0, time.Hour, 1, 0},
		"the start of a descent": {timeline.Ramp{From: 9, To: 1, Over: 24 * time.Hour}, 6 * time.Hour, 12 * time.Hour, 7, 6 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			tl := newTimeline(t, timeline.Options{Name: "x", Shape: tc.shape})
			rate, at := tl.Peak(day.Add(tc.from), day.Add(tc.to))
			if math.Abs(rate-tc.rate) > 1e-6 || at.Sub(day.Add(tc.at)).Abs() > time.Microsecond {
				t.Errorf("peak %v at %v, want %v at %v", rate, at.Sub(day), tc.rate, tc.at)
			}
		})
	}
}

// On Samoa there was no 30 December 2011.
func TestADayThatTheClocksSkipHasNoPart(t *testing.T) {
	tl := newTimeline(t, timeline.Options{Name: "x", Shape: business(1), Location: zone(t, "Pacific/Apia")})
	from := time.Date(2011, 12, 29, 10, 0, 0, 0, time.UTC)
	to := from.AddDate(0, 0, 2)
	if n, sum := float64(tl.Count(from, to)), tl.Integral(from, to); n == 0 || math.Abs(n-sum) > 4 {
		t.Errorf("%v slots, integral %v", n, sum)
	}
	if rate, _ := tl.Peak(from, to); rate != 1 {
		t.Errorf("peak %v", rate)
	}
}

func TestShortPeriodsCostNoMoreThanLongOnes(t *testing.T) {
	sine := func(period time.Duration) timeline.Shape {
		return timeline.Sine{Mean: 10, Amplitude: 5, Period: period}
	}
	from := time.Date(2026, 6, 15, 10, 20, 0, 1, time.UTC)
	for name, tc := range map[string]struct {
		shape timeline.Shape
		most  int
	}{
		"1 ms": {sine(time.Millisecond), 2 * 2 * 2 * 64},
		"7, 11 and 13 ms": {
			timeline.Sum{Shapes: []timeline.Shape{sine(7 * time.Millisecond), sine(11 * time.Millisecond), sine(13 * time.Millisecond)}},
			2 * 2 * 2 * 64 * (11*13 + 7*13 + 7*11),
		},
	} {
		tl := newTimeline(t, timeline.Options{Name: "x", Shape: tc.shape})
		if n := tl.Looks(from, from.Add(24*time.Hour)); n == 0 || n > tc.most {
			t.Errorf("%s: Peak looks at %d rates, want at most %d", name, n, tc.most)
		}
	}
}

func TestIntegralsAreThoseOfTheSteps(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		tl := newTimeline(t, timeline.Options{Name: "x", Shape: business(1), Location: zone(t, "Europe/Berlin")})
		from := time.Unix(1_774_000_000+rng.Int64N(30_000_000), rng.Int64N(1e9))
		step := time.Duration(1 + rng.Int64N(int64(40*time.Hour)))
		for i, got := range tl.Integrals(from, step, 9) {
			begin := from.Add(time.Duration(i) * step)
			if want := tl.Integral(begin, begin.Add(step)); math.Abs(got-want) > 1e-6 {
				t.Errorf("from %v in steps of %v: step %d is %v, want %v", from, step, i, got, want)
			}
		}
	}
}

// TestExtremesHoldEveryRate looks at rates within steps. Peak knows the highest of them.
func TestExtremesHoldEveryRate(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 50 {
		tl := newTimeline(t, timeline.Options{Name: "x", Shape: business(1), Location: zone(t, "Europe/Berlin")})
		from := time.Unix(1_774_000_000+rng.Int64N(30_000_000), rng.Int64N(1e9))
		step := time.Duration(1 + rng.Int64N(int64(40*time.Hour)))
		for i, got := range tl.Extremes(from, step, 9) {
			begin := from.Add(time.Duration(i) * step)
			if peak, _ := tl.Peak(begin, begin.Add(step)); peak != got.High {
				t.Errorf("from %v in steps of %v: the highest rate of step %d is %v, want %v", from, step, i, got.High, peak)
			}
			if mean := tl.Integral(begin, begin.Add(step)) / step.Seconds(); mean < got.Low-1e-6 || mean > got.High+1e-6 {
				t.Errorf("step %d is from %v to %v, with a mean of %v", i, got.Low, got.High, mean)
			}
			for range 20 {
				at := begin.Add(time.Duration(rng.Int64N(int64(step))))
				if r := tl.Rate(at); r < got.Low-1e-9 || r > got.High+1e-9 {
					t.Errorf("step %d is from %v to %v, and the rate at %v is %v", i, got.Low, got.High, at, r)
				}
			}
		}
	}
}

func TestKnotsAreKnownBeforeTheyAreDrawn(t *testing.T) {
	for name, tc := range map[string]struct {
		shape timeline.Shape
		want  int
	}{
		"none":         {nil, 0},
		"a constant":   {timeline.Steady{Rate: 1}, 0},
		"a sine":       {timeline.Sine{Mean: 1, Period: time.Hour}, 64},
		"a bad one":    {timeline.Sine{Mean: -1, Period: time.Hour}, 0},
		"far too many": {timeline.Sum{Shapes: []timeline.Shape{business(1), timeline.Sine{Mean: 1, Period: time.Millisecond}}}, 0},
	} {
		if got := timeline.Knots(tc.shape); got != tc.want {
			t.Errorf("%s has %d knots, want %d", name, got, tc.want)
		}
	}
}
