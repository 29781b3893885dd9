package engine

import (
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// stepPatience is how long a step that has no room, or would be beyond max_rate, waits until
// it tries again.
const stepPatience = 5 * time.Millisecond

// Script makes the journeys of an entry of the mix. Implementations are safe for concurrent
// use and comparable: use pointers.
type Script interface {
	// Begin returns the journey of a slot that has come due.
	Begin(slot timeline.Slot) Journey
}

// Journey is the way of one slot through several requests. Its methods do not overlap, are
// quick and do not block: they are called on the sending path, by any goroutine.
//
// After MoveTogether several requests are in flight, each with its own call. Next is called for
// each of so many calls, and again when the call's request has ended, until it returns MoveJoin or
// MoveEnd for all of them. Then the journey goes on with the first call.
type Journey interface {
	// Next returns the next move. For MoveRequest and MoveFailed it has set the call's
	// Request.Entry, and, as it needs them, its Message, Deadline and Tap.
	Next(c *protocol.Call) Move
	// RequestEnded takes the end of a request that Next has asked for with the same call. It may turn the
	// call's result into a failure.
	RequestEnded(c *protocol.Call)
	// Close is called once with the outcome, when the journey has ended. The journey is not
	// used after that.
	Close(o JourneyOutcome)
}

// Move is the next step of a journey.
type Move struct {
	Kind MoveKind
	// Pause is how long to wait.
	Pause time.Duration
	// Lanes is how many requests are in flight at a time.
	Lanes int
}

// MoveKind is a kind of Move.
type MoveKind uint8

// The kinds of moves.
const (
	// MoveEnd: the journey has ended.
	MoveEnd MoveKind = iota
	// MoveRequest: send the call.
	MoveRequest
	// MoveFailed: the request cannot be made, and the call's result says why. It counts as one
	// that has failed, and nothing is sent.
	MoveFailed
	// MovePause: wait for some time.
	MovePause
	// MoveTogether: the moves that follow are requests that are sent at once.
	MoveTogether
	// MoveJoin: none of them is left for this call.
	MoveJoin
)

// JourneyOutcome is how a journey has ended: a closed set.
type JourneyOutcome uint8

// The outcomes of journeys.
const (
	// JourneySuccess: no request of it has failed.
	JourneySuccess JourneyOutcome = iota
	// JourneyFailure: a request of it has failed.
	JourneyFailure
	// JourneyWithheld: a request of it could not be sent within late_after.
	JourneyWithheld
	// JourneyCanceled: the process was stopping.
	JourneyCanceled

	// NumJourneyOutcomes is the size of an array indexed by JourneyOutcome.
	NumJourneyOutcomes = int(iota)
)

// String returns the outcome as it stands in labels.
func (o JourneyOutcome) String() string {
	switch o {
	case JourneySuccess:
		return "success"
	case JourneyFailure:
		return "failure"
	case JourneyWithheld:
		return "withheld"
	case JourneyCanceled:
		return "canceled"
	default:
		return "unknown"
	}
}

// begin begins the journey of a slot whose first request has passed the limits. If the slot is
// paired, the journey is the first half of its pair.
func (r *runner) begin(f *flight, paired bool) {
	f.failed, f.admitted = false, true
	if e := &r.sc.Entries[f.entry]; paired {
		f.beginPair(e.Pairs.Begin(f.slot))
	} else {
		f.journey = e.Script.Begin(f.slot)
		r.sc.Recorder.JourneyBegan(int(f.entry))
	}
	f.advance()
}

// beginAside begins a journey in its own goroutine. There are at most as many of these as
// requests may be in flight.
func (r *runner) beginAside(f *flight, paired bool) {
	client := r.sc.Client
	r.begin(f, paired)
	client.Flush()
}

// advance goes on with the journey: it sends the next request, or several, or waits, or ends.
func (f *flight) advance() {
	for !f.runner.ends() {
		switch m := f.journey.Next(&f.call); m.Kind {
		case MoveRequest:
			f.try()
			return
		case MoveFailed:
			f.unsent()
		case MovePause:
			f.release()
			f.due = f.due.Add(m.Pause)
			f.ready = false
			if !f.runner.pauses.add(&f.lane, f.due) {
				f.leave(JourneyCanceled)
			}
			return
		case MoveTogether:
			f.spread(m.Lanes)
			return
		default:
			f.leave(f.verdict())
			return
		}
	}
	f.leave(JourneyCanceled)
}

// ends reports whether no more requests may be sent.
func (r *runner) ends() bool { return r.cut.Load() || r.pauses.over() }

func (f *flight) verdict() JourneyOutcome {
	if f.failed {
		return JourneyFailure
	}
	return JourneySuccess
}

// admitStep reports whether one more step of a flight may be sent, and counts it as in flight.
func (r *runner) admitStep(f *flight, now reading) (WithheldReason, bool) {
	if !r.enterFlight() {
		return WithheldInFlight, false
	}
	if f.pair.spend() {
		return 0, true
	}
	if !r.gate.step(now.mono.Sub(r.begun), r.pacer.arcs.Arc(now.wall).Ratio()) {
		r.leaveFlight()
		return WithheldRateCap, false
	}
	return 0, true
}

// requestEnded reports the end of the lane's request to the journey, and records it.
func (l *lane) requestEnded() {
	l.flight.journey.RequestEnded(&l.call)
	l.exchanged()
}

// stepEnded goes on when a request of the journey has ended.
func (l *lane) stepEnded() {
	f := l.flight
	client := f.runner.sc.Client
	if g := f.group; g != nil {
		g.mu.Lock()
		l.requestEnded()
		g.mu.Unlock()
		l.release()
		l.next()
	} else {
		l.requestEnded()
		l.release()
		f.advance()
	}
	client.Flush()
}

// leave ends the journey and with it the slot, unless the other half of a pair follows.
func (f *flight) leave(o JourneyOutcome) {
	r := f.runner
	f.release()
	f.journey.Close(o)
	f.traceJourney(o)
	f.journey = nil
	f.clear()
	if f.pair != nil {
		if f.leaveHalf(o) {
			f.advance()
			return
		}
		f.pair = nil
	} else {
		r.sc.Recorder.JourneyEnded(int(f.entry), o, max(0, f.last.Sub(f.planned.mono)))
	}
	r.journeys.Add(-1)
	r.finish(f)
}
