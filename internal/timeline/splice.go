package timeline

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"time"
)

// Stretch is a time in which another timeline is in effect: From <= t < Until.
type Stretch struct {
	From, Until time.Time
	// Timeline is a plain one, as New, With and Scaled return it.
	Timeline *Timeline
}

// cut is an instant from which a plain timeline is in effect, until the next cut. Of
// several at one instant the last one holds.
type cut struct {
	at time.Time
	to *Timeline
}

// Splice returns the timeline that is t but for the stretches, in which it is theirs.
// They are in order and do not overlap. The stretches of a spliced t are replaced; with
// none it is plain again.
//
//	t        ────────╮        ╭────────
//	stretch          ╰────────╯
//	              From        Until
//
// At each instant one plain timeline is in effect, and a slot exists if it is due while
// its own timeline is. Nothing is numbered anew: every slot keeps its segment, its
// number and its hash, and where t comes back it goes on as if it had run beneath the
// stretch. So identities stay unique, and whoever has the same stretches has the same
// slots, whenever he has heard of them.
func (t *Timeline) Splice(stretches []Stretch) (*Timeline, error) {
	base := t.plain()
	if len(stretches) == 0 {
		return base, nil
	}
	cuts := make([]cut, 0, 2*len(stretches))
	for i, s := range stretches {
		// Instants in UTC have no monotonic reading, which would be compared instead.
		s.From, s.Until = s.From.UTC(), s.Until.UTC()
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("stretches[%d]: %w", i, err)
		}
		if i > 0 && s.From.Before(cuts[len(cuts)-1].at) {
			return nil, fmt.Errorf("stretches[%d]: starts at %v, before the last one ends at %v", i, s.From, cuts[len(cuts)-1].at)
		}
		cuts = append(cuts, cut{s.From, s.Timeline}, cut{s.Until, base})
	}
	spliced := *base
	spliced.cuts = cuts
	return &spliced, nil
}

func (s Stretch) check() error {
	switch {
	case s.Timeline == nil:
		return errors.New("no timeline")
	case s.Timeline.cuts != nil:
		return errors.New("the timeline is spliced itself")
	case !s.From.Before(s.Until):
		return fmt.Errorf("ends at %v, not after its start at %v", s.Until, s.From)
	}
	return nil
}

// plain returns the timeline without stretches.
func (t *Timeline) plain() *Timeline {
	if t.cuts == nil {
		return t
	}
	base := *t
	base.cuts = nil
	return &base
}

// inEffect returns the timeline that is in effect at the instant, to be used as a plain
// one, and the end of that if it is sooner than until.
func (t *Timeline) inEffect(at, until time.Time) (*Timeline, time.Time) {
	i := sort.Search(len(t.cuts), func(i int) bool { return t.cuts[i].at.After(at) })
	if i < len(t.cuts) && t.cuts[i].at.Before(until) {
		until = t.cuts[i].at
	}
	if i > 0 {
		return t.cuts[i-1].to, until
	}
	return t, until
}

// With returns a plain timeline of another shape: its name, arrivals, location and
// limit are those of t. Unlike New it accepts a rate beyond the constant MaxRate where
// the limit holds it down: what is asked for in passing is not a mistake in a file.
func (t *Timeline) With(shape Shape) (*Timeline, error) {
	o := t.options
	o.Shape = shape
	limited := o
	limited.Shape = o.limitedShape()
	n, err := New(limited)
	if err != nil {
		return nil, err
	}
	n.options = o
	return n, nil
}

// Scaled returns a plain timeline with the rate of t times a factor of 0 or more. The
// limit of t stays where it is: what is scaled is the shape that it is applied to.
func (t *Timeline) Scaled(factor float64) (*Timeline, error) {
	return t.With(Adjusted{Shape: t.options.Shape, Scale: factor, Max: math.Inf(1)})
}
