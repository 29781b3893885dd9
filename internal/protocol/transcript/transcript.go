// Package transcript writes exchanges over HTTP down for people to read, whichever client
// makes them. Credentials are hidden, and so are control characters, so that an answer
// cannot play tricks on a terminal.
package transcript

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// MaxBody is how much of a body a transcript shows, in bytes.
const MaxBody = 64 << 10

// Transcript is what is written of one exchange. The zero Transcript is empty. What is
// told to a nil Transcript is forgotten, so that an exchange without one pays nothing.
// Safe for concurrent use.
type Transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
	// shown and received count the bytes of the answer's body.
	shown, received int
}

// String returns what has been written.
func (t *Transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// Request writes a request.
func (t *Transcript) Request(method, path, host string, h http.Header, body []byte) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(&t.b, "> %s %s\n> Host: %s\n", method, path, printable(host))
	t.fields(">", h)
	if len(body) > 0 {
		fmt.Fprintf(&t.b, "> Content-Length: %d\n", len(body))
	}
	fmt.Fprintln(&t.b, ">")
	if len(body) > 0 {
		fmt.Fprintln(&t.b, printable(string(body[:min(len(body), MaxBody)])))
	}
}

// Connection writes the facts of the connection that a request is sent on: whether it was
// used before, its ends, how it was made, and its TLS, which is nil in the clear.
func (t *Transcript) Connection(kept bool, c net.Conn, p protocol.Phases, secure *tls.Conn) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	kind := "new"
	if kept {
		kind = "kept"
	}
	fmt.Fprintf(&t.b, "* %s connection from %s to %s\n", kind, c.LocalAddr(), c.RemoteAddr())
	if !kept {
		fmt.Fprintf(&t.b, "* resolved in %s, connected in %s, TLS in %s\n", round(p.DNS), round(p.Connect), round(p.TLS))
	}
	if secure != nil {
		t.security(secure.ConnectionState())
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

// Head writes the head of an answer: its first line and its fields. Trailers have no
// first line.
func (t *Transcript) Head(line string, h http.Header) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if line != "" {
		fmt.Fprintf(&t.b, "< %s\n", printable(line))
	} else if t.shown > 0 {
		fmt.Fprintln(&t.b)
	}
	t.fields("<", h)
	fmt.Fprintln(&t.b, "<")
}

// fields writes a header in the order of its names.
func (t *Transcript) fields(prefix string, h http.Header) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			if value != "" {
				fmt.Fprintf(&t.b, "%s %s: %s\n", prefix, printable(name), hide(name, printable(value)))
			}
		}
	}
}

// Body writes a piece of the answer's body, up to the bound.
func (t *Transcript) Body(piece []byte) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.received += len(piece)
	show := piece[:min(len(piece), MaxBody-t.shown)]
	t.shown += len(show)
	fmt.Fprint(&t.b, printable(string(show)))
}

// Outcome writes how the exchange ended.
func (t *Transcript) Outcome(r protocol.Result) {
	if t == nil {
		return
	}
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
