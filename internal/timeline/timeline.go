// Package timeline computes when slot k is due and how many slots are due by t, from
// nothing but a scenario's name, the shape of its rate and its time zone: every replica
// computes the same timeline, to the nanosecond and on any processor.
//
// A Shape is drawn as a curve: pieces on which the rate is linear, repeated every
// period. Its integral L(t), the number of slots until t, is piecewise quadratic,
// so that L and its inverse are closed-form. Arrivals are points in operational
// time, one per unit in the mean; slot k is due when L reaches point k.
//
// Numbering starts at 0 in each Segment, a local day or as many days as the longest
// period has, so that accuracy does not suffer over the years. Several timelines can
// be spliced into one, each in effect for a while.
//
// The package reads no clock, waits for nothing, rolls no dice and decides neither
// who sends a slot nor what it asks for.
package timeline

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"time"
)

// Options describe the timeline of one scenario.
type Options struct {
	// Name is the scenario's name. It shifts the arrivals, so that scenarios of the
	// same rate do not fire together, and seeds the random ones.
	Name     string
	Shape    Shape
	Arrivals Arrivals
	// Location is the time zone in which days start; nil stands for UTC.
	Location *time.Location
	// MaxRate limits the rate, in slots per second; 0 stands for no limit. It does not
	// excuse a shape that goes beyond the constant MaxRate.
	MaxRate float64
}

// Timeline is the sequence of all slots of one scenario, for all time. It is
// immutable and safe for concurrent use. New returns a plain one; Splice makes one out
// of several.
type Timeline struct {
	options Options
	// shape is that of the options, within their limit.
	shape    Shape
	calendar calendar
	// curve is the curve of a plain segment; of every segment if it is cyclic.
	curve  *curve
	cyclic bool
	// recorded says that each segment has a curve of its own.
	recorded bool
	// name is a hash of the scenario's name.
	name uint64
	// held is the rate of a timeline that Held has returned, and only its one segment.
	held *Held
	only *Segment
	// cuts are where another timeline takes effect, in order; a plain one has none.
	cuts []cut
}

// Range is consecutive slots of one segment: From <= Seq < To.
type Range struct {
	// Segment is the segment's ID.
	Segment  string
	From, To uint64
}

// New returns the timeline, or an error if the options are invalid: a rate that is
// negative, not finite or beyond MaxRate, a period out of bounds or that does not fit the
// others, more than MaxKnots knots.
func New(o Options) (*Timeline, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p, err := o.Shape.plan()
	if err != nil {
		return nil, err
	}
	t := &Timeline{
		options:  o,
		shape:    o.Shape,
		calendar: calendar{loc: o.Location, days: int64(p.days)},
		name:     hashName(o.Name),
	}
	if o.Location == nil {
		t.calendar.loc = time.UTC
	}
	l := plain(p.days)
	if cycle := p.cycle(); cycle > 0 {
		t.cyclic = true
		l = periodic(cycle)
	}
	// An estimate, to find out before they are drawn; knots may coincide.
	if n := p.knots(l.length); n > maxEstimate {
		return nil, fmt.Errorf("the curve has about %d knots, more than %d: its periods are too short for a segment of %v", n, MaxKnots, l.length)
	}
	if p.recorded > 0 {
		return t.record(p)
	}
	t.curve = newCurve(t.shape.draw(l))
	if err := t.curve.check(); err != nil {
		return nil, err
	}
	if o.MaxRate > 0 {
		t.shape = o.limitedShape()
		t.curve = newCurve(t.shape.draw(l))
	}
	return t, nil
}

// Knots returns how many knots the curve of a shape has at most, without drawing it. It
// is 0 if New refuses the shape before it draws it.
func Knots(s Shape) int {
	if s == nil {
		return 0
	}
	p, err := s.plan()
	if err != nil {
		return 0
	}
	length := p.cycle()
	if length == 0 {
		length = time.Duration(p.days) * day
	}
	if n := p.knots(length); n <= maxEstimate {
		return n + p.recorded
	}
	return 0
}

func (o Options) check() error {
	switch {
	case o.Shape == nil:
		return errors.New("no shape")
	case o.Arrivals > Poisson:
		return fmt.Errorf("unknown arrivals %q", o.Arrivals)
	case !(o.MaxRate >= 0) || math.IsInf(o.MaxRate, 1):
		return fmt.Errorf("max rate \"%g/s\" is not a rate of 0 or more", o.MaxRate)
	}
	return nil
}

// limitedShape returns the shape within the limit, if there is one.
func (o Options) limitedShape() Shape {
	if o.MaxRate == 0 {
		return o.Shape
	}
	return Adjusted{Shape: o.Shape, Scale: 1, Max: o.MaxRate}
}

// Rate returns the rate at the instant, in slots per second.
func (t *Timeline) Rate(at time.Time) float64 {
	s := t.Segment(at)
	return s.curve.rate(at.Sub(s.Start))
}

// Count returns how many slots are due at or after from and before to. It takes
// well under a millisecond for a year.
func (t *Timeline) Count(from, to time.Time) uint64 {
	var n uint64
	for run := range t.runs(from, to) {
		slots := run.slots()
		n += slots.To - slots.From
	}
	return n
}

// Ranges returns the sequence numbers of the slots that are due at or after from
// and before to, in order: a range for each segment that has some, or several where
// another timeline is in effect in between.
func (t *Timeline) Ranges(from, to time.Time) iter.Seq[Range] {
	return func(yield func(Range) bool) {
		for run := range t.runs(from, to) {
			r := run.slots()
			if r.From == r.To {
				continue
			}
			run.seg.name()
			r.Segment = run.seg.ID
			if !yield(r) {
				return
			}
		}
	}
}

// Segment returns the segment that contains the instant, and whose slots are due then. In a
// spliced timeline it is a whole segment of the plain one that is in effect: it may start
// earlier or end later than that is, and only those of its slots exist that are due in that
// time. Ranges returns them.
func (t *Timeline) Segment(at time.Time) *Segment {
	plain, _ := t.inEffect(at, at)
	if plain.only != nil {
		return plain.only
	}
	s := plain.build(plain.calendar.group(at))
	s.name()
	return s
}

// Cursor returns a cursor whose next slot is the first one that is due at or after
// the instant.
func (t *Timeline) Cursor(from time.Time) *Cursor {
	c := &Cursor{t: t}
	c.Seek(from)
	return c
}

// build returns the segment of a group of days, without its name, which takes as
// long as all the rest.
func (t *Timeline) build(g int64, start, end time.Time) *Segment {
	c := t.curve
	if t.recorded || !t.cyclic && !t.calendar.isPlain(g, start, end) {
		c = newCurve(t.shape.draw(t.calendar.layout(g, start, end)))
	}
	length := end.Sub(start)
	s := &Segment{Start: start, End: end, last: length - 1, arrivals: t.options.Arrivals, curve: c}
	if length > 0 {
		s.total = c.integral(length)
	}
	// If the first point of segment g lies at frac(theta - g * total), the points of
	// equal segments follow each other as if there were no segments, and a rate of
	// 1.5 a day is right in the long run. Modulo 1 is what unsigned integers do.
	s.phase = t.name - uint64(g)*s.total.part
	s.n = s.total.points(s.phase)
	s.seed = splitMix64(t.name ^ splitMix64(uint64(start.Unix())^splitMix64(c.hash)))
	return s
}
