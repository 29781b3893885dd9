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
	t := new(Transcript)
	done := make(chan struct{})
	call := &protocol.Call{Request: r, Tap: t, Done: func() { close(done) }}
	begin := time.Now()
	c.Start(call)
	c.Flush()
	var result protocol.Result
	select {
	case <-done:
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
