package httpmix

import (
	"encoding/hex"
	"net"
	"net/http"
	"strconv"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// The headers that tell who we are, and which slot and trace a request belongs to. The
// second is lower case by its standard.
const (
	SlotHeader  = "Traffic-Slot"
	TraceHeader = "traceparent"
)

// BaseHeader returns the part of the entry's header that is the same for all requests,
// without Host.
func (e Entry) BaseHeader(userAgent string) http.Header {
	h := e.Header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	h.Del("Host")
	if h.Values("User-Agent") == nil {
		h["User-Agent"] = []string{userAgent}
	}
	return h
}

// Authority returns the host that the entry is for, with its port unless it is the
// scheme's own: what stands in Host or :authority.
func (e Entry) Authority() string {
	if e.Host != "" {
		return e.Host
	}
	if host := e.Header.Get("Host"); host != "" {
		return host
	}
	return e.URL.Host
}

// Origin returns where the entry is sent: an address as host:port, and whether TLS is
// spoken there.
func (e Entry) Origin() (addr string, secure bool) {
	secure = e.URL.Scheme == "https"
	port := e.URL.Port()
	switch {
	case port != "":
	case secure:
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(e.URL.Hostname(), port), secure
}

// AppendSlot appends the identity of the slot: <scenario>/<segment>/<seq>.
func AppendSlot(b []byte, r protocol.Request) []byte {
	b = append(b, r.Scenario...)
	b = append(b, '/')
	b = append(b, r.Segment...)
	b = append(b, '/')
	return strconv.AppendUint(b, r.Seq, 10)
}

// Traced reports whether requests tell of their trace.
func (m TraceMode) Traced(r protocol.Request) bool {
	return m != TraceNone && r.Trace != [16]byte{}
}

// AppendTraceparent appends the request's place in a trace as W3C Trace Context writes
// it, version 00: 55 bytes.
func AppendTraceparent(b []byte, r protocol.Request, m TraceMode) []byte {
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, r.Trace[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, r.Span[:])
	if m == TraceSampled {
		return append(b, "-01"...)
	}
	return append(b, "-00"...)
}
