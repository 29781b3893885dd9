package engine

import "time"

const (
	// retryShare is the part of a replica's recent first requests that may be repeated.
	// Connections that die while a request is on its way are rare: a target that needs more
	// repeats than that is failing, and to send them doubles its load when it can bear it
	// least.
	retryShare = 0.1
	// retryFloor are the repeats that are always allowed within retryWindow. At one request
	// a second or less, where each may find that its connection has been closed as idle,
	// each may be repeated; at 50/s the floor is 2 % more.
	retryFloor = 10
	// retryWindow is what counts as recent, in seconds: long enough for the floor to cover
	// all connections of a small scenario that end together, as in a restart of the target.
	retryWindow = 10
)

// retryBudget bounds repeats: in any retryWindow whole seconds there are at most retryFloor,
// and retryShare of the first requests of those seconds and the ones before that the window
// still held. It is not for concurrent use.
type retryBudget struct {
	seconds [retryWindow]sends
}

// sends are the counts of requests in one second.
type sends struct {
	second          int64
	firsts, repeats int
}

// first counts the first request of a slot. Instants are since the runner began.
func (b *retryBudget) first(at time.Duration) { b.of(at).firsts++ }

// allows reports whether one more repeat is within the budget.
func (b *retryBudget) allows(at time.Duration) bool {
	var firsts, repeats int
	now := int64(at / time.Second)
	for _, s := range b.seconds {
		if s.second > now-retryWindow {
			firsts += s.firsts
			repeats += s.repeats
		}
	}
	return float64(repeats+1) <= retryFloor+retryShare*float64(firsts)
}

// repeat counts a repeat.
func (b *retryBudget) repeat(at time.Duration) { b.of(at).repeats++ }

// of returns the counts of an instant's second. An instant before the second that has its
// place, such as that of a late slot, counts in that second.
func (b *retryBudget) of(at time.Duration) *sends {
	second := max(0, int64(at/time.Second))
	s := &b.seconds[second%retryWindow]
	if s.second < second {
		*s = sends{second: second}
	}
	return s
}
