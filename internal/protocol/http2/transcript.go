package http2

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/transcript"
)

// Exchange makes one exchange, waits for it, and writes it to w for people to read: the
// request and the answer, with up to 64 KiB of their bodies, the connection and the
// outcome. It returns soon after ctx ends. Credentials are hidden, and so are control
// characters, so that an answer cannot play tricks on a terminal. Errors of w are
// ignored.
func (c *Client) Exchange(ctx context.Context, r protocol.Request, w io.Writer) protocol.Result {
	return transcript.Exchange(ctx, r, w, func(call *protocol.Call, t *transcript.Transcript, now time.Time) {
		c.noteRequest(t, r, now)
		c.launch(&job{call: call, start: now, notes: &notes{t: t}})
		c.Flush()
	})
}

// noteRequest writes the request down.
func (c *Client) noteRequest(t *transcript.Transcript, r protocol.Request, now time.Time) {
	if r.Entry < 0 || r.Entry >= len(c.entries) {
		return
	}
	e := &c.entries[r.Entry]
	h := c.varying.Header(e.shown.Header, r, now)
	t.Request(e.shown.Method, pathOf(e.shown.URL), e.shown.Host, h, e.body)
}

// notes writes an answer down. Nil notes write nothing.
type notes struct {
	t      *transcript.Transcript
	header http.Header
}

// connection writes the facts of the connection that the request is sent on.
func (n *notes) connection(c *conn) {
	if n != nil {
		n.t.Connection(c.used, c.net, c.ready.Phases, c.ready.TLS)
	}
}

// field takes a field of the answer's head or trailers.
func (n *notes) field(name, value []byte) {
	if n.header == nil {
		n.header = make(http.Header)
	}
	n.header.Add(string(name), string(value))
}

// head writes the fields that came: a head with its status, or trailers without one.
func (n *notes) head(status int) {
	if n == nil {
		return
	}
	line := ""
	if status != 0 {
		line = strings.TrimSpace("HTTP/2.0 " + strconv.Itoa(status) + " " + http.StatusText(status))
	}
	delete(n.header, ":status")
	n.t.Head(line, n.header)
	n.header = nil
}

// body writes a piece of the answer's body.
func (n *notes) body(p []byte) {
	if n != nil {
		n.t.Body(p)
	}
}
