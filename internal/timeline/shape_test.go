package timeline_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// point is a rate that is expected at a time after Monday, 0 h.
type point struct {
	at   time.Duration
	rate float64
}

func shapeTests() map[string]struct {
	shape   timeline.Shape
	formula string
	points  []point
} {
	const h, m = time.Hour, time.Minute
	inf := math.Inf(1)
	return map[string]struct {
		shape   timeline.Shape
		formula string
		points  []point
	}{
		"steady": {
			timeline.Steady{Rate: 2.5},
			"2.5/s",
			[]point{{0, 2.5}, {23 * h, 2.5}, {500 * h, 2.5}},
		},
		"ramp": {
			timeline.Ramp{From: 10, To: 100, Over: 10 * m, Every: h},
			"10/s + 90/s * min(1, t / 10m0s), t mod 1h0m0s",
			[]point{{0, 10}, {5 * m, 55}, {10 * m, 100}, {59 * m, 100}, {h, 10}, {h + 1*m, 19}},
		},
		"saw tooth": {
			timeline.Ramp{From: 8, To: 0, Over: 8 * h},
			"8/s + -8/s * min(1, t / 8h0m0s), t mod 8h0m0s",
			[]point{{0, 8}, {6 * h, 2}, {8 * h, 8}, {15 * h, 1}, {23 * h, 1}},
		},
		"a period that midnight cuts short": {
			timeline.Ramp{From: 0, To: 10, Over: 10 * h},
			"0/s + 10/s * min(1, t / 10h0m0s), t mod 10h0m0s",
			[]point{{20 * h, 0}, {23 * h, 3}, {24 * h, 0}, {25 * h, 1}},
		},
		"steps": {
			timeline.Steps{Steps: []timeline.Step{{Rate: 10, For: 10 * m}, {Rate: 50, For: 5 * m}}},
			"10/s for 10m0s, 50/s for 5m0s, repeat",
			[]point{{0, 10}, {10*m - 1, 10}, {10 * m, 50}, {15*m - 1, 50}, {15 * m, 10}},
		},
		"steps of days": {
			timeline.Steps{Steps: []timeline.Step{{Rate: 1, For: 36 * h}, {Rate: 2, For: 12 * h}}},
			"1/s for 36h0m0s, 2/s for 12h0m0s, repeat",
			// Groups of two days are counted from Monday, 1969-12-29; this one starts on a Sunday.
			[]point{{0, 1}, {12 * h, 2}, {24 * h, 1}, {59 * h, 1}, {60 * h, 2}},
		},
		"sine": {
			timeline.Sine{Mean: 100, Amplitude: 50, Period: h, PeakAt: 15 * m},
			"100/s + 50/s * cos(2 pi (t - 15m0s) / 1h0m0s)",
			[]point{{15 * m, 150}, {30 * m, 100}, {45 * m, 50}, {75 * m, 150}, {15*m + h/8, 100 + 50*math.Sqrt2/2}},
		},
		"spikes": {
			timeline.Spikes{Base: 10, Peak: 200, Every: h, Lasting: m, Rise: 10 * time.Second},
			"10/s, every 1h0m0s up to 200/s for 1m0s within 10s",
			[]point{{0, 10}, {5 * time.Second, 105}, {10 * time.Second, 200}, {m, 200}, {75 * time.Second, 105}, {2 * m, 10}, {h + m, 200}},
		},
		"sharp spikes": {
			timeline.Spikes{Base: 0, Peak: 7, Every: m, Lasting: time.Second},
			"0/s, every 1m0s up to 7/s for 1s within 0s",
			[]point{{0, 7}, {time.Second - 1, 7}, {time.Second, 0}, {m, 7}},
		},
		"daily": {
			timeline.Daily{Points: []timeline.DayPoint{{At: 18 * h, Rate: 20}, {At: 6 * h, Rate: 10}}},
			"daily 18:00 20/s, 06:00 10/s",
			[]point{{6 * h, 10}, {12 * h, 15}, {18 * h, 20}, {0, 15}, {24 * h, 15}, {27 * h, 12.5}},
		},
		"one point a day": {
			timeline.Daily{Points: []timeline.DayPoint{{At: 61 * time.Second, Rate: 3}}},
			"daily 00:01:01 3/s",
			[]point{{0, 3}, {61 * time.Second, 3}, {20 * h, 3}},
		},
		"weekly": {
			timeline.Weekly{Points: []timeline.WeekPoint{{Day: time.Sunday, At: 12 * h, Rate: 0}, {Day: time.Wednesday, At: 12 * h, Rate: 84}}},
			"weekly Sun 12:00 0/s, Wed 12:00 84/s",
			[]point{{60 * h, 84}, {61 * h, 83.125}, {156 * h, 0}, {0, 14}, {168 * h, 14}},
		},
		"sum": {
			timeline.Sum{Shapes: []timeline.Shape{
				timeline.Steady{Rate: 200},
				timeline.Steps{Steps: []timeline.Step{{Rate: 0, For: 2 * time.Second}, {Rate: 10, For: 5 * time.Second}}},
				timeline.Ramp{From: 0, To: 5, Over: 5 * time.Second},
			}},
			"(200/s) + (0/s for 2s, 10/s for 5s, repeat) + (0/s + 5/s * min(1, t / 5s), t mod 5s)",
			[]point{{0, 200}, {2 * time.Second, 212}, {8 * time.Second, 203}, {36 * time.Second, 201}, {24 * h, 200}},
		},
		"adjusted": {
			timeline.Adjusted{Shape: timeline.Ramp{From: 0, To: 10, Over: 10 * h}, Scale: 2, Min: 5, Max: 10},
			"max(5/s, min(10/s, 2 * (0/s + 10/s * min(1, t / 10h0m0s), t mod 10h0m0s)))",
			[]point{{0, 5}, {2 * h, 5}, {150 * m, 5}, {3 * h, 6}, {5 * h, 10}, {9 * h, 10}, {10 * h, 5}},
		},
		"half a wave": {
			timeline.Adjusted{Shape: timeline.Sine{Mean: 0, Amplitude: 6, Period: 4 * h}, Scale: 1, Max: inf},
			"(0/s + 6/s * cos(2 pi (t - 0s) / 4h0m0s))",
			[]point{{0, 6}, {h, 0}, {2 * h, 0}, {3 * h, 0}, {4 * h, 6}},
		},
	}
}

func TestRateFollowsTheShape(t *testing.T) {
	monday := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for name, test := range shapeTests() {
		t.Run(name, func(t *testing.T) {
			if got := test.shape.String(); got != test.formula {
				t.Errorf("formula %q, want %q", got, test.formula)
			}
			tl := newTimeline(t, timeline.Options{Shape: test.shape})
			for _, p := range test.points {
				if got := tl.Rate(monday.Add(p.at)); math.Abs(got-p.rate) > 1e-9 {
					t.Errorf("rate %g/s after %v, want %g/s", got, p.at, p.rate)
				}
			}
		})
	}
}

func TestMaxRateLimitsTheRate(t *testing.T) {
	o := timeline.Options{Shape: timeline.Ramp{From: 0, To: 10, Over: 10 * time.Second}, MaxRate: 5}
	tl := newTimeline(t, o)
	from := start.Truncate(24 * time.Hour)
	if got := tl.Count(from, from.Add(10*time.Hour)); got != 3600*(125+250)/10 {
		t.Errorf("%d slots in 10 hours, want 135000", got)
	}
	if got := tl.Rate(from.Add(7 * time.Second)); got != 5 {
		t.Errorf("rate %g/s, want 5/s", got)
	}
}

// Over a period the straight lines of the sine have the area of the curve.
func TestSineHasItsMean(t *testing.T) {
	for _, period := range []time.Duration{time.Second, 10 * time.Minute, 24 * time.Hour, 7 * 24 * time.Hour} {
		sine := timeline.Sine{Mean: 123, Amplitude: 77, Period: period, PeakAt: period / 3}
		s := newTimeline(t, timeline.Options{Shape: sine}).Segment(start)
		want := 123 * s.End.Sub(s.Start).Seconds()
		if got := s.Integral(s.End.Sub(s.Start)); math.Abs(got-want) > 1e-12*want {
			t.Errorf("period %v: integral %v, want %v", period, got, want)
		}
	}
	for k := range 64 {
		if got, want := timeline.Cosine(k), math.Cos(2*math.Pi*float64(k)/64); math.Abs(got-want) > 1e-15 {
			t.Errorf("cosine(%d) = %v, want %v", k, got, want)
		}
	}
}

func TestAShortCycleNeedsFewKnotsForADay(t *testing.T) {
	sine := timeline.Sine{Mean: 1, Amplitude: 1, Period: time.Second}
	sum := timeline.Sum{Shapes: []timeline.Shape{sine, timeline.Sine{Mean: 2, Amplitude: 1, Period: 7 * time.Second}}}
	newTimeline(t, timeline.Options{Shape: sum})
}

func TestNewRefusesWhatMakesNoSense(t *testing.T) {
	const h = time.Hour
	nan, inf := math.NaN(), math.Inf(1)
	steady := timeline.Steady{Rate: 1}
	days := func(n int) timeline.Ramp { return timeline.Ramp{To: 1, Over: time.Duration(n) * 24 * h} }
	second := timeline.Sine{Mean: 1, Period: time.Second}
	adjusted := func(s timeline.Shape, scale, low, high float64) timeline.Adjusted {
		return timeline.Adjusted{Shape: s, Scale: scale, Min: low, Max: high}
	}
	tests := []struct {
		name  string
		shape timeline.Shape
		want  string
	}{
		{"no shape", nil, "no shape"},
		{"a negative rate", timeline.Steady{Rate: -1}, `steady: "-1/s" is not a rate of 0 or more`},
		{"not a number", timeline.Steady{Rate: nan}, `steady: "NaN/s" is not a rate`},
		{"infinity", timeline.Ramp{To: inf, Over: h}, `ramp: "+Inf/s" is not a rate`},
		{"a peak beyond the limit", timeline.Steady{Rate: 1_000_001}, `rate reaches "1000001/s", more than "1000000/s"`},
		{"a sum beyond the limit", timeline.Sum{Shapes: []timeline.Shape{timeline.Steady{Rate: 6e5}, timeline.Steady{Rate: 6e5}}}, `rate reaches "1200000/s"`},
		{"a scale beyond the limit", adjusted(steady, 2e6, 0, inf), `rate reaches "2000000/s"`},
		{"a ramp of no duration", timeline.Ramp{To: 1}, `ramp: over "0s" is not between`},
		{"a ramp longer than its period", timeline.Ramp{To: 1, Over: 2 * h, Every: h}, `ramp: over "2h0m0s" is not between 0s and the period "1h0m0s"`},
		{"a period too short", timeline.Ramp{To: 1, Over: time.Microsecond}, `ramp: period "1µs" is not between 1ms and 366 days`},
		{"a period too long", days(367), `ramp: period "8808h0m0s" is not between`},
		{"a period of a day and a half", timeline.Ramp{To: 1, Over: 36 * h}, `period "36h0m0s" is longer than a day but not a number of whole days`},
		{"no steps", timeline.Steps{}, "steps: no step"},
		{"a step of no duration", timeline.Steps{Steps: []timeline.Step{{Rate: 1, For: h}, {Rate: 1}}}, `steps[1]: duration "0s" is not positive`},
		{"steps whose sum overflows", timeline.Steps{Steps: []timeline.Step{{For: math.MaxInt64}, {For: math.MaxInt64}}}, "steps[0]: duration"},
		{"a negative step", timeline.Steps{Steps: []timeline.Step{{Rate: -2, For: h}}}, `steps[0]: "-2/s" is not a rate`},
		{"a sine below 0", timeline.Sine{Mean: 1, Amplitude: 2, Period: h}, `rate falls to "-1/s", below 0`},
		{"a sine of no period", timeline.Sine{Mean: 1}, `sine: period "0s" is not between`},
		{"a negative amplitude", timeline.Sine{Mean: 2, Amplitude: -1, Period: h}, `sine: "-1/s" is not a rate`},
		{"a sine that peaks in the past", timeline.Sine{Mean: 2, Period: h, PeakAt: -1}, `sine: peak at "-1ns"`},
		{"a spike without duration", timeline.Spikes{Peak: 1, Every: h}, "has no duration"},
		{"a spike longer than the period", timeline.Spikes{Peak: 1, Every: h, Lasting: 50 * time.Minute, Rise: 6 * time.Minute}, `does not fit into the period "1h0m0s"`},
		{"a spike whose edges overflow", timeline.Spikes{Peak: 1, Every: h, Rise: math.MaxInt64}, "does not fit"},
		{"a negative peak", timeline.Spikes{Peak: -1, Every: h, Lasting: 1}, `spikes: "-1/s" is not a rate`},
		{"no daily points", timeline.Daily{}, "daily: no point"},
		{"24:00", timeline.Daily{Points: []timeline.DayPoint{{At: 24 * h}}}, `daily[0]: "24h0m0s" is not a time of day`},
		{"two points at one time", timeline.Daily{Points: []timeline.DayPoint{{At: h}, {At: 2 * h}, {At: h}}}, "daily: two points at the same time"},
		{"a negative daily rate", timeline.Daily{Points: []timeline.DayPoint{{At: h, Rate: -3}}}, `daily[0]: "-3/s" is not a rate`},
		{"no weekly points", timeline.Weekly{}, "weekly: no point"},
		{"an eighth day", timeline.Weekly{Points: []timeline.WeekPoint{{Day: 7}}}, "weekly[0]: \"%!Weekday(7)\" is not a day of the week"},
		{"a weekly point beyond its day", timeline.Weekly{Points: []timeline.WeekPoint{{At: 25 * h}}}, `weekly[0]: "25h0m0s" is not a time of day`},
		{"two weekly points at one time", timeline.Weekly{Points: []timeline.WeekPoint{{Day: 1}, {Day: 1}}}, "weekly: two points at the same time"},
		{"an empty sum", timeline.Sum{}, "sum: no shape"},
		{"nothing in a sum", timeline.Sum{Shapes: []timeline.Shape{steady, nil}}, "sum[1]: no shape"},
		{"an error in a sum", timeline.Sum{Shapes: []timeline.Shape{steady, timeline.Daily{}}}, "sum[1]: daily: no point"},
		{"periods that do not fit", timeline.Sum{Shapes: []timeline.Shape{days(2), days(7)}}, "sum[1]: periods of 2 and 7 days do not fit"},
		{"a second in a day", timeline.Sum{Shapes: []timeline.Shape{second, business(1)}}, "the curve has about 5529606 knots, more than 100000"},
		{"seconds whose multiple is a day", timeline.Sum{Shapes: []timeline.Shape{second, timeline.Sine{Mean: 1, Period: 86399 * time.Second}}}, "knots, more than 100000"},
		{"a bit too many knots", timeline.Sum{Shapes: []timeline.Shape{timeline.Sine{Mean: 1, Period: 50 * time.Second}, business(1)}}, "the curve has 110"},
		{"nothing adjusted", adjusted(nil, 1, 0, 1), "adjusted: no shape"},
		{"a negative scale", adjusted(steady, -1, 0, 1), `scale "-1" is not a factor`},
		{"a scale that is not a number", adjusted(steady, nan, 0, 1), `scale "NaN" is not a factor`},
		{"a negative min", adjusted(steady, 1, -1, 1), `min "-1/s" is not a rate`},
		{"a max below min", adjusted(steady, 1, 2, 1), `max "1/s" is less than min "2/s"`},
		{"a max that is not a number", adjusted(steady, 1, 0, nan), `max "NaN/s" is less than min`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := timeline.New(timeline.Options{Shape: test.shape})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	for _, o := range []timeline.Options{
		{Shape: steady, Arrivals: 2},
		{Shape: steady, MaxRate: -1},
		{Shape: steady, MaxRate: nan},
		{Shape: steady, MaxRate: inf},
	} {
		if _, err := timeline.New(o); err == nil {
			t.Errorf("no error for arrivals %v, max rate %g", o.Arrivals, o.MaxRate)
		}
	}
}

// Whatever numbers a shape is made of, New does not panic, and a timeline that it returns
// works.
func FuzzNew(f *testing.F) {
	f.Add(uint8(0), 1.0, 2.0, int64(time.Hour), int64(time.Minute), int64(time.Second))
	f.Add(uint8(3), 10.0, 200.0, int64(time.Hour), int64(time.Minute), int64(10*time.Second))
	f.Add(uint8(6), 0.1, 1e6, int64(48*time.Hour), int64(24*time.Hour), int64(0))
	f.Fuzz(func(t *testing.T, kind uint8, a, b float64, x, y, z int64) {
		d, e, g := time.Duration(x), time.Duration(y), time.Duration(z)
		shapes := []timeline.Shape{
			timeline.Steady{Rate: a},
			timeline.Ramp{From: a, To: b, Over: d, Every: e},
			timeline.Sine{Mean: a, Amplitude: b, Period: d, PeakAt: e},
			timeline.Spikes{Base: a, Peak: b, Every: d, Lasting: e, Rise: g},
			timeline.Steps{Steps: []timeline.Step{{Rate: a, For: d}, {Rate: b, For: e}, {Rate: a, For: g}}},
			timeline.Daily{Points: []timeline.DayPoint{{At: d, Rate: a}, {At: e, Rate: b}}},
			timeline.Weekly{Points: []timeline.WeekPoint{{Day: time.Weekday(z), At: d, Rate: a}, {At: e, Rate: b}}},
		}
		shape := shapes[int(kind)%len(shapes)]
		if kind >= 128 {
			shape = timeline.Sum{Shapes: []timeline.Shape{
				timeline.Adjusted{Shape: shape, Scale: b, Min: a, Max: a + b},
				shapes[int(kind/8)%len(shapes)],
			}}
		}
		o := timeline.Options{Name: fmt.Sprint(kind), Shape: shape, Arrivals: timeline.Arrivals(kind / 7 % 2)}
		if tl, err := timeline.New(o); err == nil {
			l := laws{random: newRandom(uint64(z)), tl: tl, where: shape.String()}
			l.segment(t, tl.Segment(start), start)
			l.slots(t, tl.Segment(start))
			l.cursor(t, start)
		}
	})
}
