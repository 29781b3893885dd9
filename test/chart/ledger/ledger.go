// Package ledger writes down which slots of a scenario reach a target, and finds those
// that were lost and those that were sent more than once.
package ledger

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Slot is a place in the timeline of a scenario, as the header Traffic-Slot names it.
type Slot struct {
	Segment  string
	Sequence int
}

// After reports whether s is due after other.
func (s Slot) After(other Slot) bool {
	return s.Segment > other.Segment || s.Segment == other.Segment && s.Sequence > other.Sequence
}

// Ledger counts the requests for each slot of one scenario. It may be used concurrently.
type Ledger struct {
	scenario string
	next     http.Handler

	mu   sync.Mutex
	sent map[Slot]int
	// latest is the highest slot of the segment that begins last. Of segments that begin at
	// the same time, as those of two rates do, it is the one that was sent last.
	latest  Slot
	strange []string
}

// New returns an empty ledger of a scenario, which passes requests on to next. Without
// next it responds with 200.
func New(scenario string, next http.Handler) *Ledger {
	return &Ledger{scenario: scenario, next: next, sent: map[Slot]int{}}
}

// ServeHTTP counts the request and passes it on.
func (l *Ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.Enter(r.Header.Get("Traffic-Slot"))
	if l.next != nil {
		l.next.ServeHTTP(w, r)
	}
}

// Enter counts a request for a slot such as demo/20261123T000000Z-0a1b2c3d/17.
func (l *Ledger) Enter(header string) {
	parts := strings.Split(header, "/")
	sequence, err := strconv.Atoi(parts[len(parts)-1])
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || len(parts) != 3 || parts[0] != l.scenario {
		l.strange = append(l.strange, header)
		return
	}
	s := Slot{parts[1], sequence}
	l.sent[s]++
	if s.After(l.latest) || s.start() == l.latest.start() && s.Segment != l.latest.Segment {
		l.latest = s
	}
}

// start is when the slot's segment begins, which its name begins with.
func (s Slot) start() string {
	start, _, _ := strings.Cut(s.Segment, "-")
	return start
}

// Twice returns all slots, of whatever segment, that were sent more than once.
func (l *Ledger) Twice() []Slot {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Slot
	for s, times := range l.sent {
		if times > 1 {
			all = append(all, s)
		}
	}
	return all
}

// Last returns the last slot so far, and whether there is one.
func (l *Ledger) Last() (Slot, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest, l.latest != Slot{}
}

// Audit compares the requests that came with the slots that were due.
type Audit struct {
	// Due is the number of slots.
	Due int
	// Lost are the slots that were not sent, and Doubled those that were sent more than once.
	Lost, Doubled []Slot
	// Strange are headers that name no slot of the scenario, whenever they arrived.
	Strange []string
}

// Problems describes the mistakes, one line each.
func (a Audit) Problems() []string {
	var all []string
	for _, s := range a.Lost {
		all = append(all, fmt.Sprintf("slot %s/%d was not sent", s.Segment, s.Sequence))
	}
	for _, s := range a.Doubled {
		all = append(all, fmt.Sprintf("slot %s/%d was sent more than once", s.Segment, s.Sequence))
	}
	for _, s := range a.Strange {
		all = append(all, fmt.Sprintf("a request is for the slot %q", s))
	}
	return all
}

// Audit compares the requests with the slots after from and up to to, at one rate. At
// midnight UTC numbering starts again.
func (l *Ledger) Audit(from, to Slot) Audit {
	l.mu.Lock()
	defer l.mu.Unlock()
	highest := map[string]int{}
	for s := range l.sent {
		highest[s.Segment] = max(highest[s.Segment], s.Sequence)
	}
	a := Audit{Strange: slices.Clone(l.strange)}
	for _, segment := range slices.Sorted(maps.Keys(highest)) {
		first, last := 0, highest[segment]
		if segment == from.Segment {
			first = from.Sequence + 1
		}
		if segment == to.Segment {
			last = to.Sequence
		}
		if segment < from.Segment || segment > to.Segment {
			continue
		}
		for sequence := first; sequence <= last; sequence++ {
			a.count(Slot{segment, sequence}, l.sent[Slot{segment, sequence}])
		}
	}
	return a
}

// count adds a slot that was sent so many times.
func (a *Audit) count(s Slot, times int) {
	a.Due++
	switch {
	case times == 0:
		a.Lost = append(a.Lost, s)
	case times > 1:
		a.Doubled = append(a.Doubled, s)
	}
}
