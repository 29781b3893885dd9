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
		s := newExactSpinner(rough)
		ahead := s.ahead
		s.wait(time.Second)
		if len(rough.waited) != 1 || rough.waited[0] != time.Second-ahead {
			t.Errorf("waited %v", rough.waited)
		}
		for _, near := range []time.Duration{s.least, lastYield, 1, 0, -time.Second} {
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

func TestASpinnerForAllSpinsOnlyForWhatItNappedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const us = time.Microsecond
		rough := &lateWaiter{by: -5 * us} // It is woken too early.
		s := newEvenSpinner(rough)
		s.wait(time.Second)
		for _, near := range []time.Duration{45 * us, 30 * us, 10 * us, -us} {
			s.wait(near)
		}
		if len(rough.waited) != 1 {
			t.Errorf("waited %v for what it had been woken for", rough.waited)
		}
		// Its owner was busy: the next moment is near already.
		s.wait(40 * us)
		if len(rough.waited) != 2 || rough.waited[1] != 40*us {
			t.Errorf("waited %v for what it had not napped for", rough.waited)
		}
	})
}

func TestASpinnerLeavesTheOnlyProcessorToTheNetworkAtTimes(t *testing.T) {
	for _, alone := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			rough := &lateWaiter{}
			s := newExactSpinner(rough)
			s.alone = alone
			s.wait(time.Second)
			for range 10 {
				time.Sleep(longestSpin / 4) // It is busy with the slots that have come due.
				s.wait(s.least)
			}
			want := 1
			if alone {
				want = 3
			}
			if len(rough.waited) != want {
				t.Errorf("alone %t: waited %v", alone, rough.waited)
			}
		})
	}
}

func TestASpinnerIsWokenUpAsEarlyAsItWasLate(t *testing.T) {
	const us = time.Microsecond
	for name, tc := range map[string]struct {
		late        func(i int) time.Duration
		even, exact time.Duration
	}{
		"never late":      {func(int) time.Duration { return 0 }, 0, 50 * us},
		"always early":    {func(int) time.Duration { return -time.Second }, 0, 50 * us},
		"hopelessly late": {func(int) time.Duration { return time.Hour }, 100 * us, 300 * us},
		"evenly late":     {func(int) time.Duration { return 90 * us }, 90 * us, 90 * us},
		// One in ten is up to 12 µs, and all but one in a hundred up to 118 µs.
		"late by up to 120 µs":            {func(i int) time.Duration { return time.Duration(i*37%60) * 2 * us }, 12 * us, 118 * us},
		"one in three is late by 200 µs":  {func(i int) time.Duration { return time.Duration(i%3/2) * 200 * us }, 0, 200 * us},
		"one in a thousand is late by 1h": {func(i int) time.Duration { return time.Duration(i%1000/999) * time.Hour }, 0, 50 * us},
	} {
		t.Run(name, func(t *testing.T) {
			even, exact := newEvenSpinner(&lateWaiter{}), newExactSpinner(&lateWaiter{})
			for i := range 20_000 {
				even.adapt(tc.late(i))
				exact.adapt(tc.late(i))
			}
			if (even.ahead-tc.even).Abs() > 12*us || (exact.ahead-tc.exact).Abs() > 12*us {
				t.Errorf("wake up %v and %v ahead, want %v and %v", even.ahead, exact.ahead, tc.even, tc.exact)
			}
		})
	}
}
