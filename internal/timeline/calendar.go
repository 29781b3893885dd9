package timeline

import "time"

// calendar divides time into groups of local days. Days are numbered from 1970-01-01.
type calendar struct {
	loc *time.Location
	// days is the number of days in a group.
	days int64
}

// layout is what a curve has to be fitted to: how long a group of days is, when the
// days in it start and what the clocks show.
type layout struct {
	// start is the instant at which the group starts; zero in a layout of any.
	start  time.Time
	length time.Duration
	// days are the starts of the days, and the end of the last.
	days []time.Duration
	// stretches are the times of constant offset from UTC.
	stretches []stretch
}

// stretch is a time of constant offset from UTC.
type stretch struct {
	at, length time.Duration
	// local is what the clocks show at the start, since midnight of the first day.
	local time.Duration
}

// plain returns the layout of n days without a change of the clocks.
func plain(n int) layout {
	l := layout{length: time.Duration(n) * day}
	for i := range n + 1 {
		l.days = append(l.days, time.Duration(i)*day)
	}
	l.stretches = []stretch{{length: l.length}}
	return l
}

// periodic returns the layout of a curve that repeats by elapsed time alone.
func periodic(period time.Duration) layout {
	return layout{length: period, days: []time.Duration{0, period}}
}

// group returns the number of the group of days that the instant is in, its start
// and its end.
func (c calendar) group(at time.Time) (g int64, start, end time.Time) {
	_, offset := at.In(c.loc).Zone()
	g = floorDiv(floorDiv(at.Unix()+int64(offset), 86400)+3, c.days)
	start, end = c.start(g), c.start(g+1)
	// Clocks that are set back over midnight show a date that is over already.
	for !at.Before(end) {
		g++
		start, end = end, c.start(g+1)
	}
	return g, start, end
}

// firstDay returns the number of the group's first day: groups are counted from a
// Monday, 1969-12-29.
func (c calendar) firstDay(g int64) int64 { return g*c.days - 3 }

// start returns the instant at which a group of days starts.
func (c calendar) start(g int64) time.Time { return c.dayStart(c.firstDay(g)) }

// dayStart returns the first instant at which the local date is that day or later:
// midnight, where the clocks do not skip it. A day that is skipped as a whole starts
// and ends with the day after.
func (c calendar) dayStart(number int64) time.Time {
	midnight := time.Unix(number*86400, 0)
	// No place is as far as 36 h from UTC.
	at := midnight.Add(-36 * time.Hour).In(c.loc)
	for {
		_, offset := at.Zone()
		end := constantUntil(at)
		start := midnight.Add(-time.Duration(offset) * time.Second)
		if start.Before(at) {
			start = at
		}
		if end.IsZero() || start.Before(end) {
			return start.UTC()
		}
		at = end
	}
}

// isPlain reports whether the group's layout is plain: no clock is changed in it.
func (c calendar) isPlain(g int64, start, end time.Time) bool {
	local := start.In(c.loc)
	_, offset := local.Zone()
	change := constantUntil(local)
	return start.Unix()+int64(offset) == c.firstDay(g)*86400 &&
		end.Sub(start) == time.Duration(c.days)*day &&
		(change.IsZero() || !change.Before(end))
}

// layout returns the layout of a group.
func (c calendar) layout(g int64, start, end time.Time) layout {
	l := layout{start: start, length: end.Sub(start), stretches: c.stretches(g, start, end)}
	for i := range c.days + 1 {
		l.days = append(l.days, c.dayStart(c.firstDay(g)+i).Sub(start))
	}
	return l
}

func (c calendar) stretches(g int64, start, end time.Time) []stretch {
	var out []stretch
	before := 0
	for at := start.In(c.loc); at.Before(end); {
		_, offset := at.Zone()
		next := constantUntil(at)
		if next.IsZero() || next.After(end) {
			next = end
		}
		length := next.Sub(at)
		if last := len(out) - 1; last >= 0 && offset == before {
			out[last].length += length
		} else {
			local := at.Unix() + int64(offset) - c.firstDay(g)*86400
			out = append(out, stretch{at: at.Sub(start), length: length, local: time.Duration(local) * time.Second})
		}
		before = offset
		at = next.In(c.loc)
	}
	return out
}

// constantUntil returns an instant until which the local offset from UTC stays what
// it is at the given one; zero if it stays for ever.
func constantUntil(at time.Time) time.Time {
	_, end := at.ZoneBounds()
	if end.IsZero() || end.After(at) {
		return end
	}
	// ZoneBounds takes every year beyond a zone's table for one of 365 days: on the
	// last day of a leap year, first in 2040, it returns the midnight before
	// (golang/go#81583).
	return at.Truncate(day).Add(day)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
