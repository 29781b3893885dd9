package transcript

import (
	"context"
	"io"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// Exchange makes one exchange, waits for it, and writes its transcript to w. start begins
// it, at now, and sees that it is told to t. Exchange returns soon after ctx ends. Errors
// of w are ignored. Safe for concurrent use if w is.
func Exchange(ctx context.Context, r protocol.Request, w io.Writer, start func(c *protocol.Call, t *Transcript, now time.Time)) protocol.Result {
	t := new(Transcript)
	done := make(chan struct{})
	call := &protocol.Call{Request: r, Done: func() { close(done) }}
	begin := time.Now()
	start(call, t, begin)
	var result protocol.Result
	select {
	case <-done:
		result = call.Result
	case <-ctx.Done():
		err := ctx.Err()
		result = protocol.Result{Sent: begin, Done: time.Now(), Reason: dial.Reason(err), Err: err}
	}
	t.Outcome(result)
	_, _ = io.WriteString(w, t.String()) // There is nobody to tell.
	return result
}
