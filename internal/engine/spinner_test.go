package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

// lateWaiter is a waiter that is late.
type lateWaiter struct {
	by     time.Duration
	waited []time.Duration
	woken  bool
	closed bool
}

var _ waiter = (*lateWaiter)(nil)

func (l *lateWaiter) wait(d time.Duration) {
	l.waited = append(l.waited, d)
	time.Sleep(d + l.by)
}

func (l *lateWaiter) wake()  { l.woken = true }
func (l *lateWaiter) close() { l.closed = true }

func TestASpinnerIsWokenUpAheadOfItsMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rough := &lateWaiter{}
		s := newSpinner(rough)
		ahead := s.ahead
		s.wait(time.Second)
		if len(rough.waited) != 1 || rough.waited[0] != time.Second-ahead {
			t.Errorf("waited %v", rough.waited)
		}
		for _, near := range []time.Duration{minAhead, lastYield, 1, 0, -time.Second} {
			s.wait(near)
		}
		if len(rough.waited) != 1 {
			t.Errorf("waited %v for what is near", rough.waited)
		}
		s.wake()
		s.close()
		if !rough.woken || !rough.closed {
			t.Error("the waiter behind it was not woken or closed")
		}
	})
}

func TestASpinnerIsWokenUpAsEarlyAsItWasLate(t *testing.T) {
	const us = time.Microsecond
	for name, tc := range map[string]struct {
		late        func(i int) time.Duration
		least, most time.Duration
	}{
		"never late":      {func(int) time.Duration { return 0 }, minAhead, minAhead},
		"always early":    {func(int) time.Duration { return -time.Second }, minAhead, minAhead},
		"hopelessly late": {func(int) time.Duration { return time.Hour }, maxAhead, maxAhead},
		"evenly late":     {func(int) time.Duration { return 150 * us }, 140 * us, 160 * us},
		// All but one in a hundred are covered: those of up to 198 µs.
		"late by up to 200 µs":           {func(i int) time.Duration { return time.Duration(i*73%100) * 2 * us }, 185 * us, 210 * us},
		"one in a thousand is very late": {func(i int) time.Duration { return time.Duration((i%1000)/999) * time.Hour }, minAhead, minAhead + aheadMore},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpinner(&lateWaiter{})
			for i := range 20_000 {
				s.adapt(tc.late(i))
			}
			if s.ahead < tc.least || s.ahead > tc.most {
				t.Errorf("wakes up %v ahead, want %v to %v", s.ahead, tc.least, tc.most)
			}
		})
	}
}
