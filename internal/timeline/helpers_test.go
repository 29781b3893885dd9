package timeline_test

import (
	"testing"
	"time"
	_ "time/tzdata" // The tests need the zones wherever they run.

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// start is a Monday, at no special time of day.
var start = time.Date(2026, 11, 23, 10, 17, 31, 123456789, time.UTC)

func newTimeline(tb testing.TB, o timeline.Options) *timeline.Timeline {
	tb.Helper()
	t, err := timeline.New(o)
	if err != nil {
		tb.Fatalf("New(%v): %v", o.Shape, err)
	}
	return t
}

func zone(tb testing.TB, name string) *time.Location {
	tb.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		tb.Fatal(err)
	}
	return loc
}
