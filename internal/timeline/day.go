package timeline

import "time"

// Day returns the day of the calendar in the timeline's time zone that contains the instant: Start included, End not.
func (t *Timeline) Day(at time.Time) (start, end time.Time) {
	_, start, end = calendar{loc: t.calendar.loc, days: 1}.group(at)
	return start, end
}

// Nth returns when slot n, counted from 0, of those is due that are due at or after from and before to; false if there
// are not as many. It takes as long as Count.
func (t *Timeline) Nth(n uint64, from, to time.Time) (due time.Time, ok bool) {
	for run := range t.runs(from, to) {
		slots := run.slots()
		if have := slots.To - slots.From; n >= have {
			n -= have
			continue
		}
		return run.seg.Due(slots.From + n), true
	}
	return time.Time{}, false
}
