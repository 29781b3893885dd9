// Package recording reads rates over time that were written down: CSV with a header, or what
// Prometheus responds to a range query. It is pure: it is handed the content of a file.
//
// A recording has a number of points, in ascending order of time. Times are instants, or times
// of the week, which know no date and no time zone.
package recording

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxSize bounds the content, in bytes.
	MaxSize = 64 << 20
	// MaxPoints bounds the points of a recording: a year by the minute has 527,040.
	MaxPoints = 600_000
	// MaxWeekly bounds the points by time of the week.
	MaxWeekly = 50_000

	day  = 24 * time.Hour
	week = 7 * day
)

// Format is how a recording is written.
type Format string

// The formats.
const (
	// CSV has a header with the columns time and rate.
	CSV Format = "csv"
	// Prometheus is the response to a range query, in JSON.
	Prometheus Format = "prometheus"
)

// Recording is a rate over time.
type Recording struct {
	// Weekly says that times are those of the week, as offsets from Monday 00:00 by the clock.
	Weekly bool
	// Start is the instant of the first point of one that is not weekly.
	Start  time.Time
	Points []Point
}

// Point is a rate, in 1/s, at a time after Start, or after Monday 00:00.
type Point struct {
	After time.Duration
	Rate  float64
}

// errNoPoint is a recording of nothing.
var errNoPoint = errors.New("found no point with a rate, expected some")

// Parse reads a recording. Without a format JSON is taken for Prometheus', and all else for CSV.
// Points without a value (an empty one, or NaN) are left out. Errors have the line and the
// column where there is one.
func Parse(content string, f Format) (Recording, error) {
	content = strings.TrimPrefix(content, "\ufeff")
	if f == "" {
		f = CSV
		if strings.HasPrefix(strings.TrimSpace(content), "{") {
			f = Prometheus
		}
	}
	b := &builder{}
	var err error
	switch f {
	case CSV:
		err = readCSV(content, b)
	case Prometheus:
		err = readPrometheus(content, b)
	default:
		err = fmt.Errorf("unknown format %q", f)
	}
	if err != nil {
		return Recording{}, err
	}
	return b.recording()
}

// builder takes points, one after the other.
type builder struct {
	weekly bool
	start  time.Time
	points []Point
	// last is the time of the last point, as it was written.
	last string
}

// moment is the time of a point: an instant, or, if weekly, an offset from Monday.
type moment struct {
	weekly bool
	at     time.Time
	offset time.Duration
}

// parseRate reads a rate; NaN for none.
func parseRate(text string) (float64, error) {
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil || rate < 0 || math.IsInf(rate, 0) {
		return 0, fmt.Errorf("found the rate %q, expected a number of 0 or more, in 1/s", text)
	}
	return rate, nil
}

// add adds a point, unless it has no rate. The error is about its time.
func (b *builder) add(m moment, written string, rate float64) error {
	if math.IsNaN(rate) {
		return nil
	}
	if len(b.points) == 0 {
		b.weekly, b.start = m.weekly, m.at
	}
	if m.weekly != b.weekly {
		return fmt.Errorf("found the time %q beside %q, expected only times of the week or only instants", written, b.last)
	}
	after := m.offset
	if !m.weekly {
		after = m.at.Sub(b.start)
	}
	if n := len(b.points); n > 0 && after <= b.points[n-1].After {
		return fmt.Errorf("found the time %q after %q, expected ascending times", written, b.last)
	}
	if len(b.points) >= MaxPoints {
		return fmt.Errorf("found more than %d points, expected fewer", MaxPoints)
	}
	b.points, b.last = append(b.points, Point{after, rate}), written
	return nil
}

// recording returns the recording of all added points.
func (b *builder) recording() (Recording, error) {
	switch {
	case len(b.points) == 0:
		return Recording{}, errNoPoint
	case b.weekly && len(b.points) > MaxWeekly:
		return Recording{}, fmt.Errorf("found %d points in a week, expected at most %d", len(b.points), MaxWeekly)
	}
	r := Recording{Weekly: b.weekly, Points: slices.Clip(b.points)}
	if !b.weekly {
		r.Start = b.start.UTC()
	}
	return r, nil
}

// ByWeek returns a recording of instants by the time of the week that the clocks of a place
// showed. It is of a week at most; where clocks were set back, or its last point is a week
// after its first, the first one at a time of the week counts.
func (r Recording) ByWeek(loc *time.Location) (Recording, error) {
	if r.Weekly {
		return r, nil
	}
	if length := r.Points[len(r.Points)-1].After; length > week+time.Hour {
		return Recording{}, fmt.Errorf("found a recording of %v, expected at most a week to replay it by the week", length)
	}
	points := make([]Point, len(r.Points))
	for i, p := range r.Points {
		points[i] = Point{sinceMonday(r.Start.Add(p.After).In(loc)), p.Rate}
	}
	slices.SortStableFunc(points, func(a, b Point) int { return int(a.After - b.After) })
	points = slices.CompactFunc(points, func(a, b Point) bool { return a.After == b.After })
	if len(points) > MaxWeekly {
		return Recording{}, fmt.Errorf("found %d points in a week, expected at most %d", len(points), MaxWeekly)
	}
	return Recording{Weekly: true, Points: points}, nil
}

// sinceMonday returns the time since Monday 00:00 by the clock that shows the instant.
func sinceMonday(at time.Time) time.Duration {
	days := int(at.Weekday()+6) % 7
	h, m, s := at.Clock()
	seconds := days*24*3600 + h*3600 + m*60 + s
	return time.Duration(seconds)*time.Second + time.Duration(at.Nanosecond())
}
