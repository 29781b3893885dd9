// Package protocol is the seam between the engine, which knows when a request
// is due, and the wire, which knows how to make one. It holds the interface, its
// values and the closed set of reasons for failure; each protocol lives in a
// folder of its own below. It knows nothing of scenarios, rates or metrics.
package protocol

import (
	"time"
)

// Client sends the requests of one scenario.
//
// A Client is built with every entry of the scenario's mix prepared, so that Start
// has nothing left to parse. Implementations never panic.
type Client interface {
	// Start begins an exchange and returns without waiting for the response, nor for
	// anything else outside of this machine: a connection that has to be made first, a
	// peer that does not read. Call.Done is called exactly once, when the exchange has
	// ended: within the client's timeout, whatever happens. What Start has begun may
	// stay unwritten until Flush. Safe for concurrent use.
	Start(c *Call)
	// Flush writes what earlier calls of Start by this goroutine have left unwritten, so
	// that requests that are due together can share a write. It does not wait either.
	Flush()
	// Close ends the calls in flight, as ReasonCanceled, and releases all that the client
	// holds. Requests that are started later fail as canceled as well. It may be called
	// again.
	Close()
}

// Call is one exchange: what to send, and then how it went. A Call may be used again
// once Done has been called; until then it belongs to the client.
type Call struct {
	Request Request
	// Message, if not nil, is sent in place of the entry as it was prepared; its type is the
	// protocol's own. The entry still says which response is expected.
	Message any
	// Deadline is when the exchange has to have ended; zero leaves that to the client's own
	// timeout.
	Deadline time.Time
	// Tap, if not nil, is shown the exchange as it goes. Without one that costs nothing.
	Tap Tap
	// Late, if not nil, is asked for a tap when the exchange turns out to fail for a reason, and
	// with ReasonNone when the head of an expected response has come, which may be late. So
	// exchanges that nobody wants to see pay nothing for a tap. It may return nil. See Join.
	Late func(r Reason, now time.Time) Tap
	// Admit is asked before a call puts more than its first request on the wire, and counts
	// what it admits; nil admits everything. It may be called by any goroutine, and does not
	// block.
	Admit func(Extra) bool
	// Result is set before Done is called.
	Result Result
	// Done reports that the exchange has ended. It may be called by any goroutine, Start's
	// caller included, and must be quick: other responses wait for it. Set it once.
	Done func()
}

// EndsBy returns when the exchange has to have ended that begins now, with a client whose own
// timeout is this.
func (c *Call) EndsBy(now time.Time, timeout time.Duration) time.Time {
	if c.Deadline.IsZero() {
		return now.Add(timeout)
	}
	return c.Deadline
}

// Admits reports whether the call may put one more request on the wire.
func (c *Call) Admits(e Extra) bool { return c.Admit == nil || c.Admit(e) }

// Join asks for a late tap and adds it to the call's own. The client shows the returned tap
// the connection and the request, which it has missed; it is nil if there is none.
func (c *Call) Join(r Reason, now time.Time) Tap {
	if c.Late == nil {
		return nil
	}
	late := c.Late(r, now)
	switch {
	case late == nil:
	case c.Tap == nil:
		c.Tap = late
	default:
		c.Tap = Both{c.Tap, late}
	}
	return late
}

// Finish sets the result and calls Done.
func (c *Call) Finish(r Result) {
	c.Result = r
	c.Done()
}

// Extra is a request on the wire beyond the first one of its slot: a closed set.
type Extra uint8

const (
	// Retry is the same request once more, on another connection, since the one that it was
	// sent on ended without a response.
	Retry Extra = iota
	// Redirect is the request that a response asked for.
	Redirect
	// Step is a further request of a journey, a call of its own.
	Step
	// TransparentRetry is a Retry that the server asked for gracefully: it has not processed the
	// request, but others on the same connection.
	TransparentRetry

	// NumExtras is the size of an array indexed by Extra.
	NumExtras = int(iota)
)

// String returns the extra as it stands in labels, which do not distinguish the kinds of
// retries.
func (e Extra) String() string {
	switch e {
	case Retry, TransparentRetry:
		return "retry"
	case Redirect:
		return "redirect"
	case Step:
		return "step"
	default:
		return "unknown"
	}
}

// Request says which of a client's prepared entries to send, for which slot.
type Request struct {
	// Entry is the index of the request in the scenario's mix.
	Entry int
	// Scenario, Segment and Seq are the identity of the slot, for the wire.
	Scenario string
	Segment  string
	Seq      uint64
	// Trace and Span identify the request in W3C trace context.
	Trace [16]byte
	Span  [8]byte
	// Sampled asks the target to keep the trace.
	Sampled bool
}

// Result is the outcome of one exchange.
type Result struct {
	// Sent is the moment at which the exchange began: the write of the request,
	// or, where a connection had to be made first, the start of making it. So a
	// target that is slow to accept is counted in the service time, and the
	// delay before Sent is the generator's own.
	Sent time.Time
	// Done is the moment of the last byte of the response, or of the failure.
	Done time.Time
	// Code is the protocol's own code for the response (HTTP's "200", gRPC's "OK"),
	// from a set that the protocol closes; empty where there was no response.
	Code string
	// Reason says why the request failed; ReasonNone if it did not.
	Reason Reason
	// Err is the error behind a failure, for people. Its text is never a label.
	Err error
}

// Service is the time from the start of the exchange to its end.
func (r Result) Service() time.Duration { return r.Done.Sub(r.Sent) }

// Failed reports whether the request failed, for whatever reason.
func (r Result) Failed() bool { return r.Reason != ReasonNone }

// The protocols that are spoken on connections, by their names in ALPN.
const (
	HTTP1 = "http/1.1"
	HTTP2 = "h2"
	HTTP3 = "h3"
)

// Phases are the durations of the steps that made a connection, and the protocol spoken on
// it. A step that was not needed (no name to resolve, no TLS) is zero.
type Phases struct {
	// Protocol is one of the constants.
	Protocol string

	DNS     time.Duration
	Connect time.Duration
	TLS     time.Duration
}

// ConnObserver receives the events of a client's connections, which do not belong to single
// requests: they are shared, made ahead and outlive them. Implementations are safe for
// concurrent use and do not block.
type ConnObserver interface {
	// Resolved is called for each attempt to resolve a name, with how long it took and how
	// it failed, if it did.
	Resolved(took time.Duration, err error)
	// Outdated is called for each connection that is made to an address that is older than
	// it should be, since the name could not be resolved again.
	Outdated()
	// FileFailed is called for each look at the files of a credential or certificates that
	// fails, so that the last good value holds, and once a second while one does not end.
	FileFailed()
	// Opened is called once for each connection that is ready for requests.
	Opened(p Phases)
	// Closed is called once for each opened connection when it is gone.
	Closed()
	// Transferred adds bytes written to and read from connections, as seen by the
	// network: with TLS, headers and framing.
	Transferred(sent, received int)
}

// Discard is a ConnObserver that keeps nothing.
type Discard struct{}

var _ ConnObserver = Discard{}

// Resolved implements ConnObserver.
func (Discard) Resolved(time.Duration, error) {}

// Outdated implements ConnObserver.
func (Discard) Outdated() {}

// FileFailed implements ConnObserver.
func (Discard) FileFailed() {}

// Opened implements ConnObserver.
func (Discard) Opened(Phases) {}

// Closed implements ConnObserver.
func (Discard) Closed() {}

// Transferred implements ConnObserver.
func (Discard) Transferred(int, int) {}
