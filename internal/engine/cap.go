package engine

import "time"

const (
	// burstSlack is how far slots may run ahead of the cap. Poisson arrivals at the cap
	// itself stray from their mean: within a block of 1,024 by a range of more than 64
	// slots in one block of a hundred, more than 128 in one of millions.
	burstSlack = 160
	// rateSlack is how much a cap lets through beyond the replica's share, in requests per
	// second. A replica is within 4 slots of its exact share of a segment, and by as many
	// in each, since numbering restarts: at low rates that would add up.
	rateSlack = 4.0 / (24 * 60 * 60)
	// leastBurst is how many requests a cap of less than that a second lets through together: a
	// slot that comes once a minute may need a repeat or be redirected, and that is at once.
	leastBurst = 3
)

// rateCap holds this replica to its share of the ceiling of requests on the wire, whatever
// the timeline says and whatever responses ask for. It is a token bucket that slots and
// extras share. Each request takes one token. An extra needs one that is there; a slot may
// borrow, down to -burstSlack, since the timeline will have that many fewer slots later.
//
// In any stretch of the bucket's time, with the rate integrated over it,
//
//	requests <= rate * time + burst               if the last one is an extra
//	requests <= rate * time + burst + burstSlack  otherwise
//
// since the level is at most the burst when the stretch begins, which is one second's worth
// or leastBurst if that is more, and at least 0 after an extra and -burstSlack after a slot.
// The bucket is empty when the runner begins, so that there is no burst from then on. A
// change of the ratio counts from the next request on.
//
// Extras thus have what the slots leave of the rate, with that burst, and cannot
// use up the slack: where the rate is the ceiling itself there are none, and no slot is
// dropped for their sake.
//
// Time is the due time for slots, so that what the process is late by does not count against
// them, and the present for extras. It never goes back: a slot that was due before an extra
// takes its token and earns none, as the extra has been credited with that time. On the wire
// the stretch is therefore longer by what its slots were late by, never by more.
//
// It is not for concurrent use.
type rateCap struct {
	max float64 // the fleet's, in requests per second; 0 is none

	ratio float64 // this replica's share of it
	rate  float64 // the same in requests per second
	burst float64 // the most that level grows to
	level float64
	at    time.Duration // since the runner began
}

// slot takes a token for a slot that was due at an instant at which the replica's share was
// ratio. It returns false if there is none to be had.
func (c *rateCap) slot(due time.Duration, ratio float64) bool {
	return c.take(due, ratio, -burstSlack)
}

// extra takes a token for a request that no slot asked for. It returns false if there is none.
func (c *rateCap) extra(now time.Duration, ratio float64) bool {
	return c.take(now, ratio, 0)
}

// take takes a token if the level is not below least then.
func (c *rateCap) take(at time.Duration, ratio, least float64) bool {
	if c.max == 0 {
		return true
	}
	c.advance(at, ratio)
	if c.level-1 < least {
		return false
	}
	c.level--
	return true
}

// advance credits the time since the last request, and follows the replica's share.
func (c *rateCap) advance(at time.Duration, ratio float64) {
	if c.burst == 0 {
		c.adjust(ratio)
	}
	if at <= c.at {
		return // A later share is known already.
	}
	c.level = min(c.level+c.rate*(at-c.at).Seconds(), c.burst)
	c.at = at
	if ratio != c.ratio {
		c.adjust(ratio)
	}
}

func (c *rateCap) adjust(ratio float64) {
	c.ratio = ratio
	c.rate = c.max*ratio + rateSlack
	c.burst = max(leastBurst, c.rate)
	c.level = min(c.level, c.burst)
}
