package httpstd

import (
	"context"
	"io"
	"net/http"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/transcript"
)

// Exchange is Do with everything written to w for people to read: the request and
// the answer, with up to 64 KiB of their bodies, the connection and the outcome. Errors
// of w are ignored. Safe for concurrent use if w is.
func (c *Client) Exchange(ctx context.Context, r protocol.Request, w io.Writer) protocol.Result {
	t := new(transcript.Transcript)
	result := c.run(ctx, r, t)
	t.Outcome(result)
	_, _ = io.WriteString(w, t.String()) // There is nobody to tell.
	return result
}

// over returns a round tripper that writes down each round trip over next; next itself
// without a transcript.
func over(next http.RoundTripper, x *exchange, t *transcript.Transcript) http.RoundTripper {
	if t == nil {
		return next
	}
	return &witness{next: next, x: x, t: t}
}

// witness writes down the round trips of an exchange.
type witness struct {
	next http.RoundTripper
	x    *exchange
	t    *transcript.Transcript
}

// RoundTrip implements http.RoundTripper.
func (w *witness) RoundTrip(req *http.Request) (*http.Response, error) {
	w.t.Request(req.Method, req.URL.RequestURI(), req.Host, req.Header, bodyOf(req))
	got := w.x.got
	resp, err := w.next.RoundTrip(req)
	if c := w.x.conn; w.x.got > got && c != nil {
		w.t.Connection(w.x.reused, c, c.phases, w.x.secure)
	}
	if err == nil {
		w.t.Head(resp.Proto+" "+resp.Status, resp.Header)
	}
	return resp, err
}

// bodyOf returns a request's body. A redirect may have taken it away.
func bodyOf(req *http.Request) []byte {
	if req.GetBody == nil || req.ContentLength == 0 {
		return nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil
	}
	all, _ := io.ReadAll(body) // It is a reader over memory.
	return all
}
