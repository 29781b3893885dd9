package engine

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

const (
	// batchOf is which part of MaxInFlight has to have ended for a runner that waits for
	// room to be woken: one wake-up for each would cost more than the request.
	batchOf = 4
	// never is a number of requests that there never is.
	never = -1
)

// runner sends one scenario's slots. One goroutine waits for each slot and starts its
// request itself when it is due: to hand it to another goroutine would make it later
// and cost a switch. The client does not wait for answers, so that a slow one delays
// nothing; how many may be outstanding is bounded by MaxInFlight.
type runner struct {
	sc    Scenario
	pacer *pacer
	mix   mix
	gate  gate
	// begun is when the runner began, on the monotonic clock.
	begun time.Time

	// cut says that what has not been sent is not to be sent any more.
	cut atomic.Bool
	// started says that the client may have something to flush.
	started bool
	// inFlight are the requests that have no answer yet. Only the runner's goroutine
	// adds to them.
	inFlight atomic.Int64
	// wakeAt is how many of them have to be left for the runner to be woken, or never.
	wakeAt atomic.Int64
	// crowded is the due time of the last slots that have had to wait for room.
	crowded time.Time
	// flights keeps the flights that have ended for the next ones.
	flights sync.Pool
	work    sync.WaitGroup
}

// newRunner returns a runner whose first slot is the first one due at or after from.
func newRunner(sc Scenario, arcs Arcs, c *clock, w waiter, from reading) *runner {
	r := &runner{
		sc:    sc,
		mix:   newMix(sc.Weights),
		gate:  gate{cap: rateCap{max: sc.Limits.MaxRate}},
		begun: from.mono,
	}
	r.wakeAt.Store(never)
	r.flights.New = func() any {
		f := &flight{runner: r}
		f.call.Done = f.end
		f.call.Admit = f.admit
		return f
	}
	r.pacer = newPacer(&r.sc, arcs, c, w, from)
	r.pacer.idle = r.flush
	return r
}

// start begins to send.
func (r *runner) start() { r.work.Go(r.run) }

// drain returns when the runner, which was asked to halt, has sent all that is its
// own, and all of it has ended. The client sees to that: it ends each request within
// its timeout.
func (r *runner) drain() { r.work.Wait() }

// run sends slots until the pacer has halted.
func (r *runner) run() {
	for t, ok := r.pacer.next(); ok; t, ok = r.pacer.next() {
		if reason, ok := r.refuse(&t); ok {
			r.sc.Recorder.Dropped(reason, 1)
			if reason == DropInFlight {
				// So will be all others whose time is over: there is no need to look at each.
				r.pacer.drop(reason)
			}
			continue
		}
		r.send(&t)
	}
	r.flush()
}

// refuse reports whether a slot must not be sent, and why.
func (r *runner) refuse(t *turn) (DropReason, bool) {
	switch {
	case r.cut.Load():
		return DropShutdown, true
	case r.sc.Sparing != nil && r.sc.Sparing.Spares(t.slot):
		return DropBackOff, true
	case !r.room(t):
		return DropInFlight, true
	case !r.gate.slot(t.now.mono.Add(t.slot.Due.Sub(t.now.wall)).Sub(r.begun), t.ratio):
		return DropRateCap, true
	}
	return 0, false
}

// withhold reports whether one more request must not be put on the wire now, and why.
func (r *runner) withhold(e protocol.Extra) (WithheldReason, bool) {
	if r.cut.Load() {
		return WithheldShutdown, true
	}
	now := r.pacer.clock.look()
	why, ok := r.gate.extra(e, now.mono.Sub(r.begun), r.pacer.arcs.Arc(now.wall).Ratio())
	return why, !ok
}

// room waits for one more request to be allowed, as long as the turn may wait for that. It
// returns false if none is.
func (r *runner) room(t *turn) bool {
	most := int64(r.sc.Limits.MaxInFlight)
	lasts := r.pacer.lasts(t)
	if !lasts && t.due.Equal(r.crowded) {
		return false // What had to wait is not sent beyond its time.
	}
	for r.inFlight.Load() >= most {
		if lasts {
			r.crowded = t.due
		}
		if !r.hold(t, min(most-1, most-most/batchOf)) {
			return r.pacer.lasts(t) && r.inFlight.Load() < most
		}
	}
	return true
}

// hold waits until so few requests are in flight, as long as the turn may wait for that.
func (r *runner) hold(t *turn, few int64) bool {
	r.wakeAt.Store(few)
	defer r.wakeAt.Store(never)
	return r.inFlight.Load() <= few || r.pacer.hold(t)
}

// send starts the request of a slot.
func (r *runner) send(t *turn) {
	f, _ := r.flights.Get().(*flight)
	f.turn = *t
	f.call.Request = protocol.Request{
		Entry:    r.mix.entry(t.slot.Hash),
		Scenario: r.sc.Name,
		Segment:  t.slot.Segment,
		Seq:      t.slot.Seq,
	}
	putRandom(f.call.Request.Trace[:8])
	putRandom(f.call.Request.Trace[8:])
	putRandom(f.call.Request.Span[:])
	r.inFlight.Add(1)
	r.work.Add(1)
	r.started = true
	r.sc.Client.Start(&f.call)
}

// flush has the client write what it has put off so that requests that are due together
// can share a write. The pacer calls it before it waits.
func (r *runner) flush() {
	if r.started {
		r.started = false
		r.sc.Client.Flush()
	}
}

// flight is a slot that is being sent. It is used again when that has ended.
type flight struct {
	runner *runner
	turn   turn
	call   protocol.Call
}

// admit decides on one more request on the wire, and counts it. The client calls it.
func (f *flight) admit(e protocol.Extra) bool {
	r, entry := f.runner, f.call.Request.Entry
	if why, ok := r.withhold(e); ok {
		r.sc.Recorder.Withheld(entry, e, why)
		return false
	}
	r.sc.Recorder.Extra(entry, e)
	return true
}

// end records how the request went. The client calls it.
func (f *flight) end() {
	r := f.runner
	r.sc.Recorder.Finished(Outcome{
		Entry: f.call.Request.Entry,
		// Never negative, even if a failed request has no Sent.
		Delay:  max(0, f.turn.now.on(f.call.Result.Sent).Sub(f.turn.due)),
		Trace:  f.call.Request.Trace,
		Result: f.call.Result,
	})
	f.call.Result.Err = nil // It may hold on to much.
	r.flights.Put(f)
	if r.inFlight.Add(-1) == r.wakeAt.Load() {
		r.pacer.waiter.wake()
	}
	r.work.Done()
}

// putRandom fills 8 bytes, not all with zero, which trace context forbids.
func putRandom(b []byte) { binary.BigEndian.PutUint64(b, max(1, rand.Uint64())) }
