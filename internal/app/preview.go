package app

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// Preview draws the rate of each scenario for a day from an instant on, with its
// peak, its requests and the number of its series, and the sums.
func Preview(w io.Writer, file string, from time.Time) error {
	cfg, err := load(file, nil)
	if err != nil {
		return err
	}
	var requests uint64
	var series telemetry.Series
	for _, sc := range cfg.Scenarios {
		loc, err := time.LoadLocation(sc.TimeZone)
		if err != nil {
			return fmt.Errorf("scenario %q: %w", sc.Name, err)
		}
		day := newDay(sc.Timeline(), from.In(loc))
		n := telemetry.SeriesCount(scenarioSpec(sc))
		day.print(w, sc, n)
		requests += day.requests
		series.Plain += n.Plain
		series.Classic += n.Classic
		series.Native += n.Native
	}
	fmt.Fprintf(w, "In all %s requests in 24 h (%s), %s.\n",
		thousands(requests), perSecond(float64(requests)/(24*time.Hour).Seconds()), seriesText(series))
	return nil
}

// day is a scenario's timeline over 24 hours.
type day struct {
	from     time.Time
	means    []float64 // the mean rate in each column of the chart
	peak     float64
	peakAt   time.Time
	requests uint64
}

// newDay looks at a timeline for 24 hours from the last full column before an instant.
func newDay(t *timeline.Timeline, from time.Time) day {
	d := day{from: from.Truncate(chartColumn)}
	for _, slots := range t.Integrals(d.from, chartColumn, chartColumns) {
		d.means = append(d.means, slots/chartColumn.Seconds())
	}
	end := d.from.Add(24 * time.Hour)
	d.requests = t.Count(d.from, end)
	d.peak, d.peakAt = t.Peak(d.from, end)
	return d
}

// print writes the scenario's head line and its chart, in its own time zone.
func (d day) print(w io.Writer, sc config.Scenario, n telemetry.Series) {
	fmt.Fprintf(w, "%s: %s arrivals, peak %s at %s, %s requests in 24 h, %s\n\n", sc.Name, sc.Arrivals,
		perSecond(d.peak), d.peakAt.Round(time.Second).In(d.from.Location()).Format("15:04:05 MST"), thousands(d.requests), seriesText(n))
	fmt.Fprintln(w, chart(d.means, perSecond, func(column int) string {
		return d.from.Add(time.Duration(column) * chartColumn).Format("15:04")
	}))
}

func seriesText(n telemetry.Series) string {
	return fmt.Sprintf("%d series (%d with native histograms alone, %d with classic ones as well)",
		n.Plain+n.Native+n.Classic, n.Plain+n.Native, n.Plain+n.Native+n.Classic)
}

// perSecond writes a rate with three significant digits, in the unit that suits it.
func perSecond(rate float64) string {
	switch {
	case rate == 0:
		return "0/s"
	case rate >= 1:
		return significant(rate) + "/s"
	case rate*60 >= 1:
		return significant(rate*60) + "/m"
	case rate*3600 >= 1:
		return significant(rate*3600) + "/h"
	default:
		return significant(rate*86400) + "/d"
	}
}

// significant writes a number with at least three digits, without exponent.
func significant(x float64) string {
	digits := max(0, 2-int(math.Floor(math.Log10(x))))
	text := strconv.FormatFloat(x, 'f', digits, 64)
	short, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	return strconv.FormatFloat(short, 'f', -1, 64)
}

// thousands writes a number with commas.
func thousands(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
