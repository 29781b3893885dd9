package engine

import (
	"runtime"
	"time"
)

const (
	// lastYield is how long before its moment a spinner lets nobody go first any more.
	lastYield = 20 * time.Microsecond
	// longestSpin is after how long a spinner that has the only processor sleeps for a moment:
	// the runtime looks at the network only when it has nothing else to do, so that until then
	// no response would be read.
	longestSpin = 500 * time.Microsecond
)

// spinner is a waiter for the microsecond. It has another one wake it up a little too
// early, as early as the other one has been late. From then on it hardly waits, so that
// its owner looks at the clock again and again: no wake-up is in the way any more, and
// what runs when the moment has come has just been run.
type spinner struct {
	rough waiter
	// ahead is how long before its moment the spinner is woken, from least to most.
	ahead, least, most time.Duration
	// patient says that an instant which is near before any nap is waited for, not spun for:
	// then the owner had been busy, and spinning would take the processor from others.
	patient bool
	// left is how long was asked for last, and napped that a nap was taken for that moment.
	left   time.Duration
	napped bool
	// alone says that there is one processor only, and rested when it was last left.
	alone  bool
	rested time.Time
	// more is added to ahead when a wake-up was later than that, and less taken away when
	// not: in the long run one wake-up in more/less + 1 is.
	more, less time.Duration
}

var _ waiter = (*spinner)(nil)

// newEvenSpinner returns a spinner that is woken in time once in ten times: it takes off
// what nearly every wake-up is late by, and hardly ever spins.
func newEvenSpinner(rough waiter) *spinner {
	const us = time.Microsecond
	return &spinner{rough: rough, ahead: 50 * us, most: 100 * us, more: us / 10, less: us * 9 / 10, patient: true}
}

// newExactSpinner returns a spinner that is nearly always woken in time.
func newExactSpinner(rough waiter) *spinner {
	const us = time.Microsecond
	return &spinner{
		rough: rough, ahead: 100 * us, least: 50 * us, most: 300 * us, more: 10 * us, less: us / 10,
		alone: runtime.GOMAXPROCS(0) == 1,
	}
}

func (s *spinner) wait(d time.Duration) {
	if d > s.left {
		s.napped = false // Another moment is waited for.
	}
	s.left = d
	switch nap := d - s.ahead; {
	case nap > 0:
		begin := time.Now()
		s.rough.wait(nap)
		s.rested = time.Now()
		if late := s.rested.Sub(begin) - nap; late >= 0 { // Or else it was woken.
			s.adapt(late)
		}
		s.napped = true
	case s.patient && !s.napped:
		s.rough.wait(d)
	case d <= lastYield:
	case s.alone && time.Since(s.rested) > longestSpin:
		s.rough.wait(1)
		s.rested = time.Now()
	default:
		runtime.Gosched()
	}
}

// adapt learns from how late the other waiter was.
func (s *spinner) adapt(late time.Duration) {
	if late > s.ahead {
		s.ahead = min(s.most, s.ahead+s.more)
	} else {
		s.ahead = max(s.least, s.ahead-s.less)
	}
}

func (s *spinner) wake() { s.rough.wake() }

func (s *spinner) close() { s.rough.close() }
