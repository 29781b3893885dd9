package http1

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/transcript"
)

// Exchange makes one exchange, waits for it, and writes it to w for people to read: the
// request and the answer, with up to 64 KiB of their bodies, the connection and the
// outcome. It returns soon after ctx ends. Errors of w are ignored.
func (c *Client) Exchange(ctx context.Context, r protocol.Request, w io.Writer) protocol.Result {
	return transcript.Exchange(ctx, r, w, func(call *protocol.Call, t *transcript.Transcript, now time.Time) {
		c.noteRequest(t, r, now)
		c.launch(call, &notes{t: t}) //nolint:contextcheck // What it begins belongs to the client.
	})
}

// noteRequest writes the request down.
func (c *Client) noteRequest(t *transcript.Transcript, r protocol.Request, now time.Time) {
	if r.Entry < 0 || r.Entry >= len(c.entries) {
		return
	}
	e := &c.entries[r.Entry]
	h := c.writer.Header(e.shown.Header, r, now)
	t.Request(e.shown.Method, e.shown.URL.RequestURI(), e.shown.Host, h, e.body)
}

// notes writes an answer down.
type notes struct {
	t    *transcript.Transcript
	line string
	h    http.Header
}

// see takes what the response shows: the lines of heads, of which the last one is empty,
// and pieces of the body.
func (n *notes) see(body bool, p []byte) {
	name, value, isField := bytes.Cut(p, []byte{':'})
	switch {
	case body:
		n.t.Body(p)
	case n.line == "":
		n.line, n.h = string(p), http.Header{}
	case len(p) == 0:
		n.t.Head(n.line, n.h)
		n.line = ""
	case isField:
		n.h.Add(string(name), string(bytes.TrimSpace(value)))
	}
}
