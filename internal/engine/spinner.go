package engine

import (
	"runtime"
	"time"
)

const (
	// minAhead and maxAhead bound how long before its moment a spinner is woken up.
	minAhead = 50 * time.Microsecond
	maxAhead = 300 * time.Microsecond
	// aheadMore and aheadLess are how that changes when a wake-up was later than that,
	// or not. As the one is a hundred times the other, one wake-up in a hundred is.
	aheadMore = 10 * time.Microsecond
	aheadLess = aheadMore / 100
	// lastYield is how long before its moment a spinner lets nobody go first any more.
	lastYield = 20 * time.Microsecond
)

// spinner is a waiter for the microsecond. It has another one wake it up a little too
// early, as early as the other one has been late. From then on it hardly waits, so that
// its owner looks at the clock again and again: no wake-up is in the way any more, and
// what runs when the moment has come has just been run.
type spinner struct {
	rough waiter
	ahead time.Duration
}

var _ waiter = (*spinner)(nil)

func newSpinner(rough waiter) *spinner { return &spinner{rough: rough, ahead: 2 * minAhead} }

func (s *spinner) wait(d time.Duration) {
	switch nap := d - s.ahead; {
	case nap > 0:
		begin := time.Now()
		s.rough.wait(nap)
		s.adapt(time.Since(begin) - nap)
	case d > lastYield:
		runtime.Gosched()
	}
}

// adapt learns from how late the other waiter was.
func (s *spinner) adapt(late time.Duration) {
	if late > s.ahead {
		s.ahead = min(maxAhead, s.ahead+aheadMore)
	} else {
		s.ahead = max(minAhead, s.ahead-aheadLess)
	}
}

func (s *spinner) wake() { s.rough.wake() }

func (s *spinner) close() { s.rough.close() }
