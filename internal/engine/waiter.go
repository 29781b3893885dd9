package engine

import "time"

// waiter waits for a pacer. Its owner is one goroutine at a time; only wake is for
// others.
type waiter interface {
	// wait returns after d, or soon after wake. It may return too early, and it may be a little
	// late: the caller looks at the clock again, and at the reason for the wake.
	wait(d time.Duration)
	// wake ends the wait that is under way, or else the next one. Several calls before that
	// wait returns end that one only.
	wake()
	// close releases the waiter's resources. wait is not called after that.
	close()
}

// newWaiter returns the waiter of a pacer.
func newWaiter(p Pacing) waiter {
	w := newSystemWaiter()
	if p == PacingExact {
		return newExactSpinner(w)
	}
	return newEvenSpinner(w)
}

// timerWaiter waits for a timer of the runtime, which is about a millisecond late at
// worst. It works everywhere, and in virtual time.
type timerWaiter struct {
	timer *time.Timer
	woken chan struct{}
}

var _ waiter = (*timerWaiter)(nil)

func newTimerWaiter() waiter {
	t := &timerWaiter{timer: time.NewTimer(0), woken: make(chan struct{}, 1)}
	t.timer.Stop()
	return t
}

func (t *timerWaiter) wait(d time.Duration) {
	t.timer.Reset(d)
	select {
	case <-t.timer.C:
	case <-t.woken:
	}
}

func (t *timerWaiter) wake() {
	select {
	case t.woken <- struct{}{}:
	default: // The wait has a wake pending already.
	}
}

func (t *timerWaiter) close() { t.timer.Stop() }
