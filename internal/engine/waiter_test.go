package engine

import (
	"sync"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// inReal are the waiters that wait in real time.
func inReal() map[string]func() waiter {
	return map[string]func() waiter{
		"of the runtime": newTimerWaiter,
		"of the system":  newSystemWaiter,
		"for auto":       func() waiter { return newWaiter(PacingAuto) },
		"for exact":      func() waiter { return newWaiter(PacingExact) },
	}
}

// returns fails the test unless f returns. A long wait only means a busy machine.
func returns(tb testing.TB, f func()) {
	tb.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		tb.Fatal("waits forever")
	}
}

func TestAWaiterWaitsAsLongAsItIsAskedTo(t *testing.T) {
	for name, newOne := range inReal() {
		t.Run(name, func(t *testing.T) {
			w := newOne()
			defer w.close()
			begin, waits := time.Now(), 0
			returns(t, func() {
				for end := 100 * time.Millisecond; ; waits++ {
					left := end - time.Since(begin)
					if left <= lastYield {
						return
					}
					w.wait(min(left, time.Millisecond))
				}
			})
			if _, spins := w.(*spinner); waits > 150 && !spins {
				t.Errorf("waited %d times for 1 ms within 100 ms", waits)
			}
		})
	}
}

func TestNothingIsWaitedForWhenTheTimeHasPassed(t *testing.T) {
	for name, newOne := range inReal() {
		t.Run(name, func(t *testing.T) {
			w := newOne()
			defer w.close()
			returns(t, func() { w.wait(0); w.wait(-time.Hour) })
		})
	}
}

func TestAWakeEndsOneWait(t *testing.T) {
	for name, newOne := range inReal() {
		t.Run(name, func(t *testing.T) {
			// The two meet in each way that there is.
			for range 500 {
				w := newOne()
				var woken sync.WaitGroup
				woken.Go(w.wake)
				returns(t, func() { w.wait(time.Hour) })
				woken.Wait()
				w.wake()
				w.wake() // Two before a wait are one.
				returns(t, func() { w.wait(time.Hour) })
				w.close()
			}
		})
	}
}

func TestAfterAWakeAWaiterWaitsAgain(t *testing.T) {
	for name, newOne := range inReal() {
		t.Run(name, func(t *testing.T) {
			w := newOne()
			defer w.close()
			for range 3 {
				w.wake()
				returns(t, func() { w.wait(time.Hour) })
				const d = 5 * time.Millisecond
				begin := time.Now()
				returns(t, func() { w.wait(d) })
				// A spinner returns ahead of its moment.
				if got := time.Since(begin); got < d-time.Millisecond {
					t.Errorf("waited %v, want %v", got, d)
				}
			}
		})
	}
}

func TestAWaiterThatIsClosedMayBeWoken(t *testing.T) {
	for name, newOne := range inReal() {
		t.Run(name, func(t *testing.T) {
			w := newOne()
			w.close()
			returns(t, w.wake)
		})
	}
}

// TestSlotsAreSentInRealTime runs the parts that virtual time replaces: the waiters of
// production.
func TestSlotsAreSentInRealTime(t *testing.T) {
	for name, pacing := range map[string]Pacing{"auto": PacingAuto, "exact": PacingExact} {
		t.Run(name, func(t *testing.T) {
			sc, client, book := scenario(t, 500)
			sc.Pacing = pacing
			sc.Limits = Limits{MaxInFlight: 1000, LateAfter: time.Hour}
			e := New(Options{})
			e.Apply([]Scenario{sc})
			returns(t, func() {
				for len(client.all()) < 100 {
					time.Sleep(time.Millisecond)
				}
			})
			changed := sc
			changed.Timeline = line(t, timeline.Steady{Rate: 700})
			e.Apply([]Scenario{changed})
			stop(t, e)
			client.wasClosed(t, 1)
			uniqueSlots(t, client.all())
			book.balances(t, uint64(len(client.all())))
		})
	}
}
