package httpstd

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// transcriptBody is how much of a body a transcript shows, in bytes.
const transcriptBody = 64 << 10

// Exchange is Do with everything written to w for people to read: the request and
// the answer, with up to 64 KiB of their bodies, the connection and the outcome.
// Credentials are hidden, and so are control characters, so that an answer cannot
// play tricks on a terminal. Errors of w are ignored. Safe for concurrent use if w is.
func (c *Client) Exchange(ctx context.Context, r protocol.Request, w io.Writer) protocol.Result {
	t := &transcript{w: w}
	result := c.run(ctx, r, t)
	t.outcome(result)
	return result
}

// transcript writes an exchange down. Its methods do nothing on a nil transcript, so
// that an exchange without one pays nothing.
type transcript struct {
	w    io.Writer
	x    *exchange
	next http.RoundTripper
	// shown and received count the bytes of the answer's body.
	shown, received int64
}

// over returns a round tripper that writes down each round trip over next; next
// itself without a transcript.
func (t *transcript) over(next http.RoundTripper, x *exchange) http.RoundTripper {
	if t == nil {
		return next
	}
	t.next, t.x = next, x
	return t
}

// RoundTrip implements http.RoundTripper.
func (t *transcript) RoundTrip(req *http.Request) (*http.Response, error) {
	t.request(req)
	got := t.x.got
	resp, err := t.next.RoundTrip(req)
	if t.x.got > got && t.x.conn != nil {
		t.connection()
	}
	if err == nil {
		t.response(resp)
	}
	return resp, err
}

// request writes the request as it was configured; the version of HTTP is not yet
// known.
func (t *transcript) request(req *http.Request) {
	fmt.Fprintf(t.w, "> %s %s\n> Host: %s\n", req.Method, req.URL.RequestURI(), printable(req.Host))
	t.header(">", req.Header)
	if req.ContentLength > 0 {
		fmt.Fprintf(t.w, "> Content-Length: %d\n", req.ContentLength)
	}
	fmt.Fprintln(t.w, ">")
	if text := bodyOf(req); text != "" {
		fmt.Fprintln(t.w, printable(text))
	}
}

// bodyOf returns the beginning of a request's body. A redirect may have taken it away.
func bodyOf(req *http.Request) string {
	if req.GetBody == nil {
		return ""
	}
	body, err := req.GetBody()
	if err != nil {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(body, transcriptBody)) // It is a reader over memory.
	return string(text)
}

// connection writes the facts of the connection.
func (t *transcript) connection() {
	c, kind := t.x.conn, "new"
	if t.x.reused {
		kind = "kept"
	}
	fmt.Fprintf(t.w, "* %s connection from %s to %s\n", kind, c.LocalAddr(), c.RemoteAddr())
	if !t.x.reused {
		p := c.phases
		fmt.Fprintf(t.w, "* resolved in %s, connected in %s, TLS in %s\n", round(p.DNS), round(p.Connect), round(p.TLS))
	}
	if t.x.secure != nil {
		t.security(t.x.secure.ConnectionState())
	}
}

// security writes the facts of TLS.
func (t *transcript) security(s tls.ConnectionState) {
	fmt.Fprintf(t.w, "* %s, %s, protocol %q\n", tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), s.NegotiatedProtocol)
	if len(s.PeerCertificates) > 0 {
		leaf := s.PeerCertificates[0]
		fmt.Fprintf(t.w, "* certificate %q for %q by %q, valid until %s\n", leaf.Subject, leaf.DNSNames, leaf.Issuer,
			leaf.NotAfter.UTC().Format(time.RFC3339))
	}
}

// response writes the head of the answer.
func (t *transcript) response(resp *http.Response) {
	fmt.Fprintf(t.w, "< %s %s\n", resp.Proto, printable(resp.Status))
	t.header("<", resp.Header)
	fmt.Fprintln(t.w, "<")
}

// header writes a header in the order of its names.
func (t *transcript) header(prefix string, h http.Header) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			if value != "" {
				fmt.Fprintf(t.w, "%s %s: %s\n", prefix, printable(name), hide(name, printable(value)))
			}
		}
	}
}

// body writes a piece of the answer's body, up to the bound.
func (t *transcript) body(piece []byte) {
	if t == nil {
		return
	}
	t.received += int64(len(piece))
	show := piece[:min(int64(len(piece)), transcriptBody-t.shown)]
	t.shown += int64(len(show))
	fmt.Fprint(t.w, printable(string(show)))
}

// outcome writes how it ended.
func (t *transcript) outcome(r protocol.Result) {
	if t.shown > 0 {
		fmt.Fprintln(t.w)
	}
	if t.shown < t.received {
		fmt.Fprintf(t.w, "* %d bytes more not shown\n", t.received-t.shown)
	}
	fmt.Fprintf(t.w, "* %d bytes of body in %s\n", t.received, round(r.Service()))
	if r.Failed() {
		fmt.Fprintf(t.w, "* failed: %s: %s\n", r.Reason, printable(r.Err.Error()))
		return
	}
	fmt.Fprintln(t.w, "* as expected")
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

// printable returns the text with control characters, which a terminal would obey,
// as dots. Bytes that are not UTF-8 come out as the replacement character.
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
