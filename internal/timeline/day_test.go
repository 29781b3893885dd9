package timeline_test

import (
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

func TestADayIsThatOfTheTimeZone(t *testing.T) {
	for _, test := range []struct{ zone, at, start, end string }{
		{"UTC", "2026-03-01T12:00:00Z", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"},
		{"Europe/Berlin", "2026-03-01T23:30:00Z", "2026-03-01T23:00:00Z", "2026-03-02T23:00:00Z"},
		{"Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // 23 hours
		{"Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"}, // 25 hours
		{"Asia/Kathmandu", "2026-03-01T18:14:59Z", "2026-02-28T18:15:00Z", "2026-03-01T18:15:00Z"},
	} {
		line, err := timeline.New(timeline.Options{Name: "s", Shape: timeline.Steady{Rate: 1}, Location: zone(t, test.zone)})
		if err != nil {
			t.Fatal(err)
		}
		at, _ := time.Parse(time.RFC3339, test.at)
		from, to := line.Day(at)
		if from.Format(time.RFC3339) != test.start || to.Format(time.RFC3339) != test.end {
			t.Errorf("%s of %s: %v to %v, want %s to %s", test.at, test.zone, from, to, test.start, test.end)
		}
	}
}

// TestTheNthSlotIsWhereTheCountSaysSo holds Nth against Count, and against a walk, over days, with another rate for a
// while.
func TestTheNthSlotIsWhereTheCountSaysSo(t *testing.T) {
	from := time.Date(2026, 3, 1, 5, 6, 7, 8, time.UTC)
	to := from.Add(50 * time.Hour)
	for _, arrivals := range []timeline.Arrivals{timeline.Uniform, timeline.Poisson} {
		base, err := timeline.New(timeline.Options{Name: "s", Shape: timeline.Steady{Rate: 0.01}, Arrivals: arrivals})
		if err != nil {
			t.Fatal(err)
		}
		faster, err := base.Scaled(3)
		if err != nil {
			t.Fatal(err)
		}
		spliced, err := base.Splice([]timeline.Stretch{{From: from.Add(20 * time.Hour), Until: from.Add(30 * time.Hour), Timeline: faster}})
		if err != nil {
			t.Fatal(err)
		}
		for name, line := range map[string]*timeline.Timeline{"plain": base, "spliced": spliced} {
			c := line.Cursor(from)
			n := uint64(0)
			for slot, ok := c.Next(to); ok; slot, ok = c.Next(to) {
				due, found := line.Nth(n, from, to)
				if !found || !due.Equal(slot.Due) {
					t.Fatalf("%s: slot %d is due at %v, %t, want %v", name, n, due, found, slot.Due)
				}
				if n++; line.Count(from, due) != n-1 {
					t.Fatalf("%s: %d slots before slot %d", name, line.Count(from, due), n-1)
				}
			}
			if due, found := line.Nth(n, from, to); found || n < 1000 {
				t.Errorf("%s: slot %d of as many is due at %v", name, n, due)
			}
		}
	}
}
