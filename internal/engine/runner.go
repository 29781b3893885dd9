package engine

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
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
// and cost a switch. The client does not wait for responses, so that a slow one delays
// nothing; how many may be outstanding is bounded by MaxInFlight.
type runner struct {
	sc    Scenario
	pacer *pacer
	mix   mix
	gate  gate
	day   dayLimit
	// begun is when the runner began, on the monotonic clock.
	begun time.Time

	// cut says that requests not yet sent must not be sent any more.
	cut atomic.Bool
	// started says that the client may have something to flush.
	started bool
	// inFlight are the requests that have no response yet.
	inFlight atomic.Int64
	// wakeAt is how many of them have to be left for the runner to be woken, or never.
	wakeAt atomic.Int64
	// journeys are those that have begun and not ended, and pauses where they wait.
	journeys atomic.Int64
	pauses   *pauses
	// crowded is the due time of the last slots that have had to wait for room.
	crowded time.Time
	// flights keeps the flights that have ended for the next ones, and lanes those that groups of
	// requests have beside their flights' own.
	flights, lanes sync.Pool
	work           sync.WaitGroup
}

// newRunner returns a runner whose first slot is the first one due at or after from.
func newRunner(sc Scenario, arcs Arcs, c *clock, w waiter, from reading) *runner {
	r := &runner{
		sc:    sc,
		mix:   newMix(sc.Entries),
		gate:  gate{cap: rateCap{max: sc.Limits.MaxRate}},
		day:   dayLimit{max: sc.Limits.MaxPerDay},
		begun: from.mono,
	}
	r.wakeAt.Store(never)
	r.flights.New = func() any { return r.newFlight() }
	r.lanes.New = func() any {
		l := &lane{}
		l.prepare(sc.Witness)
		return l
	}
	r.pauses = newPauses(from.mono, (*lane).resume, sc.Client.Flush)
	r.pacer = newPacer(&r.sc, arcs, c, w, from)
	r.pacer.idle = r.flush
	return r
}

// start begins to send.
func (r *runner) start() { r.work.Go(r.run) }

// follow makes the runner go on with a timeline.
func (r *runner) follow(line *timeline.Timeline) {
	if r.sc.Timeline != line {
		r.sc.Timeline = line
		r.pacer.follow(line)
	}
}

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
	case r.day.exceeds(r.pacer.line, t.slot.Due):
		return DropDailyLimit, true
	case r.sc.Sparing != nil && r.sc.Sparing.Spares(t.slot):
		return DropBackOff, true
	case r.sc.Needs != nil:
		if reason, lacks := r.sc.Needs.Lacks(t.slot, t.now.wall); lacks {
			return reason, true
		}
	}
	switch {
	case r.journeys.Load() >= int64(r.sc.Limits.MaxJourneys) && r.isJourney(t):
		return DropJourneys, true
	case !r.room(t):
		return DropInFlight, true
	case !r.gate.slot(t.now.mono.Add(t.slot.Due.Sub(t.now.wall)).Sub(r.begun), t.ratio):
		r.leaveFlight()
		return DropRateCap, true
	}
	return 0, false
}

// isJourney reports whether a turn's slot is more than one fixed request.
func (r *runner) isJourney(t *turn) bool {
	return r.sc.Entries[r.mix.entry(t.slot.Hash)].Script != nil
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

// room waits for one more request to be allowed, as long as the turn may wait for that, and
// counts it as in flight. It returns false if none is.
func (r *runner) room(t *turn) bool {
	most := int64(r.sc.Limits.MaxInFlight)
	lasts := r.pacer.lasts(t)
	if !lasts && t.due.Equal(r.crowded) {
		return false // A slot that had to wait is not sent beyond its time.
	}
	for r.inFlight.Load() >= most {
		if lasts {
			r.crowded = t.due
		}
		if !r.hold(t, min(most-1, most-most/batchOf)) {
			return r.pacer.lasts(t) && r.enterFlight()
		}
	}
	return r.enterFlight()
}

// enterFlight counts one more request as in flight, if there may be one.
func (r *runner) enterFlight() bool {
	if r.inFlight.Add(1) <= int64(r.sc.Limits.MaxInFlight) {
		return true
	}
	r.leaveFlight()
	return false
}

// hold waits until so few requests are in flight, as long as the turn may wait for that.
func (r *runner) hold(t *turn, few int64) bool {
	r.wakeAt.Store(few)
	defer r.wakeAt.Store(never)
	return r.inFlight.Load() <= few || r.pacer.hold(t)
}

// send starts the request of a slot, or its journey.
func (r *runner) send(t *turn) {
	f, _ := r.flights.Get().(*flight)
	f.slot, f.planned = t.slot, reading{wall: t.due, mono: t.mono(), era: t.now.era}
	f.due = f.planned.mono
	entry := r.mix.entry(t.slot.Hash)
	f.entry = int32(entry)
	e := &r.sc.Entries[entry]
	f.call.Request = protocol.Request{
		Entry:    e.Request,
		Scenario: r.sc.Name,
		Segment:  t.slot.Segment,
		Seq:      t.slot.Seq,
		Sampled:  Sampled(t.slot.Hash, r.sc.TraceShare),
	}
	f.beginTrace()
	r.work.Add(1)
	r.started = true
	if paired := r.pairs(e, t); paired || e.Script != nil {
		r.journeys.Add(1)
		f.last = f.due
		if e.Aside {
			r.work.Go(func() { r.beginAside(f, paired) })
		} else {
			r.begin(f, paired)
		}
		return
	}
	putRandom(f.call.Request.Span[:])
	r.sc.Client.Start(&f.call)
}

// seedTrace is the seed of Sampled, for timeline.Draw.
const seedTrace = 0x5b1d6e92c04fa873

// Sampled reports whether the requests of a slot ask for their trace to be kept, by its hash: such a
// share of all slots do, the same on every replica.
func Sampled(hash uint64, share float64) bool { return timeline.Draw(hash, seedTrace) < share }

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
	// lane is where its requests are sent.
	lane

	runner *runner
	slot   timeline.Slot
	// planned is the slot's planned time on both clocks.
	planned reading

	// The fields below are for journeys. journey is nil for a slot that is one fixed request, group
	// unless requests are sent at once, and pair unless the slot is sent to two targets. last is
	// when its last request ended, or when the slot was due, and failed says that a request has
	// failed.
	journey Journey
	group   *group
	pair    *halves
	last    time.Time
	failed  bool
	// root is the span of the journey.
	root [8]byte
	// entry is the index in the mix.
	entry int32
}

// newFlight returns a flight that can send.
func (r *runner) newFlight() *flight {
	f := &flight{runner: r}
	f.flight = f
	f.prepare(r.sc.Witness)
	return f
}

// end records how the request went, and goes on with the journey if there is one. The client
// calls it.
func (l *lane) end() {
	f := l.flight
	if f.journey != nil {
		l.stepEnded()
		return
	}
	l.record()
	r := f.runner
	r.leaveFlight()
	r.finish(f)
}

// finish ends the slot of a flight, which must not be used again.
func (r *runner) finish(f *flight) {
	r.sc.Recorder.Finished()
	r.flights.Put(f)
	r.work.Done()
}

// leaveFlight takes a request out of those in flight.
func (r *runner) leaveFlight() {
	if r.inFlight.Add(-1) == r.wakeAt.Load() {
		r.pacer.waiter.wake()
	}
}

// putRandom fills 8 bytes, not all with zero, which trace context forbids.
func putRandom(b []byte) { binary.BigEndian.PutUint64(b, max(1, rand.Uint64())) }
