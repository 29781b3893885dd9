package timeline

import (
	"fmt"
	"time"
)

// Progress is a place in operational time: how many slots there have been, whole ones and a
// fraction in 2^-64.
type Progress struct{ Slots, Part uint64 }

// Held is a rate that holds for a while and was not known beforehand, such as one that was
// asked for: From <= t < Until. Those that follow each other go on from each other's Progress,
// as if they were one curve:
//
//	          ╭─────
//	    ╭─────╯
//	────╯
//	  From  From  From
type Held struct {
	From, Until time.Time
	// Rate is in slots per second.
	Rate float64
	// Before is the progress until From, and Began when the first of those that go on from each
	// other starts, to separate their slots from others.
	Before Progress
	Began  time.Time
}

// At returns the progress at an instant from From to Until; beyond them that of the nearer one.
func (h Held) At(t time.Time) Progress {
	if t.After(h.Until) {
		t = h.Until
	}
	if !t.After(h.From) {
		return h.Before
	}
	sum := units{h.Before.Slots, h.Before.Part}.add(line(t.Sub(h.From), h.Rate, h.Rate).slots())
	return Progress{sum.whole, sum.part}
}

// scaled returns the rate times a factor, with the progress of one that always had it.
func (h Held) scaled(factor float64) Held {
	h.Rate = mul(h.Rate, factor)
	slots := mul(units{h.Before.Slots, h.Before.Part}.float(), factor)
	if slots < maxProgress {
		before := unitsOf(slots)
		h.Before = Progress{before.whole, before.part}
	}
	return h
}

const (
	// maxProgress bounds the slots counted: a rate of MaxRate reaches it after centuries.
	maxProgress = 1 << 52
	// maxHeld bounds for how long a rate may hold.
	maxHeld = 31 * day
)

func (h Held) check() error {
	switch {
	case !(h.Rate >= 0 && h.Rate <= MaxRate):
		return fmt.Errorf("%q is not a rate from 0 to %q", perSecond(h.Rate), perSecond(MaxRate))
	case !h.From.Before(h.Until) || h.Until.Sub(h.From) > maxHeld:
		return fmt.Errorf("holds from %v to %v, expected a time of up to %d days", h.From, h.Until, maxHeld/day)
	case h.Before.Slots >= maxProgress:
		return fmt.Errorf("%d slots before it are too many", h.Before.Slots)
	}
	return nil
}

// Held returns a plain timeline of a rate that holds for a while: its name, arrivals and limit
// are those of t. Splice it in: before From and from Until on it has no meaning.
func (t *Timeline) Held(h Held) (*Timeline, error) { return t.plain().hold(h) }

// hold is Held for a plain timeline.
func (t *Timeline) hold(h Held) (*Timeline, error) {
	held := *t
	held.held, held.recorded, held.cyclic = &h, false, false
	limited := h
	if t.options.MaxRate > 0 {
		limited.Rate = min(h.Rate, t.options.MaxRate)
	}
	if err := limited.check(); err != nil {
		return nil, err
	}
	held.curve = limited.curve()
	held.only = held.segment(limited)
	return &held, nil
}

// curve returns the curve of the rate, whose integral starts at the progress so far. A tail
// that is never in effect completes its last block of arrivals, so that blocks are the same
// whatever comes next.
func (h Held) curve() *curve {
	length := h.Until.Sub(h.From)
	before := units{h.Before.Slots, h.Before.Part}
	end := before.add(line(length, h.Rate, h.Rate).slots())
	rest := units{whole: (end.whole/blockSize + 2) * blockSize}.sub(end)
	tail := 2 * blockSize * time.Second
	slow := rest.float() / tail.Seconds()
	c := newCurve(chain(line(length, h.Rate, h.Rate), line(tail, slow, slow)))
	for i := range c.below {
		c.below[i] = c.below[i].add(before)
	}
	c.total = end.add(rest)
	c.hash = splitMix64(c.hash ^ splitMix64(h.Before.Slots^splitMix64(h.Before.Part)))
	return c
}

// segment returns the segment of a held rate.
func (t *Timeline) segment(h Held) *Segment {
	s := &Segment{
		Start: h.From.UTC(), End: h.From.UTC().Add(t.curve.period), last: t.curve.period - 1,
		arrivals: t.options.Arrivals, curve: t.curve, total: t.curve.total, phase: t.name,
	}
	s.n = s.total.points(s.phase)
	s.seed = splitMix64(t.name ^ splitMix64(uint64(h.Began.Unix())))
	var b block
	s.first = s.estimate(units{h.Before.Slots, h.Before.Part}, &b)
	s.name()
	return s
}
