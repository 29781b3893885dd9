package curve_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/curve"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// fill counts requests at a rate that depends on the time, evenly.
func fill(c *curve.Counter, from, to time.Time, rate func(time.Time) float64) {
	var owed float64
	const step = 10
	for at := from; at.Before(to); at = at.Add(step * time.Second) {
		for owed += step * rate(at); owed >= 1; owed-- {
			c.Add(at.Unix())
		}
	}
}

// wave is a rate over a day and a week by the clock: low at night, half of it at weekends.
func wave(at time.Time) float64 {
	hours := float64(at.Hour()) + float64(at.Minute())/60
	rate := 2 - 1.5*math.Cos(2*math.Pi*hours/24)
	if at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
		rate /= 2
	}
	return rate
}

// worst returns the largest error of a curve, relative, but for the hour around midnight where the
// rate of a weekend jumps.
func worst(c curve.Curve, zone *time.Location) float64 {
	var most float64
	for _, p := range c.Points {
		at := monday.In(zone).Add(-time.Duration(offset(monday, zone)) * time.Second).Add(p.At)
		if hour := p.At % (24 * time.Hour); hour < time.Hour || hour > 23*time.Hour {
			continue
		}
		most = max(most, math.Abs(p.Rate/wave(at)-1))
	}
	return most
}

func offset(at time.Time, zone *time.Location) int {
	_, seconds := at.In(zone).Zone()
	return seconds
}

func TestAWeekIsTheAverageOfWeeks(t *testing.T) {
	var c curve.Counter
	// Two weeks and a half, from the middle of a day.
	fill(&c, monday.Add(37*time.Hour+17*time.Second), monday.Add(37*time.Hour+17*24*time.Hour), wave)
	got := c.Curve(time.UTC)
	if got.Shape != curve.Weekly || got.Every != 5*time.Minute || len(got.Points) != 7*24*12 || got.Gap != 0 {
		t.Fatalf("found the shape %d, points every %s, %d of them, a gap of %s", got.Shape, got.Every, len(got.Points), got.Gap)
	}
	if e := worst(got, time.UTC); e > 0.02 {
		t.Errorf("the rate is off by %.1f %%", 100*e)
	}
}

func TestRatesFollowTheClockWhereClocksChange(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	var c curve.Counter
	// Clocks change on 29 March.
	fill(&c, monday.AddDate(0, 0, 7), monday.AddDate(0, 0, 49), func(at time.Time) float64 { return wave(at.In(berlin)) })
	got := c.Curve(berlin)
	if e := worst(got, berlin); got.Shape != curve.Weekly || e > 0.02 {
		t.Errorf("the rate is off by %.1f %%", 100*e)
	}
}

func TestMissingTimesAreNotTakenForSilence(t *testing.T) {
	var c curve.Counter
	fill(&c, monday, monday.AddDate(0, 0, 9), wave)
	fill(&c, monday.AddDate(0, 0, 12), monday.AddDate(0, 0, 21), wave)
	got := c.Curve(time.UTC)
	if e := worst(got, time.UTC); got.Gap != 72*time.Hour || e > 0.02 {
		t.Errorf("a gap of %s, the rate is off by %.1f %%", got.Gap, 100*e)
	}
}

func TestShortLogsHaveADayOrAConstantRate(t *testing.T) {
	var c curve.Counter
	fill(&c, monday, monday.Add(25*time.Hour), wave)
	if got := c.Curve(time.UTC); got.Shape != curve.Daily || worst(got, time.UTC) > 0.02 || len(got.Points) < 24 {
		t.Errorf("found %+v", got)
	}
	c = curve.Counter{}
	fill(&c, monday, monday.Add(time.Hour), func(time.Time) float64 { return 3 })
	if got := c.Curve(time.UTC); got.Shape != curve.Steady || math.Abs(got.Mean-3) > 0.01 || len(got.Points) != 0 {
		t.Errorf("found %+v", got)
	}
	if got := new(curve.Counter).Curve(time.UTC); got.Mean != 0 {
		t.Errorf("nothing has the rate %g", got.Mean)
	}
}

func TestRequestsComeInAnyOrder(t *testing.T) {
	var there, back curve.Counter
	for i := range int64(10_000) {
		there.Add(monday.Unix() + i*97)
		back.Add(monday.Unix() + (9_999-i)*97)
	}
	a, b := there.Curve(time.UTC), back.Curve(time.UTC)
	if len(a.Points) != len(b.Points) || a.Mean != b.Mean || a.Points[7] != b.Points[7] {
		t.Errorf("found %+v and %+v", a, b)
	}
}

func TestDaysAreBounded(t *testing.T) {
	var c curve.Counter
	for i := range int64(2000) {
		c.Add((i-1)*86400 - 1)
	}
	if counted, outside := c.Total(); counted != 1100 || outside != 900 {
		t.Errorf("counted %d, %d not", counted, outside)
	}
}

func TestACurveIsWrittenByTheTimeOfTheWeek(t *testing.T) {
	c := curve.Curve{Points: []curve.Point{{At: 150 * time.Second, Rate: 1.5}, {At: 6*24*time.Hour + 30*time.Minute, Rate: 1e4 / 3}}}
	var b strings.Builder
	if err := c.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	if want := "time,rate\nMon 00:02:30,1.5\nSun 00:30,3333.33\n"; b.String() != want {
		t.Errorf("found %q, expected %q", b.String(), want)
	}
}

func BenchmarkAdd(b *testing.B) {
	var c curve.Counter
	for i := int64(0); b.Loop(); i++ {
		c.Add(1772460245 + i/20)
	}
}
