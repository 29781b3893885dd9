package engine

import (
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// Pairing sends slots of an entry to two targets, one after the other: the scenario's own, and a
// candidate for its place. Implementations are safe for concurrent use, quick, and comparable: use
// pointers.
type Pairing interface {
	// Wants reports whether a slot that has come due goes to both. now is the wall clock.
	Wants(slot timeline.Slot, now time.Time) bool
	// Begin returns the journeys of a slot that is.
	Begin(slot timeline.Slot) Pair
	// Alone counts a slot that Wants wanted, and that is sent to its own target alone since another
	// request would be beyond max_rate.
	Alone()
}

// Pair is the two journeys of a slot.
type Pair struct {
	// Own goes to the scenario's own target, and is the slot's journey without a pair.
	Own Journey
	// Candidate goes to the other target. Its requests pass the same limits, and count for no
	// journey.
	Candidate Journey
	// CandidateFirst says that it is sent first.
	CandidateFirst bool
}

// halves is how far a pair has come.
type halves struct {
	// second is the half that follows; nil once it has begun.
	second Journey
	// candidate says that the present half is the candidate's.
	candidate bool
	// paid says that max_rate has counted the first request of the second half already.
	paid atomic.Bool
	// due is when the present half was due, on the monotonic clock.
	due time.Time
}

// pairs reports whether a slot is sent to two targets. The first requests of both halves have passed
// max_rate then: the half that comes second is as sure to be sent as the first.
func (r *runner) pairs(e *Entry, t *turn) bool {
	if e.Pairs == nil || !e.Pairs.Wants(t.slot, t.now.wall) {
		return false
	}
	if !r.gate.step(t.now.mono.Sub(r.begun), t.ratio) {
		e.Pairs.Alone()
		return false
	}
	return true
}

// beginPair begins the half of a pair that is first.
func (f *flight) beginPair(p Pair) {
	f.pair = &halves{second: p.Candidate, due: f.due}
	f.journey = p.Own
	if p.CandidateFirst {
		f.journey, f.pair.second, f.pair.candidate = p.Candidate, p.Own, true
	}
	f.pair.paid.Store(true)
	f.beginHalf()
}

// beginHalf counts the half if it is the slot's own.
func (f *flight) beginHalf() {
	if !f.pair.candidate {
		f.runner.sc.Recorder.JourneyBegan(int(f.entry))
	}
}

// leaveHalf ends a half of a pair, and returns whether the other one has begun. The slot's own is sent
// whatever became of the candidate's; the candidate's is not when limits have ended the slot's own.
func (f *flight) leaveHalf(o JourneyOutcome) bool {
	p := f.pair
	if !p.candidate {
		f.runner.sc.Recorder.JourneyEnded(int(f.entry), o, max(0, f.last.Sub(p.due)))
	}
	second := p.second
	p.second = nil
	switch {
	case second == nil:
		return false
	case o == JourneyCanceled, o == JourneyWithheld && !p.candidate:
		second.Close(o)
		return false
	}
	f.due = time.Now() // To look at the responses of the first half has taken time that is not the second's.
	f.journey, p.candidate, p.due = second, !p.candidate, f.due
	f.last, f.failed, f.ready = f.due, false, false
	f.beginTrace()
	f.beginHalf()
	return true
}

// spend reports whether a request has passed max_rate ahead, which is so once. The halves may be nil.
func (h *halves) spend() bool {
	return h != nil && h.second == nil && h.paid.CompareAndSwap(true, false)
}
