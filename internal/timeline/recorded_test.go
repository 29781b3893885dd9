package timeline_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// recording is a triangle of two days, from 18:00 on the day before start.
func recording() *timeline.Recorded {
	return &timeline.Recorded{
		Start: time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC),
		Points: []timeline.RecordedPoint{
			{0, 100}, {24 * time.Hour, 340}, {48 * time.Hour, 100},
		},
		Otherwise: 7,
	}
}

func TestARecordingIsLinearBetweenItsPoints(t *testing.T) {
	once, repeated := recording(), recording()
	repeated.Repeat = true
	for name, tc := range map[string]struct {
		shape timeline.Shape
		rates map[time.Duration]float64 // after the start of the recording
	}{
		"once": {once, map[time.Duration]float64{
			-1: 7, -100 * 24 * time.Hour: 7, 0: 100, time.Hour: 110, 6 * time.Hour: 160, 24 * time.Hour: 340, 30 * time.Hour: 280, 48 * time.Hour: 7, 9000 * time.Hour: 7,
		}},
		"repeated": {repeated, map[time.Duration]float64{
			-time.Hour: 110, 0: 100, 47 * time.Hour: 110, 48 * time.Hour: 100, 49 * time.Hour: 110, (48*100 + 24) * time.Hour: 340, -48 * 7 * time.Hour: 100,
		}},
		"scaled": {timeline.Adjusted{Shape: once, Scale: 0.5, Max: 100}, map[time.Duration]float64{0: 50, time.Hour: 55, 24 * time.Hour: 100, 48 * time.Hour: 3.5}},
		"added":  {timeline.Sum{Shapes: []timeline.Shape{timeline.Steady{Rate: 1}, once, once}}, map[time.Duration]float64{0: 201, 48 * time.Hour: 15}},
	} {
		tl := newTimeline(t, timeline.Options{Name: "x", Shape: tc.shape})
		for after, want := range tc.rates {
			if got := tl.Rate(once.Start.Add(after)); math.Abs(got-want) > 1e-9 {
				t.Errorf("%s: the rate after %v is %v, want %v", name, after, got, want)
			}
		}
	}
}

// The clocks are set back within the recording: it is of instants.
func TestARecordingKnowsNoClocks(t *testing.T) {
	r := recording()
	r.Start = time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC)
	tl := newTimeline(t, timeline.Options{Name: "x", Shape: r, Location: zone(t, "Europe/Berlin")})
	if got, want := tl.Integral(r.Start, r.Start.Add(48*time.Hour)), 220.0*48*3600; math.Abs(got-want) > 1e-3 {
		t.Errorf("%v slots, want %v", got, want)
	}
	slots := walk(tl.Cursor(r.Start.Add(12*time.Hour-time.Second)), r.Start.Add(12*time.Hour+time.Second))
	if n := tl.Count(r.Start.Add(12*time.Hour-time.Second), r.Start.Add(12*time.Hour+time.Second)); n != uint64(len(slots)) || n < 438 || n > 442 {
		t.Errorf("%d slots of %d around a rate of 220/s", n, len(slots))
	}
}

func TestARecordingOfMinutesHasItsMinutes(t *testing.T) {
	r := &timeline.Recorded{Start: start.Truncate(time.Minute), Repeat: true}
	for i := range 7*1440 + 1 {
		r.Points = append(r.Points, timeline.RecordedPoint{After: time.Duration(i) * time.Minute, Rate: 50 + 40*math.Sin(float64(i)/300)})
	}
	tl := newTimeline(t, timeline.Options{Name: "x", Shape: r})
	for i := range 7 * 1440 {
		from := r.Start.Add(time.Duration(i)*time.Minute + 7*24*time.Hour)
		want := 30 * (r.Points[i].Rate + r.Points[i+1].Rate)
		if i%97 == 0 && math.Abs(tl.Integral(from, from.Add(time.Minute))-want) > 1e-6 {
			t.Errorf("minute %d has %v slots, want %v", i, tl.Integral(from, from.Add(time.Minute)), want)
		}
	}
}

func TestWhatIsWrongWithARecordingIsReported(t *testing.T) {
	point := func(after time.Duration, rate float64) timeline.RecordedPoint {
		return timeline.RecordedPoint{After: after, Rate: rate}
	}
	for want, r := range map[string]*timeline.Recorded{
		"fewer than two points":      {Points: []timeline.RecordedPoint{point(0, 1)}},
		"not at the start":           {Points: []timeline.RecordedPoint{point(1, 1), point(2, 1)}},
		"point 1: \"-1/s\"":          {Points: []timeline.RecordedPoint{point(0, 1), point(time.Hour, -1)}},
		"point 1: \"NaN/s\"":         {Points: []timeline.RecordedPoint{point(0, 1), point(time.Hour, math.NaN())}},
		"point 2 is not after":       {Points: []timeline.RecordedPoint{point(0, 1), point(time.Hour, 1), point(time.Hour, 1)}},
		"length \"1µs\"":             {Points: []timeline.RecordedPoint{point(0, 1), point(time.Microsecond, 1)}},
		"length \"96000h0m0s\"":      {Points: []timeline.RecordedPoint{point(0, 1), point(96000*time.Hour, 1)}},
		"otherwise: \"-1/s\"":        {Points: []timeline.RecordedPoint{point(0, 1), point(time.Hour, 1)}, Otherwise: -1},
		"rate reaches \"1000001/s\"": {Points: []timeline.RecordedPoint{point(0, 1), point(time.Hour, 1000001)}},
		"has about 1728000 knots": {Points: []timeline.RecordedPoint{
			point(0, 1), point(100*time.Millisecond, 1),
		}, Repeat: true},
	} {
		if _, err := timeline.New(timeline.Options{Name: "x", Shape: r}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
