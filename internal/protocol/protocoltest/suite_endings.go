package protocoltest

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// ending is a whole response of HTTP/1.1, and what comes of it if the connection ends with its
// last byte.
type ending struct {
	name, method, text string
	want               protocol.Reason
	code               string
}

// endings are responses that end in all ways that there are.
func endings() []ending {
	const chunked = status200 + "Transfer-Encoding: chunked\r\n\r\n"
	return []ending{
		{"a length", "GET", status200 + ok, protocol.ReasonNone, "200"},
		{"a length, and the end announced", "GET", status200 + "Connection: close\r\n" + ok, protocol.ReasonNone, "200"},
		{"a length of nothing", "GET", status200 + "Content-Length: 0\r\n\r\n", protocol.ReasonNone, "200"},
		{"a long body", "GET", status200 + "Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000), protocol.ReasonNone, "200"},
		{"chunks", "GET", chunked + "2\r\nok\r\n0\r\n\r\n", protocol.ReasonNone, "200"},
		{"chunks with a trailer", "GET", chunked + "2\r\nok\r\n0\r\nX: y\r\n\r\n", protocol.ReasonNone, "200"},
		{"a body until the end", "GET", status200 + "\r\nhello", protocol.ReasonNone, "200"},
		{"a long body until the end", "GET", status200 + "\r\n" + strings.Repeat("x", 100000), protocol.ReasonNone, "200"},
		{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\n\r\nhello", protocol.ReasonNone, "200"},
		{"no body at all", "GET", "HTTP/1.1 204 No Content\r\n\r\n", protocol.ReasonNone, "204"},
		{"a HEAD", "HEAD", status200 + "Content-Length: 100\r\n\r\n", protocol.ReasonNone, "200"},
		{"an interim response before", "GET", "HTTP/1.1 103 Early Hints\r\n\r\n" + status200 + ok, protocol.ReasonNone, "200"},
		{"a failure", "POST", "HTTP/1.1 401 Unauthorized\r\n" + ok, protocol.ReasonStatus, "401"},
		{"a body that is cut off", "GET", status200 + "Content-Length: 3\r\n\r\nok", protocol.ReasonReset, "200"},
		{"chunks that are cut off", "GET", chunked + "2\r\nok\r\n0\r\n", protocol.ReasonReset, "200"},
		{"a head that is cut off", "POST", status200 + "Content-Len", protocol.ReasonReset, ""},
		{"no response", "POST", "", protocol.ReasonReset, ""},
		{"something else", "GET", "-ERR\r\n", protocol.ReasonProtocol, ""},
	}
}

// readsTheEndWithTheResponse has the connection end in the very read that brings the last of
// the response: the bytes that came count, and only then how it ended.
func (s Suite) readsTheEndWithTheResponse(t *testing.T) {
	for _, e := range endings() {
		for _, keep := range []bool{true, false} {
			t.Run(fmt.Sprintf("in the clear/%s, kept %t", e.name, keep), func(t *testing.T) { s.readsLastWords(t, e, keep, io.EOF) })
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				t.Run(fmt.Sprintf("%s/%s, kept %t", tls.VersionName(version), e.name, keep), func(t *testing.T) { s.readsCloseNotify(t, e, keep, version) })
			}
		}
		if e.want == protocol.ReasonNone && !strings.Contains(e.name, "until the end") && e.name != "HTTP/1.0" {
			t.Run("with a reset/"+e.name, func(t *testing.T) { s.readsLastWords(t, e, true, syscall.ECONNRESET) })
		}
	}
}

// check checks a result.
func (e ending) check(t *testing.T, r protocol.Result) {
	t.Helper()
	if r.Reason != e.want || r.Code != e.code {
		t.Fatalf("code %q, reason %q, want %q, %q: %v", r.Code, r.Reason, e.code, e.want, r.Err)
	}
}

// readsLastWords reads the response and an error at once, as an io.Reader may return them.
func (s Suite) readsLastWords(t *testing.T, e ending, keep bool, err error) {
	t.Helper()
	o := Options(t, "http://target.test")
	o.Entries[0].Method, o.KeepAlive, o.Net.Resolver = e.method, keep, Here{}
	conns := 0
	o.Net.DialContext = func(context.Context, string, string) (net.Conn, error) {
		conns++
		return &lastWords{text: []byte(e.text), err: err, asked: make(chan struct{}), ended: make(chan struct{})}, nil
	}
	c := s.client(t, o)
	for range 3 {
		e.check(t, c.do(protocol.Request{}))
	}
	if conns != 3 {
		t.Errorf("%d connections for 3 requests", conns)
	}
}

// lastWords is a connection to a server that responds to its only request with a string
// whose last bytes come together with an error.
type lastWords struct {
	text         []byte
	err          error
	mu           sync.Mutex
	sent         []byte
	asked, ended chan struct{}
	end          sync.Once
}

// Read implements net.Conn.
func (l *lastWords) Read(p []byte) (int, error) {
	select {
	case <-l.asked:
	case <-l.ended:
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p, l.text)
	if l.text = l.text[n:]; len(l.text) > 0 {
		return n, nil
	}
	return n, l.err
}

// Write implements net.Conn.
func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := bytes.Contains(l.sent, []byte("\r\n\r\n"))
	l.sent = append(l.sent, p...)
	if !before && bytes.Contains(l.sent, []byte("\r\n\r\n")) {
		close(l.asked)
	}
	return len(p), nil
}

// Close implements net.Conn.
func (l *lastWords) Close() error {
	l.end.Do(func() { close(l.ended) })
	return nil
}

// SetReadDeadline implements net.Conn: one that has passed ends what waits.
func (l *lastWords) SetReadDeadline(at time.Time) error {
	if !at.IsZero() && time.Until(at) <= 0 {
		return l.Close()
	}
	return nil
}

// SetDeadline implements net.Conn.
func (l *lastWords) SetDeadline(at time.Time) error { return l.SetReadDeadline(at) }

// SetWriteDeadline implements net.Conn.
func (l *lastWords) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr implements net.Conn.
func (l *lastWords) LocalAddr() net.Addr { return new(net.TCPAddr) }

// RemoteAddr implements net.Conn.
func (l *lastWords) RemoteAddr() net.Addr { return new(net.TCPAddr) }

// corked is a connection that holds back writes, so that they go out at once.
type corked struct {
	*net.TCPConn

	held bytes.Buffer
	hold bool
}

// Write implements net.Conn.
func (c *corked) Write(p []byte) (int, error) {
	if c.hold {
		return c.held.Write(p)
	}
	return c.TCPConn.Write(p)
}

// release writes the bytes held back, and ends the sending side. The goodbye of TLS has
// ended the time for writes.
func (c *corked) release() {
	_ = c.SetWriteDeadline(time.Time{})
	_, _ = c.TCPConn.Write(c.held.Bytes())
	_ = c.CloseWrite()
}

// readsCloseNotify has a server whose response and whose goodbye of TLS go out in one write:
// with TLS 1.2 crypto/tls returns them from one Read.
func (s Suite) readsCloseNotify(t *testing.T, e ending, keep bool, version uint16) {
	t.Helper()
	o := secureRaw(t, version, nil, func(over *tls.Conn, under *corked) {
		if !hasRequest(over) {
			return
		}
		under.hold = true
		_, _ = io.WriteString(over, e.text)
		_ = over.CloseWrite()
		under.release()
		_, _ = io.Copy(io.Discard, under.TCPConn)
	})
	o.Entries[0].Method, o.KeepAlive = e.method, keep
	c := s.client(t, o)
	for range 5 {
		e.check(t, c.do(protocol.Request{}))
	}
}

// secureRaw is RawOptions for one version of TLS, and with a hand on the connection below
// it.
func secureRaw(tb testing.TB, version uint16, protos []string, serve func(*tls.Conn, *corked)) httpreq.Options {
	tb.Helper()
	ca := NewAuthority(tb)
	config := ca.ServerConfig(tb, nil)
	config.MinVersion, config.MaxVersion, config.NextProtos = version, version, protos
	o := Options(tb, "https://"+Raw(tb, func(c net.Conn) {
		under := &corked{TCPConn: c.(*net.TCPConn)}
		serve(tls.Server(under, config), under)
		_ = c.Close()
	}))
	o.TLS.CA = ca.PEM
	return o
}

// takesResponsesDuringUploads has servers of HTTP/1.1 refuse an upload that has just begun, and
// end the connection in all ways: the response is the outcome, each time.
func (s Suite) takesResponsesDuringUploads(t *testing.T) {
	const uploads = 10 // Of each kind: some hundreds together.
	for _, test := range []struct {
		name string
		end  func(c net.Conn, tcp *net.TCPConn)
	}{
		{"and closes, without reading the rest", func(c net.Conn, _ *net.TCPConn) { _ = c.Close() }},
		{"and resets the connection", func(_ net.Conn, tcp *net.TCPConn) { _ = tcp.SetLinger(0) }},
		{"and ends its side, and reads on", func(_ net.Conn, tcp *net.TCPConn) {
			_ = tcp.CloseWrite()
			_, _ = io.Copy(io.Discard, tcp)
		}},
		{"and reads on", func(c net.Conn, _ *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }},
		{"and reads some of it before it closes", func(c net.Conn, _ *net.TCPConn) {
			_, _ = io.CopyN(io.Discard, c, 1<<20)
			_ = c.Close()
		}},
	} {
		for _, secure := range []bool{false, true} {
			for code, text := range map[string]string{
				"413": "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n" + ok,
				"401": "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
			} {
				t.Run(fmt.Sprintf("%s %s, TLS %t", code, test.name, secure), func(t *testing.T) {
					serve := func(c net.Conn, tcp *net.TCPConn) {
						if hasRequest(c) {
							_, _ = io.WriteString(c, text)
							test.end(c, tcp)
						}
					}
					bothBodies(t, 3<<20, func(t *testing.T, upload func(*httpreq.Entry)) {
						o := rawUpload(t, secure, serve)
						upload(&o.Entries[0])
						c := s.client(t, o)
						for i := range uploads {
							if r := c.do(protocol.Request{}); r.Code != code || r.Reason != protocol.ReasonStatus {
								t.Fatalf("upload %d: code %q, reason %q: %v", i, r.Code, r.Reason, r.Err)
							}
						}
					})
				})
			}
		}
	}
}

// rawUpload returns options for a request to a server that is served by hand.
func rawUpload(t *testing.T, secure bool, serve func(c net.Conn, tcp *net.TCPConn)) httpreq.Options {
	t.Helper()
	var o httpreq.Options
	if secure {
		o = secureRaw(t, tls.VersionTLS12, nil, func(over *tls.Conn, under *corked) { serve(over, under.TCPConn) })
	} else {
		o = Options(t, "http://"+Raw(t, func(c net.Conn) {
			serve(c, c.(*net.TCPConn))
			_ = c.Close()
		}))
	}
	return o
}
