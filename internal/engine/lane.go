package engine

import (
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// lane is where requests of a flight are sent, one after the other.
type lane struct {
	flight *flight
	// due is when the request is due, on the monotonic clock.
	due  time.Time
	call protocol.Call
	// tap is the call's late one, if there is one.
	tap protocol.Tap

	// The fields below are for journeys. admitted says that the lane has a place among the
	// requests in flight, and ready that the call holds a request to send.
	admitted bool
	ready    bool
}

// prepare makes the lane's call report to it.
func (l *lane) prepare(w Witness) {
	l.call.Done = l.end
	l.call.Admit = l.admit
	if w != nil {
		l.call.Late = l.late
	}
}

// admit decides on one more request on the wire, and counts it. The client calls it.
func (l *lane) admit(e protocol.Extra) bool {
	r, entry := l.flight.runner, l.call.Request.Entry
	if why, ok := r.withhold(e); ok {
		r.sc.Recorder.Withheld(entry, e, why)
		return false
	}
	r.sc.Recorder.Extra(entry, e)
	return true
}

// record records a request that has ended.
func (l *lane) record() {
	o := Outcome{
		Entry: l.call.Request.Entry,
		// Never negative, even if a failed request has no Sent.
		Delay:   max(0, l.call.Result.Sent.Sub(l.due)),
		Trace:   l.call.Request.Trace,
		Sampled: l.call.Request.Sampled,
		Result:  l.call.Result,
	}
	sc := &l.flight.runner.sc
	sc.Recorder.Exchanged(o)
	if sc.Witness != nil {
		l.show(sc.Witness, o)
	}
	l.trace(o)
	l.call.Result.Err = nil // It may hold on to much.
}

// show shows the witness a request that is worth it.
func (l *lane) show(w Witness, o Outcome) {
	f := l.flight
	if o.Result.Failed() || w.Slow(o.Entry, o.Latency()) {
		s := Sighting{Slot: f.slot, Due: f.planned.on(l.due), Tap: l.tap}
		if j, ok := f.journey.(hider); ok {
			s.Hide = j.Hide
		}
		w.Saw(s, o)
	}
	if l.tap != nil {
		l.tap = nil
		if f.journey == nil {
			l.call.Tap = nil
		}
	}
}

// hider is a journey that knows secrets.
type hider interface {
	// Hide returns a string without them.
	Hide(text string) string
}

// late asks the witness for a tap, once for each request. The client calls it.
func (l *lane) late(r protocol.Reason, now time.Time) protocol.Tap {
	w, entry := l.flight.runner.sc.Witness, l.call.Request.Entry
	if l.tap != nil || r == protocol.ReasonNone && !w.Slow(entry, now.Sub(l.due)) {
		return nil
	}
	l.tap = w.Tap(entry, r)
	return l.tap
}

// try sends the request that the call holds, if it may be sent now. Otherwise it is tried
// again, until it is too late.
func (l *lane) try() {
	r := l.flight.runner
	l.ready = true
	if !l.admitted {
		now := r.pacer.clock.look()
		why, ok := r.admitStep(l.flight, now)
		switch {
		case ok:
			l.admitted = true
		case now.mono.Sub(l.due) <= r.sc.Limits.LateAfter && r.pauses.add(l, now.mono.Add(stepPatience)):
			return
		default:
			r.sc.Recorder.Withheld(l.call.Request.Entry, protocol.Step, why)
			l.quit(JourneyWithheld)
			return
		}
	}
	putRandom(l.call.Request.Span[:])
	r.sc.Client.Start(&l.call)
}

// resume goes on after a pause.
func (l *lane) resume() {
	if l.ready {
		l.try()
	} else {
		l.flight.advance()
	}
}

// unsent records a request of the journey that cannot be made.
func (l *lane) unsent() {
	now := time.Now()
	l.call.Result.Sent, l.call.Result.Done = now, now
	putRandom(l.call.Request.Span[:])
	l.exchanged()
}

// exchanged records a request of the journey.
func (l *lane) exchanged() {
	f, done := l.flight, l.call.Result.Done
	f.failed = f.failed || l.call.Result.Failed()
	l.record()
	l.due = done
	if done.After(f.last) {
		f.last = done
	}
}

// release gives back the lane's place among the requests in flight.
func (l *lane) release() {
	if l.admitted {
		l.admitted = false
		l.flight.runner.leaveFlight()
	}
}

// quit ends the journey instead of sending the lane's request: when the others in flight have ended,
// if there are any.
func (l *lane) quit(o JourneyOutcome) {
	f := l.flight
	g := f.group
	if g == nil {
		f.leave(o)
		return
	}
	g.mu.Lock()
	g.breakOff(o)
	g.mu.Unlock()
	l.join()
}

// clear forgets the state of the last request.
func (l *lane) clear() {
	l.call.Message, l.call.Tap, l.call.Deadline = nil, nil, time.Time{}
}
