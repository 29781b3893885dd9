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
	// Timeline may be spliced itself.
	Timeline *Timeline
}

// cut is an instant from which a plain timeline is in effect, until the next cut. Of
// several at one instant the last one holds.
type cut struct {
	at time.Time
	to *Timeline
}

// Splice returns the timeline that is t but for the stretches, in which it is theirs.
// They are in order and do not overlap.
//
//	t        ────────╮        ╭────────
//	stretch          ╰────────╯
//	              From        Until
//
// At each instant one plain timeline is in effect, and a slot exists if it is due while
// its own timeline is. Nothing is numbered anew: every slot keeps its segment, its
// number and its hash, and where t comes back it goes on as if it had run beneath the
// stretch. So identities stay unique, and replicas with the same stretches have the same
// slots, whenever they heard of them.
func (t *Timeline) Splice(stretches []Stretch) (*Timeline, error) {
	if len(stretches) == 0 {
		return t, nil
	}
	cuts := make([]cut, 0, len(t.cuts)+2*len(stretches))
	var end time.Time
	for i, s := range stretches {
		// Instants in UTC have no monotonic reading, which would be compared instead.
		s.From, s.Until = s.From.UTC(), s.Until.UTC()
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("stretches[%d]: %w", i, err)
		}
		if i > 0 && s.From.Before(end) {
			return nil, fmt.Errorf("stretches[%d]: starts at %v, before the last one ends at %v", i, s.From, end)
		}
		cuts = append(cuts, t.between(end, s.From)...)
		cuts = append(cuts, cut{s.From, s.Timeline.at(s.From)})
		cuts = append(cuts, s.Timeline.between(s.From, s.Until)...)
		cuts = append(cuts, cut{s.Until, t.at(s.Until)})
		end = s.Until
	}
	spliced := *t.plain()
	spliced.cuts = append(cuts, t.after(end)...)
	return &spliced, nil
}

func (s Stretch) check() error {
	switch {
	case s.Timeline == nil:
		return errors.New("no timeline")
	case !s.From.Before(s.Until):
		return fmt.Errorf("ends at %v, not after its start at %v", s.Until, s.From)
	}
	return nil
}

// after returns the cuts after an instant.
func (t *Timeline) after(at time.Time) []cut {
	return t.cuts[sort.Search(len(t.cuts), func(i int) bool { return t.cuts[i].at.After(at) }):]
}

// between returns the cuts after one instant and before another.
func (t *Timeline) between(from, until time.Time) []cut {
	cuts := t.after(from)
	return cuts[:sort.Search(len(cuts), func(i int) bool { return !cuts[i].at.Before(until) })]
}

// at returns the plain timeline that is in effect at the instant.
func (t *Timeline) at(at time.Time) *Timeline {
	in, _ := t.inEffect(at, at)
	return in.plain()
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

// With returns a plain timeline of another shape: its name, arrivals, location and limit are those of t,
// which may be spliced. Unlike New it accepts a rate beyond the constant MaxRate where the limit holds it
// down: a temporary rate is not a mistake in a file.
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

// Scaled returns the timeline with its rate times a factor of 0 or more; one that is spliced
// keeps its stretches. The limit of t stays where it is: only the shape beneath it is
// scaled.
func (t *Timeline) Scaled(factor float64) (*Timeline, error) {
	scaled, err := t.plain().scaledPlain(factor)
	if err != nil || t.cuts == nil {
		return scaled, err
	}
	spliced := *scaled
	// The same timeline is in effect again and again.
	done := map[*Timeline]*Timeline{}
	for _, c := range t.cuts {
		if done[c.to] == nil {
			if done[c.to], err = c.to.scaledPlain(factor); err != nil {
				return nil, err
			}
		}
		spliced.cuts = append(spliced.cuts, cut{c.at, done[c.to]})
	}
	return &spliced, nil
}

// scaledPlain is Scaled for a plain timeline.
func (t *Timeline) scaledPlain(factor float64) (*Timeline, error) {
	if t.held != nil {
		return t.hold(t.held.scaled(factor))
	}
	return t.With(Adjusted{Shape: t.options.Shape, Scale: factor, Max: math.Inf(1)})
}
