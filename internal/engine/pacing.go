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
)

const (
	// grid is what due times are rounded up to where there are many.
	grid = time.Millisecond
	// gridAbove is the rate of the replica's own slots, per second, above which there
	// are many: then rounding saves wake-ups, which cost some 45 µs of a core each.
	gridAbove = float64(time.Second / grid)
)

// rounding decides which due times are rounded. It does so for a whole second at a
// time, by the rate at which the second begins: a rate that hovers about the limit
// changes nothing in between, and fleets and their rates change at whole seconds as
// well. So it depends only on the second and the share owned in it.
type rounding struct {
	pacing Pacing
	// second is the last one decided, and coarse its decision.
	second int64
	coarse bool
}

func newRounding(p Pacing) rounding { return rounding{pacing: p, second: math.MinInt64} }

// left returns how much longer a slot with this due time may wait for room at an instant:
// until the next ones come due where they come in groups, and else not at all.
func (r *rounding) left(due, now time.Time) time.Duration {
	if !r.coarse {
		return 0
	}
	return due.Add(grid).Sub(now)
}

// over returns the instant before which slots have no time left.
func (r *rounding) over(now time.Time) time.Time {
	if r.coarse {
		return now.Truncate(grid).Add(1 - grid)
	}
	return now
}

// due returns the instant at which to send a slot of the timeline, if the replica owns the
// given share. It is the same for all slots of a millisecond.
func (r *rounding) due(t *timeline.Timeline, slot time.Time, ratio float64) time.Time {
	if r.pacing == PacingExact {
		return slot
	}
	if second := slot.Unix(); second != r.second {
		r.second, r.coarse = second, t.Rate(time.Unix(second, 0))*ratio > gridAbove
	}
	if !r.coarse {
		return slot
	}
	if whole := slot.Truncate(grid); whole.Before(slot) {
		return whole.Add(grid)
	}
	return slot
}
