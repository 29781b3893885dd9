package timeline_test

import (
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

func TestDaysStartAtTheFirstInstantOfTheLocalDate(t *testing.T) {
	tests := []struct {
		name, zone string
		y          int
		m          time.Month
		d          int
		want       string
	}{
		{"an ordinary midnight", "Europe/Berlin", 2026, 3, 29, "2026-03-28T23:00:00Z"},
		{"the day after 23 hours", "Europe/Berlin", 2026, 3, 30, "2026-03-29T22:00:00Z"},
		{"the day after 25 hours", "Europe/Berlin", 2026, 10, 26, "2026-10-25T23:00:00Z"},
		{"midnight is skipped", "America/Havana", 2026, 3, 8, "2026-03-08T05:00:00Z"},
		{"the hour after midnight is repeated", "America/Havana", 2026, 11, 1, "2026-11-01T04:00:00Z"},
		{"the day after the repeated hour", "America/Havana", 2026, 11, 2, "2026-11-02T05:00:00Z"},
		{"clocks go back over midnight at 00:01", "America/St_Johns", 2006, 10, 29, "2006-10-29T02:30:00Z"},
		{"the day after", "America/St_Johns", 2006, 10, 30, "2006-10-30T03:30:00Z"},
		{"clocks go back at midnight, so that it comes an hour later", "America/Sao_Paulo", 2018, 2, 18, "2018-02-18T03:00:00Z"},
		{"the skipped day starts with the next", "Pacific/Apia", 2011, 12, 30, "2011-12-30T10:00:00Z"},
		{"the day after the skipped day", "Pacific/Apia", 2011, 12, 31, "2011-12-30T10:00:00Z"},
		{"half an hour is repeated", "Australia/Lord_Howe", 2026, 4, 6, "2026-04-05T13:30:00Z"},
		{"long before zones", "America/New_York", 1800, 1, 1, "1800-01-01T04:56:02Z"},
		{"far in the future", "Europe/Berlin", 2300, 7, 1, "2300-06-30T22:00:00Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := timeline.DayStart(zone(t, test.zone), test.y, test.m, test.d).Format(time.RFC3339)
			if got != test.want {
				t.Errorf("%d-%02d-%02d in %s starts at %s, want %s", test.y, test.m, test.d, test.zone, got, test.want)
			}
		})
	}
}

// daysWithClockChanges are days by the length that they have.
func daysWithClockChanges() []struct {
	zone, noon string
	length     time.Duration
} {
	return []struct {
		zone, noon string
		length     time.Duration
	}{
		{"UTC", "2026-03-29T12:00:00", 24 * time.Hour},
		{"Europe/Berlin", "2026-03-28T12:00:00", 24 * time.Hour},
		{"Europe/Berlin", "2026-03-29T12:00:00", 23 * time.Hour},
		{"Europe/Berlin", "2026-10-25T12:00:00", 25 * time.Hour},
		{"Australia/Lord_Howe", "2026-04-05T12:00:00", 24*time.Hour + 30*time.Minute},
		{"Australia/Lord_Howe", "2026-10-04T12:00:00", 23*time.Hour + 30*time.Minute},
		{"America/Havana", "2026-03-08T12:00:00", 23 * time.Hour},
		{"America/Havana", "2026-11-01T12:00:00", 25 * time.Hour},
		{"America/Sao_Paulo", "2018-02-17T12:00:00", 25 * time.Hour},
		{"America/St_Johns", "2006-10-28T12:00:00", 24 * time.Hour},
		{"America/St_Johns", "2006-10-29T12:00:00", 25 * time.Hour},
		{"Antarctica/Troll", "2026-03-29T12:00:00", 22 * time.Hour},
		{"Antarctica/Troll", "2026-10-25T12:00:00", 26 * time.Hour},
		{"Pacific/Apia", "2011-12-29T12:00:00", 24 * time.Hour},
		{"Pacific/Apia", "2011-12-31T12:00:00", 24 * time.Hour},
	}
}

func TestSegmentsAreAsLongAsLocalDays(t *testing.T) {
	for _, test := range daysWithClockChanges() {
		for _, a := range []timeline.Arrivals{timeline.Uniform, timeline.Poisson} {
			t.Run(test.zone+" "+test.noon+" "+a.String(), func(t *testing.T) {
				loc := zone(t, test.zone)
				noon, err := time.ParseInLocation("2006-01-02T15:04:05", test.noon, loc)
				if err != nil {
					t.Fatal(err)
				}
				s := newTimeline(t, timeline.Options{Name: "x", Shape: timeline.Steady{Rate: 3}, Arrivals: a, Location: loc}).Segment(noon)
				if got := s.End.Sub(s.Start); got != test.length {
					t.Errorf("the day is %v long, want %v", got, test.length)
				}
				if want := uint64(3 * test.length / time.Second); s.Len() != want {
					t.Errorf("%d slots, want %d", s.Len(), want)
				}
			})
		}
	}
}

// The hour from 2 to 3 carries 1,800 slots, the rest of the day none. Berlin skips
// it in spring and repeats it in autumn.
func TestLocalTimeIsSkippedAndRepeatedWithTheClocks(t *testing.T) {
	night := timeline.Daily{Points: []timeline.DayPoint{
		{At: 2 * time.Hour, Rate: 0}, {At: 150 * time.Minute, Rate: 1}, {At: 3 * time.Hour, Rate: 0},
	}}
	berlin := zone(t, "Europe/Berlin")
	week := timeline.Weekly{}
	for d := time.Sunday; d <= time.Saturday; d++ {
		for _, p := range night.Points {
			week.Points = append(week.Points, timeline.WeekPoint{Day: d, At: p.At, Rate: p.Rate})
		}
	}
	for _, shape := range []timeline.Shape{night, week} {
		tl := newTimeline(t, timeline.Options{Name: "night", Shape: shape, Location: berlin})
		for _, test := range []struct {
			day  time.Time
			want uint64
		}{
			{time.Date(2026, 3, 28, 0, 0, 0, 0, berlin), 1800},
			{time.Date(2026, 3, 29, 0, 0, 0, 0, berlin), 0},
			{time.Date(2026, 3, 30, 0, 0, 0, 0, berlin), 1800},
			{time.Date(2026, 10, 25, 0, 0, 0, 0, berlin), 3600},
		} {
			// Within a week of one segment the count of a day may be off by one.
			got := tl.Count(test.day, test.day.AddDate(0, 0, 1))
			if _, weekly := shape.(timeline.Weekly); got != test.want && !weekly || got > test.want+1 || got+1 < test.want {
				t.Errorf("%T: %d slots on %v, want %d", shape, got, test.day, test.want)
			}
		}
		if got := tl.Rate(time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)); got != 1 {
			t.Errorf("%T: rate %g at the first 02:30, want 1", shape, got)
		}
		if got := tl.Rate(time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)); got != 1 {
			t.Errorf("%T: rate %g at the second 02:30, want 1", shape, got)
		}
	}
}

func TestWeeksStartOnMonday(t *testing.T) {
	for _, name := range zones() {
		loc := zone(t, name)
		tl := newTimeline(t, timeline.Options{Shape: timeline.Weekly{Points: []timeline.WeekPoint{{Rate: 1}}}, Location: loc})
		for at := start; at.Before(start.AddDate(1, 0, 0)); at = at.Add(50 * time.Hour) {
			s := tl.Segment(at)
			if first := s.Start.In(loc); first.Weekday() != time.Monday {
				t.Fatalf("a week in %s starts on %v", name, first)
			}
			if last := s.End.Add(-1).In(loc); last.Weekday() != time.Sunday {
				t.Fatalf("a week in %s ends on %v", name, last)
			}
		}
	}
}

func TestElapsedShapesStartOverAtMidnightInWeeksToo(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	steps := timeline.Steps{Steps: []timeline.Step{{Rate: 1, For: 6 * time.Hour}, {Rate: 2, For: 5 * time.Hour}}}
	alone := newTimeline(t, timeline.Options{Shape: steps, Location: berlin})
	summed := newTimeline(t, timeline.Options{Location: berlin, Shape: timeline.Sum{Shapes: []timeline.Shape{
		steps, timeline.Weekly{Points: []timeline.WeekPoint{{Rate: 0}}},
	}}})
	for at := start.AddDate(0, -3, 0); at.Before(start.AddDate(1, 0, 0)); at = at.Add(37 * time.Minute) {
		if a, b := alone.Rate(at), summed.Rate(at); a != b {
			t.Fatalf("rate %g alone, %g in a sum with a week, at %v", a, b, at)
		}
	}
}

// Segments follow each other without a gap for centuries, in every zone.
func TestSegmentsCoverAllTime(t *testing.T) {
	for _, name := range zones() {
		loc := zone(t, name)
		tl := newTimeline(t, timeline.Options{Shape: timeline.Steady{Rate: 1}, Location: loc})
		at := time.Date(1965, 1, 1, 0, 0, 0, 0, time.UTC)
		for s := tl.Segment(at); s.Start.Year() < 2045; {
			next := tl.Segment(s.End)
			if !next.Start.Equal(s.End) || !next.End.After(next.Start) || next.End.Sub(next.Start) > 49*time.Hour {
				t.Fatalf("%s: segment from %v to %v after %v", name, next.Start, next.End, s.End)
			}
			s = next
		}
	}
}
