package timeline_test

import (
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// business is a day with a rush hour and a quiet night.
func business(peak float64) timeline.Daily {
	return timeline.Daily{Points: []timeline.DayPoint{
		{At: 0, Rate: peak / 10},
		{At: 6 * time.Hour, Rate: peak / 20},
		{At: 9 * time.Hour, Rate: peak},
		{At: 13 * time.Hour, Rate: peak * 0.7},
		{At: 17 * time.Hour, Rate: peak * 0.9},
		{At: 22 * time.Hour, Rate: peak / 8},
	}}
}

func BenchmarkCursorUniformSteady(b *testing.B) {
	benchmarkCursor(b, timeline.Steady{Rate: 1e4}, timeline.Uniform)
}

func BenchmarkCursorUniformDaily(b *testing.B) {
	benchmarkCursor(b, business(1e4), timeline.Uniform)
}

func BenchmarkCursorPoissonSteady(b *testing.B) {
	benchmarkCursor(b, timeline.Steady{Rate: 1e4}, timeline.Poisson)
}

func BenchmarkCursorPoissonDaily(b *testing.B) {
	benchmarkCursor(b, business(1e4), timeline.Poisson)
}

// BenchmarkCursorUniformSine has a new piece of the curve every 16 slots.
func BenchmarkCursorUniformSine(b *testing.B) {
	benchmarkCursor(b, timeline.Sine{Mean: 1e3, Amplitude: 500, Period: time.Second}, timeline.Uniform)
}

// BenchmarkCursorSpliced is in a stretch.
func BenchmarkCursorSpliced(b *testing.B) {
	base := newTimeline(b, timeline.Options{Name: "bench", Shape: timeline.Steady{Rate: 5e3}})
	tl := spliced(b, base, []timeline.Stretch{{From: start, Until: start.AddDate(90, 0, 0), Timeline: with(b, base, 1e4)}})
	benchmarkWalk(b, tl)
}

func benchmarkCursor(b *testing.B, shape timeline.Shape, a timeline.Arrivals) {
	b.Helper()
	benchmarkWalk(b, newTimeline(b, timeline.Options{Name: "bench", Shape: shape, Arrivals: a}))
}

func benchmarkWalk(b *testing.B, tl *timeline.Timeline) {
	b.Helper()
	c := tl.Cursor(start)
	far := start.AddDate(100, 0, 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Next(far); !ok {
			b.Fatal("no slot")
		}
	}
}

func BenchmarkDuePoisson(b *testing.B) {
	s := newTimeline(b, timeline.Options{Shape: business(1e4), Arrivals: timeline.Poisson}).Segment(start)
	var k uint64
	for b.Loop() {
		s.Due(k % s.Len())
		k += 1_000_003
	}
}

func BenchmarkCountMonth(b *testing.B) {
	t := newTimeline(b, timeline.Options{Shape: business(1e6), Arrivals: timeline.Poisson, Location: zone(b, "Europe/Berlin")})
	for b.Loop() {
		t.Count(start, start.AddDate(0, 1, 0))
	}
}

func BenchmarkRate(b *testing.B) {
	t := newTimeline(b, timeline.Options{Shape: business(1e6), Location: zone(b, "Europe/Berlin")})
	for b.Loop() {
		t.Rate(start)
	}
}
