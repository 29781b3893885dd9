// Package curve counts requests over time and makes a rate of them: by the time of the week where
// the log is long enough, by the time of the day, or a constant one. It takes requests in any order and in
// bounded memory.
package curve

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

const (
	// bucket is the time that is counted as one, in seconds. It divides all offsets of time zones.
	bucket = 300
	// page is a day of buckets, in UTC.
	page = 86400 / bucket
	// maxPages bounds the days that are counted: three years and a little.
	maxPages = 1100
	// enough is how many requests a point of a curve is the average of, on average: chance changes
	// it by some 3 %.
	enough = 1000
	// week, day and hour are in seconds.
	week, day, hour = 7 * 86400, 86400, 3600
)

// Counter counts requests. The zero Counter is ready for use. It is not safe for concurrent use.
type Counter struct {
	pages map[int64]*[page]uint64
	last  *[page]uint64
	// number is that of the page last.
	number int64
	// first and until are the times of the earliest and the latest request.
	first, until int64
	total        uint64
	outside      uint64
}

// Add counts a request at a time in seconds since 1970.
func (c *Counter) Add(at int64) {
	number := floorDiv(at, day)
	if c.last == nil || c.number != number {
		c.turnTo(number)
		if c.last == nil {
			c.outside++
			return
		}
	}
	if c.total == 0 {
		c.first, c.until = at, at
	}
	c.first, c.until = min(c.first, at), max(c.until, at)
	c.total++
	c.last[(at-number*day)/bucket]++
}

// turnTo makes the page of a day the last one; nil if there are too many.
func (c *Counter) turnTo(number int64) {
	c.number, c.last = number, c.pages[number]
	if c.last != nil || len(c.pages) >= maxPages {
		return
	}
	if c.pages == nil {
		c.pages = map[int64]*[page]uint64{}
	}
	c.last = new([page]uint64)
	c.pages[number] = c.last
}

func floorDiv(a, b int64) int64 {
	if a < 0 {
		return -((b - 1 - a) / b)
	}
	return a / b
}

// Total returns how many requests were counted, and how many were not as they are of too many days.
func (c *Counter) Total() (counted, outside uint64) { return c.total, c.outside }

// Span returns the times of the first request and the last one.
func (c *Counter) Span() (from, to time.Time) { return time.Unix(c.first, 0), time.Unix(c.until, 0) }

// Shape is how a rate repeats.
type Shape int

// The shapes.
const (
	Steady Shape = iota
	Daily
	Weekly
)

// Curve is a rate over time. Between its points it is linear.
type Curve struct {
	Shape Shape
	// Mean is the average rate, in requests per second.
	Mean float64
	// Every is the time between points; Points are in ascending order. A steady curve has none.
	Every  time.Duration
	Points []Point
	// Gap is how much time without any request was taken for missing from the log.
	Gap time.Duration
}

// Point is the rate, in requests per second, at a time since midnight or since Monday 00:00.
type Point struct {
	At   time.Duration
	Rate float64
}

// Curve returns the average rate by the clock of a time zone.
func (c *Counter) Curve(zone *time.Location) Curve {
	if c.total == 0 {
		return Curve{}
	}
	gaps := c.gaps()
	var missing int64
	for _, g := range gaps {
		missing += g.to - g.from
	}
	length := c.until + 1 - c.first
	curve := Curve{Mean: float64(c.total) / float64(length-missing), Gap: time.Duration(missing) * time.Second}
	switch {
	case length >= week-hour: // Files of seven days end a little before the week does.
		curve.Shape = Weekly
		c.average(&curve, gaps, zone, week)
	case length >= day-hour:
		curve.Shape = Daily
		c.average(&curve, gaps, zone, day)
	}
	return curve
}

// span is a time from a second to before another one.
type span struct{ from, to int64 }

// gaps returns the times of an hour or more without any request, in which a thousand should have
// been by the average: lines are missing there, and nothing is known of the rate.
func (c *Counter) gaps() []span {
	mean := float64(c.total) / float64(c.until+1-c.first)
	least := max(hour, int64(enough/mean))
	var all []span
	previous := c.first
	c.each(func(from int64, n uint64) {
		if n == 0 {
			return
		}
		if start := floorDiv(previous, bucket)*bucket + bucket; from-start >= least {
			all = append(all, span{start, from})
		}
		previous = from
	})
	return all
}

// each calls a function with the start of each bucket of the days that have requests, and its count.
func (c *Counter) each(f func(from int64, n uint64)) {
	for _, number := range slices.Sorted(maps.Keys(c.pages)) {
		for i, n := range c.pages[number] {
			f(number*day+int64(i)*bucket, n)
		}
	}
}

// sums are requests and the seconds in which they came, by the bucket of a period.
type sums struct {
	requests, seconds []float64
}

// average sets the points of a curve with a period, in seconds.
func (c *Counter) average(curve *Curve, gaps []span, zone *time.Location, period int64) {
	s := sums{make([]float64, period/bucket), make([]float64, period/bucket)}
	for from := floorDiv(c.first, bucket) * bucket; from <= c.until; from += bucket {
		if slices.ContainsFunc(gaps, func(g span) bool { return g.from <= from && from < g.to }) {
			continue
		}
		at := clockOf(from, zone) % period / bucket
		s.seconds[at] += float64(min(from+bucket, c.until+1) - max(from, c.first))
	}
	c.each(func(from int64, n uint64) { s.requests[clockOf(from, zone)%period/bucket] += float64(n) })
	curve.Every = time.Duration(c.resolution(period)) * bucket * time.Second
	curve.Points = s.points(c.resolution(period))
}

// resolution returns how many buckets make a point, so that it is the average of enough requests.
func (c *Counter) resolution(period int64) int {
	for _, n := range []int{1, 3, 6} {
		if c.total/uint64(period/bucket)*uint64(n) >= enough {
			return n
		}
	}
	return hour / bucket
}

// points returns the rate in the middle of every n buckets. What nothing is known of is left out.
func (s sums) points(n int) []Point {
	var all []Point
	for i := 0; i < len(s.requests); i += n {
		var requests, seconds float64
		for j := i; j < i+n; j++ {
			requests += s.requests[j]
			seconds += s.seconds[j]
		}
		if seconds > 0 {
			all = append(all, Point{time.Duration(i*bucket+n*bucket/2) * time.Second, requests / seconds})
		}
	}
	return all
}

// clockOf returns the seconds since Monday 00:00 by the clock of a time zone.
func clockOf(at int64, zone *time.Location) int64 {
	t := time.Unix(at, 0).In(zone)
	weekday := (int64(t.Weekday()) + 6) % 7
	return weekday*day + int64(t.Hour()*3600+t.Minute()*60+t.Second())
}

// WriteCSV writes the points of a weekly curve as a recording to replay: a header and a line for each.
func (c Curve) WriteCSV(w io.Writer) error {
	if _, err := fmt.Fprintln(w, "time,rate"); err != nil {
		return err
	}
	for _, p := range c.Points {
		if _, err := fmt.Fprintf(w, "%s,%.6g\n", WeekTime(p.At), p.Rate); err != nil {
			return err
		}
	}
	return nil
}

// WeekTime returns a time since Monday 00:00 such as Mon 09:30.
func WeekTime(at time.Duration) string {
	// 1 January 2024 was a Monday.
	t := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(at)
	if t.Second() == 0 {
		return t.Format("Mon 15:04")
	}
	return t.Format("Mon 15:04:05")
}
