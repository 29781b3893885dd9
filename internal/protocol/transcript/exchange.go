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
	return Run(ctx, c, &protocol.Call{Request: r}, nil, w)
}

// Run is an Exchange of a call whose Done it sets, and whose Tap, if there is one, is told as
// well. When the call has ended, took, if not nil, may change its result.
func Run(ctx context.Context, c protocol.Client, call *protocol.Call, took func(*protocol.Call), w io.Writer) protocol.Result {
	t := new(Transcript)
	done := make(chan struct{})
	call.Done = func() { close(done) }
	if call.Tap == nil {
		call.Tap = t
	} else {
		call.Tap = protocol.Both{call.Tap, t}
	}
	begin := time.Now()
	c.Start(call)
	c.Flush()
	var result protocol.Result
	select {
	case <-done:
		if took != nil {
			took(call)
		}
		result = call.Result
	case <-ctx.Done():
		result = protocol.Result{Sent: begin, Done: time.Now(), Reason: protocol.ReasonCanceled, Err: ctx.Err()}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			result.Reason = protocol.ReasonTimeout
		}
	}
	t.Outcome(result)
	_, _ = io.WriteString(w, t.String()) // There is nobody to tell.
	return result
}
