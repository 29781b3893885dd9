package engine

import (
	"math"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// Pacing is how precisely slots are sent when they are due.
type Pacing uint8

const (
	// PacingAuto wakes up for each slot, or, where there are many, once for those of a
	// millisecond, which are then due at its end. Every other time it is a little late.
	PacingAuto Pacing = iota
	// PacingExact wakes up for each slot, shortly before it is due, and spins until it
	// is. It takes up to a whole core.
	PacingExact
	// PacingCoarse is PacingAuto with groups that are ten milliseconds apart: a tenth of the
	// wake-ups.
	PacingCoarse
)

// grid returns what due times are rounded up to where there are many, and 0 for nothing.
// It divides a second. There are many where the replica has more slots a second than
// there are such instants: then rounding saves wake-ups, which cost some 45 µs of a core
// each.
func (p Pacing) grid() time.Duration {
	switch p {
	case PacingExact:
		return 0
	case PacingCoarse:
		return 10 * time.Millisecond
	case PacingAuto:
	}
	return time.Millisecond
}

// rounding decides which due times are rounded. It does so for a whole second at a
// time, by the rate at which the second begins: a rate that hovers about the limit
// changes nothing in between, and fleets and their rates change at whole seconds as
// well. So it depends only on the second and the share owned in it.
type rounding struct {
	// grid is what they are rounded up to, or 0.
	grid time.Duration
	// second is the last one decided, and grouped its decision.
	second  int64
	grouped bool
}

func newRounding(p Pacing) rounding { return rounding{grid: p.grid(), second: math.MinInt64} }

// left returns how much longer a slot with this due time may wait for room at an instant:
// until the next ones come due where they come in groups, and else not at all.
func (r *rounding) left(due, now time.Time) time.Duration {
	if !r.grouped {
		return 0
	}
	return due.Add(r.grid).Sub(now)
}

// over returns the instant before which slots have no time left.
func (r *rounding) over(now time.Time) time.Time {
	if r.grouped {
		return now.Truncate(r.grid).Add(1 - r.grid)
	}
	return now
}

// due returns the instant at which to send a slot of the timeline, if the replica owns the
// given share. It is the same for all slots of a group.
func (r *rounding) due(t *timeline.Timeline, slot time.Time, ratio float64) time.Time {
	if r.grid == 0 {
		return slot
	}
	if second := slot.Unix(); second != r.second {
		r.second, r.grouped = second, t.Rate(time.Unix(second, 0))*ratio > float64(time.Second/r.grid)
	}
	if !r.grouped {
		return slot
	}
	if whole := slot.Truncate(r.grid); whole.Before(slot) {
		return whole.Add(r.grid)
	}
	return slot
}
