package protocol

import (
	"context"
	"sync"
	"time"
)

// maxIdle is the number of goroutines of a Blocking that wait for work; any more end. Some
// are kept because a new one has to grow its stack first.
const maxIdle = 64

// Doer makes exchanges and waits for their responses, as most libraries do.
type Doer interface {
	// Do makes the exchange of a call, which it does not finish, and returns how it went. It returns
	// soon after ctx ends, with ReasonTimeout if its deadline passed and ReasonCanceled otherwise.
	// Safe for concurrent use.
	Do(ctx context.Context, c *Call) Result
	// Close releases what the Doer holds, once nothing is in flight.
	Close()
}

// Blocking makes a Client of a Doer: each exchange has a goroutine that waits for it.
// Create it with NewBlocking.
type Blocking struct {
	doer   Doer
	ctx    context.Context //nolint:containedctx // It ends the exchanges, which outlive the calls that begin them.
	cancel context.CancelFunc

	// next hands a call to an idle goroutine; each is counted in idle before it waits.
	next chan *Call
	mu   sync.Mutex
	idle int
	// closed says that no goroutine may be added, and none may wait.
	closed bool
	work   sync.WaitGroup
}

var _ Client = (*Blocking)(nil)

// NewBlocking returns a client that sends with d and closes it.
func NewBlocking(d Doer) *Blocking {
	ctx, cancel := context.WithCancel(context.Background())
	return &Blocking{doer: d, ctx: ctx, cancel: cancel, next: make(chan *Call, maxIdle)}
}

// Start implements Client. It hands the call to an idle goroutine or to a new one.
func (w *Blocking) Start(c *Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.idle > 0:
		w.idle--
		w.next <- c // There is room: no more calls are in it than goroutines were idle.
	case w.closed:
		now := time.Now()
		go c.Finish(Result{Sent: now, Done: now, Reason: ReasonCanceled, Err: context.Canceled})
	default:
		w.work.Go(func() { w.run(c) })
	}
}

// run makes exchanges until there is nothing to do for many goroutines.
func (w *Blocking) run(c *Call) {
	for c != nil {
		c.Finish(w.doer.Do(w.ctx, c))
		c = w.wait()
	}
}

// wait returns the next call, or nil if the goroutine is not needed any more.
func (w *Blocking) wait() *Call {
	w.mu.Lock()
	if w.closed || w.idle >= maxIdle {
		w.mu.Unlock()
		return nil
	}
	w.idle++
	w.mu.Unlock()
	return <-w.next
}

// Flush implements Client. There is nothing to write.
func (w *Blocking) Flush() {}

// Close implements Client.
func (w *Blocking) Close() {
	w.cancel()
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return
	}
	w.closed = true
	for ; w.idle > 0; w.idle-- {
		w.next <- nil
	}
	w.mu.Unlock()
	w.work.Wait()
	w.doer.Close()
}
