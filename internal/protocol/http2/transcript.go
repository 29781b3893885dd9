package http2

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
)

// transcriptBody is how much of a body a transcript shows, in bytes.
const transcriptBody = 64 << 10

// Exchange makes one exchange, waits for it, and writes it to w for people to read: the
// request and the answer, with up to 64 KiB of their bodies, the connection and the
// outcome. It returns soon after ctx ends. Credentials are hidden, and so are control
// characters, so that an answer cannot play tricks on a terminal. Errors of w are
// ignored.
func (c *Client) Exchange(ctx context.Context, r protocol.Request, w io.Writer) protocol.Result {
	t := new(transcript)
	call := &protocol.Call{Request: r}
	done := make(chan struct{})
	call.Done = func() { close(done) }
	j := job{call: call, start: time.Now(), notes: t}
	t.request(c, r, j.start)
	c.launch(&j)
	c.Flush()
	var result protocol.Result
	select {
	case <-done:
		result = call.Result
	case <-ctx.Done():
		err := ctx.Err()
		result = protocol.Result{Sent: j.start, Done: time.Now(), Reason: reasonOf(err), Err: err}
	}
	t.outcome(result)
	_, _ = io.WriteString(w, t.text()) // There is nobody to tell.
	return result
}

// transcript writes an exchange down. What is told to a nil transcript is forgotten, so
// that an exchange without one pays nothing. Safe for concurrent use.
type transcript struct {
	mu     sync.Mutex
	b      bytes.Buffer
	header http.Header
	// shown and received count the bytes of the answer's body.
	shown, received int
}

// text returns what has been written.
func (t *transcript) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// request writes the request.
func (t *transcript) request(c *Client, r protocol.Request, now time.Time) {
	if r.Entry < 0 || r.Entry >= len(c.entries) {
		return
	}
	e := &c.entries[r.Entry]
	h := e.shown.Header.Clone()
	if auth := c.auth.Get(now); e.credential && auth != nil {
		h["Authorization"] = auth
	}
	if c.slot {
		h.Set(httpmix.SlotHeader, string(httpmix.AppendSlot(nil, r)))
	}
	if c.trace.Traced(r) {
		h[httpmix.TraceHeader] = []string{string(httpmix.AppendTraceparent(nil, r, c.trace))}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(&t.b, "> %s %s\n> Host: %s\n", e.shown.Method, pathOf(e.shown.URL), printable(e.shown.Host))
	t.fields(">", h)
	if len(e.body) > 0 {
		fmt.Fprintf(&t.b, "> Content-Length: %d\n", len(e.body))
	}
	fmt.Fprintln(&t.b, ">")
	if len(e.body) > 0 {
		fmt.Fprintln(&t.b, printable(string(e.body[:min(len(e.body), transcriptBody)])))
	}
}

// connection writes the facts of the connection that the request is sent on.
func (t *transcript) connection(c *conn) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	kind := "new"
	if c.used {
		kind = "kept"
	}
	fmt.Fprintf(&t.b, "* %s connection from %s to %s\n", kind, c.net.LocalAddr(), c.net.RemoteAddr())
	if p := c.ready.Phases; !c.used {
		fmt.Fprintf(&t.b, "* resolved in %s, connected in %s, TLS in %s\n", round(p.DNS), round(p.Connect), round(p.TLS))
	}
	if c.ready.TLS != nil {
		t.security(c.ready.TLS.ConnectionState())
	}
}

// security writes the facts of TLS.
func (t *transcript) security(s tls.ConnectionState) {
	fmt.Fprintf(&t.b, "* %s, %s, protocol %q\n", tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), s.NegotiatedProtocol)
	if len(s.PeerCertificates) > 0 {
		leaf := s.PeerCertificates[0]
		fmt.Fprintf(&t.b, "* certificate %q for %q by %q, valid until %s\n", leaf.Subject, leaf.DNSNames, leaf.Issuer,
			leaf.NotAfter.UTC().Format(time.RFC3339))
	}
}

// field takes a field of the answer's head or trailers.
func (t *transcript) field(name, value []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.header == nil {
		t.header = make(http.Header)
	}
	t.header.Add(string(name), string(value))
}

// head writes the fields that came: a head with its status, or trailers without one.
func (t *transcript) head(status int) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if status != 0 {
		fmt.Fprintf(&t.b, "< HTTP/2.0 %s\n", strings.TrimSpace(strconv.Itoa(status)+" "+http.StatusText(status)))
	} else if t.shown > 0 {
		fmt.Fprintln(&t.b)
	}
	delete(t.header, ":status")
	t.fields("<", t.header)
	fmt.Fprintln(&t.b, "<")
	t.header = nil
}

// fields writes a header in the order of its names.
func (t *transcript) fields(prefix string, h http.Header) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			if value != "" {
				fmt.Fprintf(&t.b, "%s %s: %s\n", prefix, printable(name), hide(name, printable(value)))
			}
		}
	}
}

// body writes a piece of the answer's body, up to the bound.
func (t *transcript) body(piece []byte) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.received += len(piece)
	show := piece[:min(len(piece), transcriptBody-t.shown)]
	t.shown += len(show)
	fmt.Fprint(&t.b, printable(string(show)))
}

// outcome writes how it ended.
func (t *transcript) outcome(r protocol.Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shown > 0 {
		fmt.Fprintln(&t.b)
	}
	if t.shown < t.received {
		fmt.Fprintf(&t.b, "* %d bytes more not shown\n", t.received-t.shown)
	}
	fmt.Fprintf(&t.b, "* %d bytes of body in %s\n", t.received, round(r.Service()))
	if r.Failed() {
		fmt.Fprintf(&t.b, "* failed: %s: %s\n", r.Reason, printable(r.Err.Error()))
		return
	}
	fmt.Fprintln(&t.b, "* as expected")
}

// hide returns the value of a header as it may be shown.
func hide(name, value string) string {
	switch http.CanonicalHeaderKey(name) {
	case "Authorization", "Proxy-Authorization":
		kind, _, _ := strings.Cut(value, " ")
		return kind + " <hidden>"
	case "Cookie", "Set-Cookie":
		return "<hidden>"
	}
	return value
}

// printable returns the text with control characters, which a terminal would obey, as
// dots. Bytes that are not UTF-8 come out as the replacement character.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		control := r < ' ' || (0x7f <= r && r < 0xa0)
		if control && r != '\n' && r != '\t' {
			return '.'
		}
		return r
	}, s)
}

// round leaves of a duration what people read.
func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
