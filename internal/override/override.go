// Package override is what changes about the rate of a scenario while it runs: another
// rate, or a factor, from an instant on and until it expires. Operators write changes, and so
// does the replica that asks for a rate that is followed.
//
// A History is the last changes of one scenario and a Book those of all. Both merge
// in any order and as often as one likes and come out the same, so that they can be
// gossiped (they are state-based CRDTs, Shapiro et al. 2011: the greatest elements of
// a grow-only set). Of the changes that have taken effect the one written last wins,
// on every replica alike.
//
// The package reads no clock and talks to nobody.
package override

import (
	"cmp"
	"slices"
	"time"
)

const (
	// Keep is how many changes of a scenario are kept. Those that have not taken effect
	// yet and the one that they replace have to be among them.
	Keep = 8
	// Lead is the least time between writing a change and its effect, in which every
	// replica has to hear of it.
	Lead = 2 * time.Second
	// remember is for how long a rate that was found is known after it has expired, so that slots
	// are numbered on when another one is found.
	remember = 24 * time.Hour
)

// Kind is what a change does to the rate.
type Kind string

// The kinds of changes.
const (
	// Rate replaces the rate of the file by Value, in slots per second.
	Rate Kind = "rate"
	// Factor multiplies the rate of the file by Value.
	Factor Kind = "factor"
	// Clear brings back the rate of the file.
	Clear Kind = "clear"
	// Found is a rate that was found, of a scenario that follows one: Value holds until Until.
	Found Kind = "found"
)

// Change is one change of a scenario's rate. It is immutable.
type Change struct {
	Kind  Kind    `json:"kind"`
	Value float64 `json:"value,omitempty"`
	// From is the instant from which the change is in effect, a whole second, and Until
	// the one from which it is not: it has expired.
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// Reason and By are for people: why, and who asked for it.
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
	// Written and Replica are when and where the change was written: its place in the
	// order of all changes.
	Written time.Time `json:"written"`
	Replica string    `json:"replica"`
	// Forget is when the change may be forgotten: nothing older that it has replaced is
	// unexpired then.
	Forget time.Time `json:"forget"`
	// Progress is how many slots there have been until From since Began, of one that was found.
	Progress Progress  `json:"progress,omitzero"`
	Began    time.Time `json:"began,omitzero"`
}

// Progress is a number of slots, whole ones and a fraction in 2^-64.
type Progress struct {
	Slots uint64 `json:"slots,omitempty"`
	Part  uint64 `json:"part,omitempty"`
}

// compare orders changes by when they were written.
func compare(a, b Change) int {
	return cmp.Or(a.Written.Compare(b.Written), cmp.Compare(a.Replica, b.Replica))
}

// History is the last changes of one scenario, at most Keep, in the order in which
// they were written. It is not modified in place.
type History []Change

// Begin returns the instant from which a change that is written now is in effect: the
// next whole second after Settle.
func Begin(now time.Time) time.Time {
	return now.UTC().Add(Lead + time.Second - 1).Truncate(time.Second)
}

// Add returns the history with a change that is written now. It sets the fields that are not the author's: From, Written
// and Forget. A change written by a replica whose clock is behind still comes last. It
// returns false if so many changes wait for their effect that one in effect would be
// lost.
func (h History) Add(c Change, now time.Time) (History, Change, bool) {
	c.Written = now.UTC().Truncate(time.Millisecond)
	c.From = Begin(now)
	if n := len(h); n > 0 && !c.Written.After(h[n-1].Written) {
		c.Written = h[n-1].Written.Add(time.Millisecond)
	}
	if c.Kind == Clear {
		c.Until = c.From
	}
	c.Forget = c.Until
	if c.Kind == Found {
		c.Forget = c.Until.Add(remember)
	}
	waiting := 0
	for _, old := range h {
		if old.Forget.After(c.Forget) {
			c.Forget = old.Forget
		}
		if old.From.After(now) {
			waiting++
		}
	}
	if waiting >= Keep-1 {
		return h, Change{}, false
	}
	return h.merge(History{c}), c, true
}

// merge returns the changes of both, the last Keep of them.
func (h History) merge(o History) History {
	all := slices.Concat(h, o)
	slices.SortFunc(all, compare)
	all = slices.CompactFunc(all, func(a, b Change) bool { return compare(a, b) == 0 })
	return slices.Clip(all[max(0, len(all)-Keep):])
}

// At returns the change in effect at an instant, if there is one.
func (h History) At(t time.Time) (Change, bool) {
	for _, c := range slices.Backward(h) {
		if !c.From.After(t) {
			return c, c.Kind != Clear && c.Until.After(t)
		}
	}
	return Change{}, false
}

// Stretch is a time in which a change is in effect.
type Stretch struct {
	From, Until time.Time
	Change      Change
}

// Stretches returns the times in which changes are in effect, in order.
func (h History) Stretches() []Stretch {
	var edges []time.Time
	for _, c := range h {
		edges = append(edges, c.From, c.Until)
	}
	slices.SortFunc(edges, time.Time.Compare)
	edges = slices.CompactFunc(edges, time.Time.Equal)

	var out []Stretch
	for i, from := range edges {
		c, ok := h.At(from)
		if !ok {
			continue // The last edge is an end, so that i+1 below exists.
		}
		until := edges[i+1]
		if last := len(out) - 1; last >= 0 && out[last].Until.Equal(from) && compare(out[last].Change, c) == 0 {
			out[last].Until = until
			continue
		}
		out = append(out, Stretch{From: from, Until: until, Change: c})
	}
	return out
}

// Equal reports whether both have the same changes.
func (h History) Equal(o History) bool {
	return slices.EqualFunc(h, o, func(a, b Change) bool { return compare(a, b) == 0 })
}
