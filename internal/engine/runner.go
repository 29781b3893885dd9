package engine

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

const (
	// maxIdle is the number of a runner's goroutines that wait for work; what is more
	// ends. Some are kept because a new one has to grow its stack first.
	maxIdle = 64
	// drainGrace is how long after its timeout a request is canceled in a drain.
	drainGrace = time.Second
)

// runner sends one scenario's slots by leader and followers. One goroutine, the
// leader, waits for the next slot; when it is due it passes the lead on, to an idle
// follower or to a new goroutine, and sends the slot itself. So a slow answer delays
// nothing but the goroutine that waits for it, and no request is handed through a
// queue, which would have to be bounded and would cost a switch.
//
// Until it has halted a runner has one leader, and a goroutine is only added when none
// is idle: there are never more than MaxInFlight and one.
type runner struct {
	sc     Scenario
	pacer  *pacer
	mix    mix
	cap    rateCap
	cancel context.CancelFunc

	// lead passes the lead to an idle follower. The last leader closes it.
	lead chan struct{}
	mu   sync.Mutex
	busy int // goroutines that send
	idle int // goroutines that wait for the lead
	work sync.WaitGroup
}

// newRunner returns a runner whose first slot is the first one due at or after from.
func newRunner(sc Scenario, arcs Arcs, c *clock, w waiter, from reading) *runner {
	r := &runner{
		sc:   sc,
		mix:  newMix(sc.Weights),
		cap:  rateCap{max: sc.Limits.MaxRate},
		lead: make(chan struct{}, 1),
	}
	r.pacer = newPacer(&r.sc, arcs, c, w, from)
	return r
}

// start begins to send.
func (r *runner) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.work.Go(func() { r.run(ctx) })
}

// drain returns when the runner, which was asked to halt, has sent all that is its
// own and no goroutine of it is left. Requests that are still running when they should
// have ended are canceled.
func (r *runner) drain() {
	if r.sc.Timeout > 0 {
		timer := time.AfterFunc(r.sc.Timeout+drainGrace, r.cancel)
		defer timer.Stop()
	}
	r.work.Wait()
	r.cancel()
}

// run is the life of one goroutine. It begins with the lead.
func (r *runner) run(ctx context.Context) {
	for {
		t, ok := r.await(ctx)
		if !ok {
			close(r.lead)
			return
		}
		r.passLead(ctx)
		r.send(ctx, &t)
		if !r.follow() {
			return
		}
	}
}

// await waits for the next slot that may be sent, and drops those that may not.
func (r *runner) await(ctx context.Context) (turn, bool) {
	for {
		t, ok := r.pacer.next()
		if !ok {
			return turn{}, false
		}
		switch {
		case ctx.Err() != nil:
			r.sc.Recorder.Dropped(DropShutdown, 1)
		case r.full():
			r.sc.Recorder.Dropped(DropInFlight, 1)
		case !r.cap.allow(t.slot.Due, t.ratio):
			r.sc.Recorder.Dropped(DropRateCap, 1)
		default:
			return t, true
		}
	}
}

// full reports whether as many requests are in flight as may be. Only the leader adds
// to them, so that for the leader a false stays false.
func (r *runner) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.busy >= r.sc.Limits.MaxInFlight
}

// passLead makes another goroutine the leader, and this one busy.
func (r *runner) passLead(ctx context.Context) {
	r.mu.Lock()
	r.busy++
	found := r.idle > 0
	if found {
		r.idle--
	}
	r.mu.Unlock()
	if found {
		r.lead <- struct{}{} // Never blocks: there is one lead, and it is here.
		return
	}
	r.work.Go(func() { r.run(ctx) })
}

// follow waits for the lead. It returns false if the goroutine is not needed any more.
func (r *runner) follow() bool {
	r.mu.Lock()
	r.busy--
	if r.idle >= maxIdle {
		r.mu.Unlock()
		return false
	}
	r.idle++
	r.mu.Unlock()
	_, ok := <-r.lead
	return ok
}

// send makes the request of a slot and records how it went.
func (r *runner) send(ctx context.Context, t *turn) {
	req := protocol.Request{
		Entry:    r.mix.entry(t.slot.Hash),
		Scenario: r.sc.Name,
		Segment:  t.slot.Segment,
		Seq:      t.slot.Seq,
	}
	putRandom(req.Trace[:8])
	putRandom(req.Trace[8:])
	putRandom(req.Span[:])
	res := r.sc.Client.Do(ctx, req)
	r.sc.Recorder.Finished(Outcome{
		Entry: req.Entry,
		// Never negative, even if a failed request has no Sent.
		Delay:  max(0, t.now.on(res.Sent).Sub(t.due)),
		Trace:  req.Trace,
		Result: res,
	})
}

// putRandom fills 8 bytes, not all with zero, which trace context forbids.
func putRandom(b []byte) { binary.BigEndian.PutUint64(b, max(1, rand.Uint64())) }
