// Package transcript writes exchanges over HTTP down for people to read, whichever client
// makes them. Credentials are hidden, and so are control characters, so that a response
// cannot play tricks on a terminal.
package transcript

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// MaxBody is how much of a body a transcript shows, in bytes.
const MaxBody = 64 << 10

// Transcript is what is written of one exchange, as its tap. The zero Transcript is empty.
// Safe for concurrent use.
type Transcript struct {
	// Limit is how much of a body it shows, in bytes; 0 stands for MaxBody.
	Limit int

	mu sync.Mutex
	b  bytes.Buffer
	// shown and received count the bytes of the present response's body, and total those of
	// the ones before.
	shown, received, total int
}

var _ protocol.Tap = (*Transcript)(nil)

// String returns what has been written.
func (t *Transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

func (t *Transcript) limit() int { return cmp.Or(t.Limit, MaxBody) }

// Request implements protocol.Tap.
func (t *Transcript) Request(h protocol.Head, body []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.head(">", h)
	if len(body) > 0 {
		fmt.Fprintln(&t.b, printable(string(body[:min(len(body), t.limit())])))
	}
	if more := len(body) - t.limit(); more > 0 {
		fmt.Fprintf(&t.b, "* %d bytes more not shown\n", more)
	}
}

// Connection implements protocol.Tap.
func (t *Transcript) Connection(c protocol.Connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endBody()
	kind := "new"
	if c.Reused {
		kind = "kept"
	}
	fmt.Fprintf(&t.b, "* %s connection from %s to %s\n", kind, c.Local, c.Remote)
	if !c.Reused {
		p := c.Phases
		fmt.Fprintf(&t.b, "* resolved in %s, connected in %s, TLS in %s\n", round(p.DNS), round(p.Connect), round(p.TLS))
	}
	if c.TLS != nil {
		t.security(*c.TLS)
	}
}

// security writes the facts of TLS.
func (t *Transcript) security(s tls.ConnectionState) {
	fmt.Fprintf(&t.b, "* %s, %s, protocol %q\n", tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), s.NegotiatedProtocol)
	if len(s.PeerCertificates) > 0 {
		leaf := s.PeerCertificates[0]
		fmt.Fprintf(&t.b, "* certificate %q for %q by %q, valid until %s\n", leaf.Subject, leaf.DNSNames, leaf.Issuer,
			leaf.NotAfter.UTC().Format(time.RFC3339))
	}
}

// Response implements protocol.Tap.
func (t *Transcript) Response(h protocol.Head) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h.Line == "" && t.shown > 0 { // Trailers.
		fmt.Fprintln(&t.b)
	}
	t.head("<", h)
}

// head writes a head.
func (t *Transcript) head(prefix string, h protocol.Head) {
	if h.Line != "" {
		fmt.Fprintf(&t.b, "%s %s\n", prefix, printable(h.Line))
	}
	for _, f := range h.Fields {
		fmt.Fprintf(&t.b, "%s %s: %s\n", prefix, printable(f.Name), hide(f))
	}
	fmt.Fprintln(&t.b, prefix)
}

// Body implements protocol.Tap.
func (t *Transcript) Body(piece []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.received += len(piece)
	show := piece[:min(len(piece), t.limit()-t.shown)]
	t.shown += len(show)
	fmt.Fprint(&t.b, printable(string(show)))
}

// endBody ends the response's body, if there was one.
func (t *Transcript) endBody() {
	if t.shown > 0 {
		fmt.Fprintln(&t.b)
	}
	if t.shown < t.received {
		fmt.Fprintf(&t.b, "* %d bytes more not shown\n", t.received-t.shown)
	}
	t.total += t.received
	t.shown, t.received = 0, 0
}

// Outcome writes how the exchange ended.
func (t *Transcript) Outcome(r protocol.Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endBody()
	fmt.Fprintf(&t.b, "* %d bytes of body in %s\n", t.total, round(r.Service()))
	if r.Failed() {
		fmt.Fprintf(&t.b, "* failed: %s: %s\n", r.Reason, printable(r.Err.Error()))
		return
	}
	fmt.Fprintln(&t.b, "* as expected")
}

// hide returns the value of a field as it may be shown.
func hide(f protocol.Field) string {
	if kind, _, ok := strings.Cut(f.Value, " "); ok && strings.HasSuffix(strings.ToLower(f.Name), "authorization") {
		return printable(kind) + " <hidden>"
	}
	if f.Secret || protocol.SecretName(f.Name) {
		return "<hidden>"
	}
	return printable(f.Value)
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
