package engine

import (
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// dayLimit bounds the slots of a day for the whole fleet. Which are beyond it follows from the timeline, so that every
// replica knows that of each slot without a word from the others. It belongs to the runner's goroutine.
type dayLimit struct {
	// max is how many slots of a day are sent; 0 is all of them.
	max uint64
	// line is the timeline that was looked at last, and start and end the day. Slots that are due from spent on are
	// beyond the limit.
	line              *timeline.Timeline
	start, end, spent time.Time
}

// exceeds reports whether a slot of a timeline is beyond the limit, by when it is due.
func (d *dayLimit) exceeds(line *timeline.Timeline, due time.Time) bool {
	if d.max == 0 {
		return false
	}
	if d.line != line || due.Before(d.start) || !due.Before(d.end) {
		d.line = line
		d.start, d.end = line.Day(due)
		d.spent = d.end
		if at, ok := line.Nth(d.max, d.start, d.end); ok {
			d.spent = at
		}
	}
	return !due.Before(d.spent)
}
