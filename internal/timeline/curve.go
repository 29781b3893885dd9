package timeline

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"sort"
	"time"
)

// curve is a rate that repeats every period, ready to be integrated: L(t) is the
// number of slots until t. It is immutable.
type curve struct {
	period time.Duration
	pieces []piece
	// below[i] is the integral up to the start of pieces[i].
	below []units
	// total is the integral over a period.
	total units
	// peak is the highest rate.
	peak float64
	hash uint64
}

// newCurve returns the curve of pieces that cover a period without a gap. Pieces
// longer than a day are split, so that the computation within one is accurate to
// about 0.1 ns.
func newCurve(pieces []piece) *curve {
	c := &curve{pieces: make([]piece, 0, len(pieces))}
	for _, p := range pieces {
		for offset := time.Duration(0); offset < p.length; offset += day {
			c.push(p.part(offset, min(day, p.length-offset), p.at+offset))
		}
	}
	c.hash = c.sum()
	return c
}

func (c *curve) push(p piece) {
	c.pieces = append(c.pieces, p)
	c.below = append(c.below, c.total)
	c.total = c.total.add(p.slots())
	c.period = p.end()
	c.peak = max(c.peak, p.from, p.to)
}

// sum returns a hash of everything that the curve is made of.
func (c *curve) sum() uint64 {
	h := fnv.New64a()
	var b [24]byte
	for _, p := range c.pieces {
		binary.LittleEndian.PutUint64(b[0:], uint64(p.length))
		binary.LittleEndian.PutUint64(b[8:], math.Float64bits(p.from))
		binary.LittleEndian.PutUint64(b[16:], math.Float64bits(p.to))
		_, _ = h.Write(b[:])
	}
	return h.Sum64()
}

// check returns an error if the rate is not one that a timeline can have.
func (c *curve) check() error {
	low, high := 0.0, 0.0
	for _, p := range c.pieces {
		low, high = min(low, p.from, p.to), max(high, p.from, p.to)
	}
	switch {
	case len(c.pieces) > MaxKnots:
		return fmt.Errorf("the curve has %d knots, more than %d", len(c.pieces), MaxKnots)
	case !(high <= MaxRate):
		return fmt.Errorf("rate reaches %q, more than %q", perSecond(high), perSecond(MaxRate))
	case !(low >= 0):
		return fmt.Errorf("rate falls to %q, below 0", perSecond(low))
	}
	return nil
}

// locate returns the number of whole periods before t, the piece that t is in, and
// how long after the start of that piece it is.
func (c *curve) locate(t time.Duration) (periods uint64, i int, offset time.Duration) {
	periods, t = uint64(t/c.period), t%c.period
	i = sort.Search(len(c.pieces), func(i int) bool { return c.pieces[i].end() > t })
	return periods, i, t - c.pieces[i].at
}

// rate returns the rate at t, on a jump that after it.
func (c *curve) rate(t time.Duration) float64 {
	_, i, offset := c.locate(t)
	return c.pieces[i].rate(offset)
}

// integral returns L(t).
func (c *curve) integral(t time.Duration) units {
	periods, i, offset := c.locate(t)
	return c.total.times(periods).add(c.below[i]).add(c.pieces[i].slotsUntil(offset))
}

// span returns the piece, placed in time, on which the integral passes x: where the
// rate is 0 the one after. The curve's total is not 0.
func (c *curve) span(x units) span {
	periods := x.over(c.total)
	before := c.total.times(periods)
	x = x.sub(before)
	i := sort.Search(len(c.below), func(i int) bool { return x.less(c.below[i]) }) - 1
	above := c.total
	if i+1 < len(c.below) {
		above = c.below[i+1]
	}
	p := c.pieces[i]
	return span{
		at:     time.Duration(periods)*c.period + p.at,
		length: p.length,
		below:  before.add(c.below[i]),
		above:  before.add(above),
		rate:   p.from,
		slope:  (p.to - p.from) / p.length.Seconds(),
		pace:   1e9 / p.from,
	}
}

// span is a stretch of time over which the integral goes from below to above along
// a parabola. The zero span contains nothing.
type span struct {
	at, length   time.Duration
	below, above units
	// rate is the rate at the start, in 1/s, and slope its change, in 1/s².
	rate, slope float64
	// pace is the time between slots at that rate, in ns.
	pace float64
}

func (s *span) contains(x units) bool { return !x.less(s.below) && x.less(s.above) }

// time returns the moment at which the integral reaches x, to the whole nanosecond
// before it. The root of the parabola is taken in the form that is stable for all
// slopes: no difference of nearly equal numbers.
func (s *span) time(x units) time.Duration {
	slots := x.sub(s.below).float()
	nanoseconds := mul(slots, s.pace)
	if s.slope != 0 {
		square := mul(s.rate, s.rate) + mul(2*s.slope, slots)
		if square < 0 {
			square = 0 // By rounding, where the rate comes down to 0.
		}
		nanoseconds = mul(2e9, slots) / (s.rate + math.Sqrt(square))
	}
	// At a rate of 0 the first slot is due at the start: 0/0 is not a number.
	if !(nanoseconds > 0) {
		return s.at
	}
	return s.at + min(time.Duration(nanoseconds), s.length)
}
