package httpstd

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
)

// The bounds that no option sets.
const (
	// idleTimeout closes connections that nobody used for so long.
	idleTimeout = 90 * time.Second
	// pingAfter and pingTimeout find a dead HTTP/2 connection: a PING after so long a
	// silence, and so long to answer it.
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second
	// maxHead is the longest head of an answer, in bytes.
	maxHead = 1 << 20
	// streamWindow is how much of a body an HTTP/2 server may send ahead, in bytes.
	streamWindow = 1 << 20
	// maxRedirects is the longest chain that is followed.
	maxRedirects = 10
)

// newTransport returns net/http's transport with nothing of the environment in it:
// no proxy, no compression, no dialling but ours.
//
// A request that finds all HTTP/2 connections at the server's limit of concurrent
// streams makes a new one rather than wait (StrictMaxConcurrentRequests is off): an
// open loop must not queue. Their number is bounded by connSet.
func newTransport(o httpmix.Options, d *dialer) *http.Transport {
	t := &http.Transport{
		DialContext:            d.plain,
		DialTLSContext:         d.secure,
		DisableKeepAlives:      !o.KeepAlive,
		DisableCompression:     true,
		MaxIdleConns:           o.MaxConns,
		MaxIdleConnsPerHost:    o.MaxConns,
		MaxConnsPerHost:        o.MaxConns,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHead,
		Protocols:              protocols(o.Protocol),
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream: streamWindow,
			SendPingTimeout:           pingAfter,
			PingTimeout:               pingTimeout,
			WriteByteTimeout:          pingAfter + pingTimeout,
		},
	}
	if o.Protocol == httpmix.H2C {
		// In the clear net/http takes the age of an HTTP/2 connection for its idle time
		// and would dial afresh, in the way of a request, each time that it passes. The
		// pings find what is dead.
		t.IdleConnTimeout = 0
	}
	watchHTTP2(t)
	return t
}

// watchHTTP2 puts a tlsStream around the HTTP/2 connections that TLS agreed to.
// net/http reads them through a *tls.Conn, and its errors about them have no types;
// so the connection has to see for itself how it ended. The way in is the one by
// which net/http hands connections in the clear to its own HTTP/2: a *tls.Conn that
// carries another connection. Where a later net/http has no such way, its errors are
// sorted with less knowledge, and nothing else changes.
func watchHTTP2(t *http.Transport) {
	t.CloseIdleConnections() // There are none. It makes net/http fill TLSNextProto.
	handOff, ok := t.TLSNextProto["unencrypted_http2"]
	if _, negotiates := t.TLSNextProto["h2"]; !ok || !negotiates {
		return
	}
	t.TLSNextProto["h2"] = func(authority string, over *tls.Conn) http.RoundTripper {
		under, _ := over.NetConn().(*conn)
		s := &tlsStream{Conn: over, under: under, frames: new(frames)}
		return handOff(authority, tls.Client(carrier{s}, nil))
	}
}

// carrier is how net/http expects a connection inside a *tls.Conn.
type carrier struct {
	*tlsStream
}

// UnencryptedNetConn returns the connection that is carried.
func (c carrier) UnencryptedNetConn() net.Conn { return c.tlsStream }

// protocols returns what net/http may speak.
func protocols(p httpmix.Protocol) *http.Protocols {
	var ps http.Protocols
	ps.SetHTTP1(p == httpmix.Auto || p == httpmix.HTTP1)
	ps.SetHTTP2(p == httpmix.Auto || p == httpmix.HTTP2)
	ps.SetUnencryptedHTTP2(p == httpmix.H2C)
	return &ps
}

// nextProtos returns what TLS offers the server.
func nextProtos(p httpmix.Protocol) []string {
	switch p {
	case httpmix.HTTP1:
		return []string{"http/1.1"}
	case httpmix.HTTP2:
		return []string{"h2"}
	default:
		return []string{"h2", "http/1.1"}
	}
}

// limitRedirects ends a chain of redirects that is too long.
func limitRedirects(_ *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errTooManyRedirects
	}
	return nil
}
