package engine

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// minSpin and maxSpin bound how long before its moment a spinner wakes up.
	minSpin = 50 * time.Microsecond
	maxSpin = 300 * time.Microsecond
	// spinMore and spinLess are how that changes when a wake-up was later than that, or
	// not. Their ratio is 100: so one wake-up in a hundred is too late.
	spinMore = 20 * time.Microsecond
	spinLess = spinMore / 100
)

// spinner is a waiter for the nanosecond: it has another one wake it up a little too
// early and passes the rest of the time by looking at the clock. How early follows
// from how late the other one is.
type spinner struct {
	rough waiter
	ahead time.Duration
	woken atomic.Bool
}

var _ waiter = (*spinner)(nil)

func newSpinner(rough waiter) *spinner { return &spinner{rough: rough, ahead: 2 * minSpin} }

func (s *spinner) wait(d time.Duration) {
	begin := time.Now()
	if nap := d - s.ahead; nap > 0 {
		s.rough.wait(nap)
		s.adapt(time.Since(begin) - nap)
	}
	for time.Since(begin) < d && !s.woken.Load() {
		// Whoever else has something to do goes first. That is cheap if nobody has.
		runtime.Gosched()
	}
}

// adapt learns from how late the other waiter was.
func (s *spinner) adapt(late time.Duration) {
	if late > s.ahead {
		s.ahead = min(maxSpin, s.ahead+spinMore)
	} else {
		s.ahead = max(minSpin, s.ahead-spinLess)
	}
}

func (s *spinner) wake() {
	s.woken.Store(true)
	s.rough.wake()
}

func (s *spinner) close() { s.rough.close() }
