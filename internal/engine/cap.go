package engine

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

const (
	// burstSlack is what a cap lets through beyond one second's worth. Poisson arrivals
	// at the cap itself stray from their mean: within a block of 1,024 by a range of
	// more than 64 slots in one block of a hundred, more than 128 in one of millions.
	burstSlack = 160
	// rateSlack is what a cap lets through beyond the replica's part, in slots per
	// second. A replica is within 4 slots of its exact part of a segment, and by as many
	// in each, since numbering restarts: at low rates that would add up.
	rateSlack = 4.0 / (24 * 60 * 60)
)

// rateCap is the last line of defence: it holds this replica to its part of the
// ceiling, whatever the timeline says. It is not for concurrent use.
type rateCap struct {
	max     float64 // the fleet's, in slots per second; 0 is none
	ratio   float64 // this replica's part of it
	limiter *rate.Limiter
}

// allow takes one slot out of the replica's part of the ceiling. It goes by due times,
// so that what the process is late by does not count against the slots.
func (c *rateCap) allow(due time.Time, ratio float64) bool {
	if c.max == 0 {
		return true
	}
	if c.limiter == nil || ratio != c.ratio {
		c.adjust(due, ratio)
	}
	return c.limiter.AllowN(due, 1)
}

func (c *rateCap) adjust(due time.Time, ratio float64) {
	c.ratio = ratio
	limit := c.max*ratio + rateSlack
	burst := int(math.Ceil(limit)) + burstSlack
	if c.limiter == nil {
		c.limiter = rate.NewLimiter(rate.Limit(limit), burst)
		return
	}
	c.limiter.SetLimitAt(due, rate.Limit(limit))
	c.limiter.SetBurstAt(due, burst)
}
