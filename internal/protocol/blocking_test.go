package protocol_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// doer responds after a while.
type doer struct {
	answer time.Duration

	mu     sync.Mutex
	active int
	closed int
}

func (d *doer) add(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.active += n
	return d.active
}

func (d *doer) Do(ctx context.Context, _ *protocol.Call) protocol.Result {
	res := protocol.Result{Sent: time.Now()}
	d.add(1)
	defer d.add(-1)
	select {
	case <-time.After(d.answer):
	case <-ctx.Done():
		res.Reason, res.Err = protocol.ReasonCanceled, ctx.Err()
	}
	res.Done = time.Now()
	return res
}

func (d *doer) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.active > 0 {
		panic("closed in use")
	}
	d.closed++
}

// start starts a number of calls and returns what waits for their results.
func start(c protocol.Client, n int) func() []protocol.Result {
	var ended sync.WaitGroup
	calls := make([]protocol.Call, n)
	for i := range calls {
		ended.Add(1)
		calls[i].Done = ended.Done
		c.Start(&calls[i])
	}
	c.Flush()
	return func() []protocol.Result {
		ended.Wait()
		var all []protocol.Result
		for i := range calls {
			all = append(all, calls[i].Result)
		}
		return all
	}
}

// goroutines returns how many goroutines run calls.
func goroutines() int {
	buf := make([]byte, 4<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "protocol.(*Blocking).run(")
}

func TestBlockingHasAGoroutineForEachCallAndKeepsSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doer{answer: time.Second}
		c := protocol.NewBlocking(d)
		for _, step := range []struct{ calls, during, after int }{
			{10, 10, 10}, {5, 10, 10}, {200, 200, 64}, {64, 64, 64}, {65, 65, 64},
		} {
			begin := time.Now()
			wait := start(c, step.calls)
			synctest.Wait()
			if n := goroutines(); n != step.during {
				t.Errorf("%d calls: %d goroutines, want %d", step.calls, n, step.during)
			}
			for _, r := range wait() {
				if r.Failed() || r.Sent != begin || r.Service() != time.Second {
					t.Fatalf("got %+v", r)
				}
			}
			synctest.Wait()
			if n := goroutines(); n != step.after {
				t.Errorf("%d calls: %d goroutines are kept, want %d", step.calls, n, step.after)
			}
		}
		c.Close()
		c.Close()
		synctest.Wait()
		if n := goroutines(); n != 0 || d.closed != 1 {
			t.Errorf("%d goroutines are left, closed %d times", n, d.closed)
		}
	})
}

func TestBlockingCancelsWhatIsInFlightWhenItIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doer{answer: time.Hour}
		c := protocol.NewBlocking(d)
		wait := start(c, 100)
		synctest.Wait()
		c.Close()
		late := start(c, 10)
		for _, r := range append(wait(), late()...) {
			if r.Reason != protocol.ReasonCanceled {
				t.Fatalf("got %+v", r)
			}
		}
	})
}

func TestBlockingMayBeClosedWhileCallsAreStarted(*testing.T) {
	for range 100 {
		c := protocol.NewBlocking(&doer{})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { start(c, 10)() })
		}
		c.Close()
		all.Wait()
	}
}
