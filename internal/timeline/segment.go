package timeline

import (
	"fmt"
	"sort"
	"time"
)

// Segment is a stretch of the timeline with one curve: one local day, or as many
// whole days as the shape's period has, or a rate that holds for a while. Its slots are
// numbered from 0, those of a held rate from where the one before it was. A Segment is
// immutable and safe for concurrent use.
type Segment struct {
	// ID is the segment's start and a hash of its curve and arrivals, so that a slot
	// of another curve never has the same identity: 20060102T150405Z-89abcdef.
	ID string
	// Start and End are the instants between which the segment's slots are due,
	// Start included, End not, in UTC.
	Start, End time.Time

	// last is the last nanosecond of the segment, after its start.
	last     time.Duration
	arrivals Arrivals
	curve    *curve
	// total is the integral of the curve over the segment, and n the number of slots.
	total units
	n     uint64
	// first is the number of the first slot that is due in the segment: those before it are of
	// the segments that a held one goes on from.
	first uint64
	// phase is the place of the first point of uniform arrivals, in 2^-64.
	phase uint64
	// seed makes this segment's random numbers different from every other's.
	seed uint64
}

// First returns the number of the segment's first slot, and Len that behind its last.
func (s *Segment) First() uint64 { return s.first }

// Len returns the number of slots in the segment, with those before First.
func (s *Segment) Len() uint64 { return s.n }

// Due returns the instant at which a slot of the segment is due, in UTC and whole
// nanoseconds. It panics if there is no such slot: seq must be at least First
// and less than Len.
func (s *Segment) Due(seq uint64) time.Time {
	if seq < s.first || seq >= s.n {
		panic(fmt.Sprintf("timeline: slot %d of a segment of %d to %d", seq, s.first, s.n))
	}
	var b block
	x := s.point(seq, &b)
	p := s.curve.span(x)
	return s.due(&p, x)
}

// Slot returns a slot of the segment by its number. It panics if there is none.
func (s *Segment) Slot(seq uint64) Slot {
	return Slot{Segment: s.ID, Seq: seq, Due: s.Due(seq), Hash: s.hash(seq)}
}

// Count returns how many of the segment's slots are due before the instant.
func (s *Segment) Count(at time.Time) uint64 {
	var b block
	return s.count(at, &b)
}

// count is Count with a block to keep: nil will do where arrivals are uniform.
func (s *Segment) count(at time.Time, b *block) uint64 {
	if !at.After(s.Start) || s.n == 0 {
		return s.first
	}
	if !at.Before(s.End) {
		return s.n
	}
	x := s.curve.integral(at.Sub(s.Start))
	return s.correct(s.estimate(x, b), at, b)
}

// estimate returns how many points are less than x.
func (s *Segment) estimate(x units, b *block) uint64 {
	if s.arrivals == Uniform {
		return min(x.points(s.phase), s.n)
	}
	number := min(x.whole/blockSize, s.blocks()-1)
	s.load(b, number)
	inBlock := x.sub(units{whole: number * blockSize}).float()
	return number*blockSize + uint64(sort.SearchFloat64s(b.points[:b.n], inBlock))
}

// correct takes an estimate of a count, which rounding may have left a slot too high
// or too low, to what the due times themselves say.
func (s *Segment) correct(k uint64, at time.Time, b *block) uint64 {
	before := func(seq uint64) bool {
		x := s.point(seq, b)
		p := s.curve.span(x)
		return s.due(&p, x).Before(at)
	}
	for k > s.first && !before(k-1) {
		k--
	}
	for k < s.n && before(k) {
		k++
	}
	return k
}

// due returns the instant of the point x, which lies on the span. The last one may
// round up to the end, which belongs to the next segment.
func (s *Segment) due(p *span, x units) time.Time {
	return s.Start.Add(min(p.time(x), s.last))
}

// point returns the place of a slot in operational time: the value that the integral
// of the rate has when the slot is due. It keeps the slot's block in b.
func (s *Segment) point(seq uint64, b *block) units {
	if s.arrivals == Uniform {
		return units{whole: seq, part: s.phase}
	}
	return s.random(seq, b)
}

// random returns the place of a slot of Poisson arrivals.
func (s *Segment) random(seq uint64, b *block) units {
	number := min(seq/blockSize, s.blocks()-1)
	s.load(b, number)
	start := number * blockSize
	return units{whole: start}.add(unitsOf(b.points[seq-start]))
}

// blocks returns the number of blocks of a segment, at least 1.
func (s *Segment) blocks() uint64 { return max(1, s.n/blockSize) }

// load fills the block with the points of the block of that number, unless it has them.
func (s *Segment) load(b *block, number uint64) {
	if b.n > 0 && b.number == number {
		return
	}
	b.number = number
	n, width := uint64(blockSize), float64(blockSize)
	if number == s.blocks()-1 {
		start := number * blockSize
		n, width = s.n-start, s.total.sub(units{whole: start}).float()
	}
	b.fill(splitMix64(s.seed+number), int(n), width, s.gap())
}

// gap returns the least distance of two points: enough that due times are in
// different nanoseconds at any rate, and more than rounding could swallow.
func (s *Segment) gap() float64 { return max(mul(1.25e-9, s.curve.peak), 4e-12) }

// hash returns 64 well-mixed bits for a slot.
func (s *Segment) hash(seq uint64) uint64 {
	return splitMix64(s.seed + seq*0xD1342543DE82EF95)
}

// name sets the ID.
func (s *Segment) name() {
	identity := splitMix64(s.curve.hash ^ splitMix64(s.phase^splitMix64(uint64(s.arrivals))))
	s.ID = fmt.Sprintf("%s-%08x", s.Start.Format("20060102T150405Z"), uint32(identity))
}
