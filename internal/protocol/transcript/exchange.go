package transcript

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Exchange makes one exchange with a client, waits for it, and writes its transcript to w.
// It returns soon after ctx ends. Errors of w are ignored. Safe for concurrent use if w is.
func Exchange(ctx context.Context, c protocol.Client, r protocol.Request, w io.Writer) protocol.Result {
	x := Begin(c, &protocol.Call{Request: r})
	x.Wait(ctx)
	result, text := x.End(nil)
	_, _ = io.WriteString(w, text) // There is nobody to report it to.
	return result
}

// Running is an exchange in flight, with its transcript. Make it with Begin, then call Wait, then
// End.
type Running struct {
	t     Transcript
	call  *protocol.Call
	begin time.Time
	done  chan struct{}
	// given is why the exchange was given up; nil if it has ended.
	given error
}

// Begin begins the exchange of a call. It sets Done, and notifies the call's Tap, if there is one,
// as well.
func Begin(c protocol.Client, call *protocol.Call) *Running {
	x := &Running{call: call, begin: time.Now(), done: make(chan struct{})}
	call.Done = func() { close(x.done) }
	if call.Tap == nil {
		call.Tap = &x.t
	} else {
		call.Tap = protocol.Both{call.Tap, &x.t}
	}
	c.Start(call)
	c.Flush()
	return x
}

// Wait returns when the exchange has ended, or soon after ctx does, which gives it up: the call then
// stays with the client.
func (x *Running) Wait(ctx context.Context) {
	select {
	case <-x.done:
	case <-ctx.Done():
		x.given = ctx.Err()
	}
}

// GivenUp reports whether Wait returned before the exchange had ended.
func (x *Running) GivenUp() bool { return x.given != nil }

// End returns how the exchange has ended, and its transcript. Before that took, if not nil, may
// change the result of a call that was not given up.
func (x *Running) End(took func(*protocol.Call)) (protocol.Result, string) {
	var result protocol.Result
	if x.given == nil {
		if took != nil {
			took(x.call)
		}
		result = x.call.Result
	} else {
		result = protocol.Result{Sent: x.begin, Done: time.Now(), Reason: protocol.ReasonCanceled, Err: x.given}
		if errors.Is(x.given, context.DeadlineExceeded) {
			result.Reason = protocol.ReasonTimeout
		}
	}
	x.t.Outcome(result)
	return result, x.t.String()
}
