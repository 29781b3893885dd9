package timeline

import "time"

// Slot is one arrival.
type Slot struct {
	// Segment is the ID of the segment, and Seq the slot's number in it, from 0. With
	// the scenario's name they are the slot's identity.
	Segment string
	Seq     uint64
	// Due is the instant at which the slot is due, in UTC and whole nanoseconds.
	Due time.Time
	// Hash is 64 well-mixed bits, a function of the slot's identity. They settle what
	// the request is, and have nothing to do with who owns the slot.
	Hash uint64
}

// Draw returns a number in [0, 1) that follows from a slot's hash and a seed. With a seed of its own,
// each use of it has nothing to do with the others, nor with what else the hash settles. The mixing is
// the finaliser of MurmurHash3.
func Draw(hash, seed uint64) float64 {
	hash ^= seed
	hash ^= hash >> 33
	hash *= 0xff51afd7ed558ccd
	hash ^= hash >> 33
	hash *= 0xc4ceb9fe1a85ec53
	hash ^= hash >> 33
	return float64(hash>>11) / (1 << 53)
}

// Cursor walks along a timeline. It is not safe for concurrent use.
type Cursor struct {
	t *Timeline
	// seg is the segment in effect, until that instant: its slots before end.
	seg   *Segment
	until time.Time
	// seq is the next slot.
	seq, end uint64
	// span is the piece of the curve that the last slot was on, and block the block
	// that it was in.
	span  span
	block *block
}

// Next returns the next slot, if it is due before the given instant. Otherwise the
// cursor stays where it is.
func (c *Cursor) Next(before time.Time) (slot Slot, ok bool) {
	if !c.enter(before) {
		return Slot{}, false
	}
	due := c.due()
	if !due.Before(before) {
		return Slot{}, false
	}
	seq := c.seq
	c.seq++
	return Slot{Segment: c.seg.ID, Seq: seq, Due: due, Hash: c.seg.hash(seq)}, true
}

// Skip passes all slots of one segment that are due before the given instant, and returns
// their range. It returns false if there are none: call it again for those of the next
// segment. It takes the same time however many slots it passes.
func (c *Cursor) Skip(before time.Time) (passed Range, ok bool) {
	if !c.enter(before) {
		return Range{}, false
	}
	to := c.end
	if before.Before(c.until) {
		to = c.seg.count(before, c.block)
	}
	if to <= c.seq {
		return Range{}, false
	}
	passed = Range{Segment: c.seg.ID, From: c.seq, To: to}
	c.seq = to
	return passed, true
}

// enter goes on to the segment of the next slot. It returns false if no slot can be due
// before the given instant any more.
func (c *Cursor) enter(before time.Time) bool {
	for c.seq >= c.end {
		if !c.until.Before(before) {
			return false
		}
		c.Seek(c.until)
	}
	return true
}

// Seek moves the cursor so that the next slot is the first one that is due at or
// after the instant.
func (c *Cursor) Seek(at time.Time) {
	s := c.t.Segment(at)
	_, until := c.t.inEffect(at, s.End)
	c.seg, c.until = s, until
	c.seq, c.end = s.Count(at), s.Count(until)
	c.span = span{}
	if c.block != nil {
		c.block.n = 0
	} else if s.arrivals == Poisson {
		c.block = new(block)
	}
}

// due returns when the slot at the cursor is due.
func (c *Cursor) due() time.Time {
	x := c.seg.point(c.seq, c.block)
	if !c.span.contains(x) {
		c.span = c.seg.curve.span(x)
	}
	return c.seg.due(&c.span, x)
}
