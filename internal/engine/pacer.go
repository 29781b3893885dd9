package engine

import (
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

const (
	// horizon is how far ahead of its due time the ownership of a slot is asked for.
	// It is short because what the fleet agrees on is known about a second ahead.
	horizon = 500 * time.Millisecond
	// pause is how long to wait when no slot is due within the horizon. It is less
	// than the horizon, so that the next slot is found before it is due.
	pause = horizon * 4 / 5
	// warnEvery is the least time between two warnings of one scenario's stalls.
	warnEvery = time.Minute
)

// turn is a slot whose time has come.
type turn struct {
	slot timeline.Slot
	// due is the slot's planned time: its due time, rounded or not.
	due time.Time
	// ratio is the part of all slots that this replica owns at the time.
	ratio float64
	// now is the look at the clock that found the slot due.
	now reading
}

// mono returns the slot's planned time on the monotonic clock.
func (t *turn) mono() time.Time { return t.now.mono.Add(t.due.Sub(t.now.wall)) }

// pacer waits for one scenario's slots. It belongs to the runner's goroutine; others may only
// make it halt, wait until it has halted, and give it another timeline.
type pacer struct {
	sc     *Scenario
	arcs   Arcs
	clock  *clock
	logger *slog.Logger
	waiter waiter
	// idle, if not nil, is called before each wait.
	idle   func()
	round  rounding
	warned time.Time

	// line is the timeline, and change the one to take its place at the next look at the clock;
	// nil for none.
	line   *timeline.Timeline
	change atomic.Pointer[timeline.Timeline]
	cursor *timeline.Cursor
	// seen is the instant before which all slots have been dealt with.
	seen time.Time
	// slot is the next slot of this replica, if held, and arc the arc that it owned then.
	slot timeline.Slot
	arc  share.Arc
	held bool
	// handedOut is the instant just after the last slot that was handed out.
	handedOut time.Time

	// now is the last look at the clock. Once halted it stands still: slots due before
	// it are this pacer's, the others its successor's.
	now    reading
	halted bool
	// The first is closed to make the pacer halt, the second when it has halted.
	asked, stopped chan struct{}
}

// newPacer returns a pacer whose first slot is the first one due at or after from. It
// closes the waiter when it has halted.
func newPacer(sc *Scenario, arcs Arcs, c *clock, w waiter, from reading) *pacer {
	return &pacer{
		sc:      sc,
		arcs:    arcs,
		clock:   c,
		logger:  c.logger,
		waiter:  w,
		round:   newRounding(sc.Pacing),
		line:    sc.Timeline,
		cursor:  sc.Timeline.Cursor(from.wall),
		seen:    from.wall,
		now:     from,
		asked:   make(chan struct{}),
		stopped: make(chan struct{}),
	}
}

// ask makes the pacer halt at its next look at the clock. It may be called once.
func (p *pacer) ask() {
	close(p.asked)
	p.waiter.wake()
}

// awaitHalt waits until the pacer that was asked has halted, which is soon, and returns
// the instant: it deals with all slots due before it and with no others.
func (p *pacer) awaitHalt() reading {
	<-p.stopped
	return p.now
}

// next waits until the next slot of this replica is due, counts it and returns it.
// Slots that are late it drops and counts. It returns false when it has halted and
// nothing is left.
func (p *pacer) next() (turn, bool) {
	for {
		p.look()
		if !p.fetch() {
			if p.halted {
				p.waiter.close()
				return turn{}, false
			}
			p.wait(pause)
			continue
		}
		due := p.due()
		switch ahead := due.Sub(p.now.wall); {
		case ahead > 0:
			p.wait(ahead)
		case -ahead > p.sc.Limits.LateAfter:
			// The process was stalled. Sending the backlog would be a burst.
			p.skip()
		default:
			p.held = false
			p.handedOut = p.slot.Due.Add(1)
			p.seen = p.handedOut
			p.sc.Recorder.Due(1)
			return turn{slot: p.slot, due: due, ratio: p.arc.Ratio(), now: p.now}, true
		}
	}
}

// hold waits for room to send a turn: until the waiter is woken, or the turn's time is over.
// It returns false when there is nothing more to wait for: then, and when the pacer halts.
func (p *pacer) hold(t *turn) bool {
	p.look()
	if p.halted || !p.lasts(t) {
		return false
	}
	p.wait(p.round.left(t.due, p.now.wall))
	// More responses may be at hand. They go first, so that there is room for as many
	// requests at once.
	runtime.Gosched()
	p.look()
	return !p.halted && p.lasts(t)
}

// lasts reports whether a turn may still wait for room. Where each slot has its own instant
// none may, nor when the clock has been stepped since.
func (p *pacer) lasts(t *turn) bool {
	return p.now.era == t.now.era && p.round.left(t.due, p.now.wall) > 0
}

// wait waits for about d.
func (p *pacer) wait(d time.Duration) {
	if p.idle != nil {
		p.idle()
	}
	p.waiter.wait(d)
}

// look reads the clock, follows its steps, and halts if that was asked for.
func (p *pacer) look() {
	if p.halted {
		return
	}
	era := p.now.era
	p.now = p.clock.look()
	if p.now.era != era {
		// Forward, the slots between are lost; backward, they come again: to wait for
		// the clock to catch up would be a stall.
		p.skip()
	}
	if p.change.Load() != nil { // A swap at each look would cost more.
		p.turnTo(p.change.Swap(nil))
	}
	select {
	case <-p.asked:
		p.halt()
	default:
	}
}

// follow makes the pacer go on with another timeline from its next look at the clock on. It is for
// others than the runner's goroutine.
func (p *pacer) follow(line *timeline.Timeline) {
	p.change.Store(line)
	p.waiter.wake()
}

// turnTo goes on with another timeline: the slots due at this instant or after it are its own, those
// before it are the old one's, also where they have not been dealt with.
func (p *pacer) turnTo(line *timeline.Timeline) {
	now := p.now.wall
	if p.handedOut.After(now) {
		now = p.handedOut // It may have been handed out already.
	}
	from := p.seen
	if from.After(now) {
		from = now // The old one has no more slots up to the horizon, the new one may.
	}
	if from.Before(now) {
		both, err := line.Splice([]timeline.Stretch{{From: from, Until: now, Timeline: p.line}})
		if err == nil { // As it is: the stretch has a length.
			line = both
		}
	}
	p.line = line
	p.cursor = p.line.Cursor(from)
	p.seen, p.held = from, false
}

// halt takes no slots from now on.
func (p *pacer) halt() {
	// A slot that is due this very nanosecond may have been handed out already.
	if ahead := p.handedOut.Sub(p.now.wall); ahead > 0 {
		p.now = reading{wall: p.handedOut, mono: p.now.mono.Add(ahead), era: p.now.era}
	}
	p.halted = true
	close(p.stopped)
}

// fetch takes the next slot of this replica in hand. It returns false if there is
// none within the horizon, or, once halted, before that.
func (p *pacer) fetch() bool {
	before := p.now.wall
	if !p.halted {
		before = before.Add(horizon)
	}
	for !p.held {
		slot, ok := p.cursor.Next(before)
		if !ok {
			p.seen = before
			return false
		}
		p.seen = slot.Due
		p.arc = p.arcs.Arc(slot.Due)
		p.slot, p.held = slot, p.arc.Owns(slot.Seq)
	}
	return p.slot.Due.Before(before)
}

// due returns the planned time of the slot in hand. A pacer that has halted waits for
// nothing more: its remaining slots are due then, unless they were due before.
func (p *pacer) due() time.Time {
	due := p.round.due(p.line, p.slot.Due, p.arc.Ratio())
	if p.halted && due.After(p.now.wall) {
		return p.now.wall
	}
	return due
}

// drop drops this replica's slots whose time is over by now, if any, for a reason. It does
// not walk them.
func (p *pacer) drop(reason DropReason) {
	over := p.round.over(p.now.wall)
	if p.halted || !p.seen.Before(over) {
		return
	}
	if n := p.pass(over); n > 0 {
		p.sc.Recorder.Due(n)
		p.sc.Recorder.Dropped(reason, n)
	}
}

// skip drops this replica's slots that were due until now, if any, and goes on from
// now.
func (p *pacer) skip() {
	overdue := p.now.wall.Sub(p.seen)
	if n := p.pass(p.now.wall); n > 0 {
		p.sc.Recorder.Due(n)
		p.sc.Recorder.Dropped(DropLate, n)
		p.warn(n, overdue)
	}
}

func (p *pacer) warn(n uint64, overdue time.Duration) {
	if p.now.mono.Sub(p.warned) < warnEvery {
		return
	}
	p.warned = p.now.mono
	p.logger.Warn("slots were overdue and dropped", "scenario", p.sc.Name, "slots", n,
		"overdue_seconds", overdue.Seconds())
}

// pass goes on from an instant and returns how many slots of this replica it has passed:
// those before the instant that had not been dealt with. It does not walk them: a month at
// a million a second takes less than a millisecond.
//
// What the replica owned may have changed meanwhile. For the first minute it looks at
// every whole second, at which fleets change, so that the count is exact; after that
// at every hour. A replica that was away for longer had been replaced by others
// anyway, so that how many slots were its own is a matter of definition.
func (p *pacer) pass(to time.Time) uint64 {
	from := p.seen
	back := !from.Before(to)
	switch {
	case back:
		p.cursor.Seek(to)
	case p.held:
		p.cursor.Seek(from) // It is past the slot in hand.
	}
	p.seen, p.handedOut, p.held = to, to, false
	if back {
		return 0
	}
	var n uint64
	arc := p.arcs.Arc(from)
	for at := nextChange(from, from); at.Before(to); at = nextChange(from, at) {
		if a := p.arcs.Arc(at); a != arc {
			n += p.count(arc, at)
			arc = a
		}
	}
	return n + p.count(arc, to)
}

// nextChange returns the next instant after at to look for a change of ownership at,
// in a stretch that began at begin.
func nextChange(begin, at time.Time) time.Time {
	step := time.Second
	if at.Sub(begin) >= time.Minute {
		step = time.Hour
	}
	return at.Truncate(step).Add(step)
}

// count moves the cursor on to an instant and returns how many of the slots it passes belong to
// the arc.
func (p *pacer) count(arc share.Arc, to time.Time) uint64 {
	var n uint64
	for r, ok := p.cursor.Skip(to); ok; r, ok = p.cursor.Skip(to) {
		n += arc.Count(r.From, r.To)
	}
	return n
}
