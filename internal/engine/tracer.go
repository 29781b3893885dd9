package engine

import (
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Tracer is shown the requests and journeys of sampled slots when they have ended. Implementations
// are safe for concurrent use and comparable. They are called on the sending path and must not block.
type Tracer interface {
	// Exchanged is called with each request that has ended. The target was sent the Trace and the
	// Span of its Request.
	Exchanged(s Span, o Outcome)
	// JourneyEnded is called with each journey that has ended, the candidate's half of a pair included.
	// Its span is the Parent of those of its requests.
	JourneyEnded(s Span, o JourneyOutcome)
}

// Span is the place of a request or a journey in a trace.
type Span struct {
	// Request has the slot, the trace and the span.
	Request protocol.Request
	// Parent is the span of the request's journey; zero for a slot that is one fixed request, and for a
	// journey.
	Parent [8]byte
	// Entry is the index in the scenario's mix.
	Entry int
	// Start is when it was due, and End when it ended, on the wall clock.
	Start, End time.Time
}

// beginTrace begins a trace. Its requests have spans of their own.
func (f *flight) beginTrace() {
	putRandom(f.call.Request.Trace[:8])
	putRandom(f.call.Request.Trace[8:])
	if f.call.Request.Sampled {
		putRandom(f.root[:])
	}
}

// trace shows the tracer a request that has ended.
func (l *lane) trace(o Outcome) {
	f := l.flight
	if t := f.runner.sc.Tracer; t != nil && o.Sampled {
		s := Span{Request: l.call.Request, Entry: int(f.entry), Start: f.planned.on(l.due), End: f.planned.on(o.Result.Done)}
		if f.journey != nil {
			s.Parent = f.root
		}
		t.Exchanged(s, o)
	}
}

// traceJourney shows the tracer the journey, which has ended.
func (f *flight) traceJourney(o JourneyOutcome) {
	if t := f.runner.sc.Tracer; t != nil && f.call.Request.Sampled {
		s := Span{Request: f.call.Request, Entry: int(f.entry), Start: f.planned.on(f.begunAt()), End: f.planned.on(f.last)}
		s.Request.Span = f.root
		t.JourneyEnded(s, o)
	}
}

// begunAt returns when the present journey was due, on the monotonic clock.
func (f *flight) begunAt() time.Time {
	if f.pair != nil {
		return f.pair.due
	}
	return f.planned.mono
}
