package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// short is a timeout that tests do wait for.
const short = 50 * time.Millisecond

func TestFailuresOfConnecting(t *testing.T) {
	t.Run("nothing listens there", func(t *testing.T) {
		l := protocoltest.Listen(t)
		_ = l.Close()
		wantReason(t, client(t, protocoltest.Options(t, "http://"+l.Addr().String())), protocol.ReasonRefused)
	})
	t.Run("the name does not resolve", func(t *testing.T) {
		wantReason(t, client(t, protocoltest.Options(t, "http://nowhere.invalid")), protocol.ReasonDNS)
	})
	t.Run("the name server does not answer", func(t *testing.T) {
		o := protocoltest.Options(t, "http://nowhere.test")
		o.ConnectTimeout = short
		r := wantReason(t, dialling(t, o, &net.Dialer{Resolver: &net.Resolver{
			PreferGo: true,
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
		}}), protocol.ReasonDNS)
		if r.Service() < short {
			t.Errorf("took only %s", r.Service())
		}
	})
	t.Run("nobody answers the connect", func(t *testing.T) {
		o := protocoltest.Options(t, "http://127.0.0.1:1")
		o.ConnectTimeout = short
		r := wantReason(t, dialling(t, o, blackhole()), protocol.ReasonConnectTimeout)
		if r.Service() < short {
			t.Errorf("took only %s", r.Service())
		}
	})
	t.Run("the request times out before the connect", func(t *testing.T) {
		o := protocoltest.Options(t, "http://127.0.0.1:1")
		o.Timeout = short
		wantReason(t, dialling(t, o, blackhole()), protocol.ReasonTimeout)
	})
	for _, test := range []struct {
		errno syscall.Errno
		want  protocol.Reason
	}{
		{syscall.EMFILE, protocol.ReasonDenied},
		{syscall.ENFILE, protocol.ReasonDenied},
		{syscall.EACCES, protocol.ReasonDenied},
		{syscall.EPERM, protocol.ReasonDenied},
		{syscall.EADDRNOTAVAIL, protocol.ReasonDenied},
		{syscall.ECONNREFUSED, protocol.ReasonRefused},
		{syscall.EHOSTUNREACH, protocol.ReasonRefused},
		{syscall.ENETUNREACH, protocol.ReasonRefused},
		{syscall.ETIMEDOUT, protocol.ReasonConnectTimeout},
		{syscall.ECONNRESET, protocol.ReasonReset},
	} {
		t.Run("the kernel says "+test.errno.Error(), func(t *testing.T) {
			fail := func(context.Context, string, string, syscall.RawConn) error { return test.errno }
			c := dialling(t, protocoltest.Options(t, "http://127.0.0.1:1"), &net.Dialer{ControlContext: fail})
			wantReason(t, c, test.want)
		})
	}
}

// dialling returns a client that dials with the dialer.
func dialling(t *testing.T, o httpmix.Options, d *net.Dialer) waiting {
	t.Helper()
	c := client(t, o)
	making, err := dial.New(dial.Options{TLS: o.TLS, NextProtos: []string{protocol.HTTP1}, Net: *d})
	if err != nil {
		t.Fatal(err)
	}
	c.dialer = making
	return c
}

// blackhole returns a dialer whose connects get no answer.
func blackhole() *net.Dialer {
	return &net.Dialer{ControlContext: func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
		<-ctx.Done()
		return ctx.Err()
	}}
}

func TestFailuresOfTheHandshake(t *testing.T) {
	t.Run("TLS to a plain port", func(t *testing.T) {
		addr := protocoltest.Raw(t, func(c net.Conn) {
			_, _ = io.ReadFull(c, make([]byte, 5))
			_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		})
		wantReason(t, client(t, protocoltest.Options(t, "https://"+addr)), protocol.ReasonTLS)
	})
	t.Run("the server closes", func(t *testing.T) {
		addr := protocoltest.Raw(t, func(c net.Conn) { _ = c.Close() })
		wantReason(t, client(t, protocoltest.Options(t, "https://"+addr)), protocol.ReasonTLS)
	})
	t.Run("the server says nothing", func(t *testing.T) {
		addr := protocoltest.Raw(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		o := protocoltest.Options(t, "https://"+addr)
		o.ConnectTimeout = short
		wantReason(t, client(t, o), protocol.ReasonConnectTimeout)
	})
	t.Run("the server wants a certificate that there is not", func(t *testing.T) {
		o := flavours()[2].Serve(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) {
			s.TLS.ClientAuth = tls.RequireAnyClientCert
		})
		// With TLS 1.2 the refusal is a part of the handshake; later it is a race.
		o.TLS.MaxVersion = tls.VersionTLS12
		wantReason(t, client(t, o), protocol.ReasonTLS)
	})
}

func TestFailuresOfTheAnswer(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
	for _, test := range []struct {
		name  string
		serve func(net.Conn)
		want  protocol.Reason
		code  string
	}{
		{"closes without an answer", protocoltest.AnswerAndClose(""), protocol.ReasonReset, ""},
		{"closes in the head", protocoltest.AnswerAndClose(head[:20]), protocol.ReasonReset, ""},
		{"closes in the body", protocoltest.AnswerAndClose(head + "half"), protocol.ReasonReset, "200"},
		{"closes in a chunk", protocoltest.AnswerAndClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf"), protocol.ReasonReset, "200"},
		{"resets without an answer", protocoltest.AnswerAndReset("", protocoltest.Now()), protocol.ReasonReset, ""},
		{"says nothing", protocoltest.Answer(""), protocol.ReasonTimeout, ""},
		{"stalls in the head", protocoltest.Answer(head[:20]), protocol.ReasonTimeout, ""},
		{"stalls in the body", protocoltest.Answer(head + "half"), protocol.ReasonTimeout, "200"},
		{"speaks something else", protocoltest.Answer("220 smtp.test ESMTP\r\n"), protocol.ReasonProtocol, ""},
		{"speaks something else and closes", protocoltest.AnswerAndClose("-ERR unknown command\r\n"), protocol.ReasonProtocol, ""},
		{"speaks a header without a colon", protocoltest.Answer("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"), protocol.ReasonProtocol, ""},
		{"speaks two lengths", protocoltest.Answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12"), protocol.ReasonProtocol, ""},
		{"speaks a chunk without a size", protocoltest.Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), protocol.ReasonProtocol, "200"},
		{"speaks an endless head", endless("HTTP/1.1 200 OK\r\n", "X: "+strings.Repeat("y", 8000)+"\r\n"), protocol.ReasonProtocol, ""},
		{"speaks endless 1xx", endless("", "HTTP/1.1 103 Early Hints\r\nX: "+strings.Repeat("y", 8000)+"\r\n\r\n"), protocol.ReasonProtocol, ""},
		{"has status 099", protocoltest.Answer("HTTP/1.1 099 What\r\nContent-Length: 0\r\n\r\n"), protocol.ReasonProtocol, ""},
		{"has status 999", protocoltest.Answer("HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"), protocol.ReasonProtocol, ""},
		{"has status 599", protocoltest.Answer("HTTP/1.1 599 What\r\nContent-Length: 0\r\n\r\n"), protocol.ReasonStatus, "599"},
		{"switches protocols", protocoltest.Answer("HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), protocol.ReasonStatus, "101"},
		{"speaks HTTP/1.0 until it closes", protocoltest.AnswerAndClose("HTTP/1.0 200 OK\r\n\r\nall of it"), protocol.ReasonNone, "200"},
	} {
		t.Run("the server "+test.name, func(t *testing.T) {
			for _, secure := range []bool{false, true} {
				o := rawOptions(t, secure, test.serve)
				r := patiently(t, o, test.want, test.code)
				if r.Reason != test.want || r.Code != test.code {
					t.Errorf("TLS %t: code %q, reason %q, want %q, %q: %v", secure, r.Code, r.Reason, test.code, test.want, r.Err)
				}
				if r.Reason == protocol.ReasonTimeout && r.Service() < short {
					t.Errorf("TLS %t: took only %s", secure, r.Service())
				}
			}
		})
	}
}

// rawOptions returns options for a server that answers by hand, with TLS or without.
func rawOptions(t *testing.T, secure bool, serve func(net.Conn)) httpmix.Options {
	t.Helper()
	if !secure {
		return protocoltest.Options(t, "http://"+protocoltest.Raw(t, serve))
	}
	ca := protocoltest.NewAuthority(t)
	config := ca.ServerConfig(t, nil)
	o := protocoltest.Options(t, "https://"+protocoltest.Raw(t, func(c net.Conn) {
		over := tls.Server(c, config)
		serve(over)
		_ = over.Close()
	}))
	o.TLS.CA = ca.PEM
	return o
}

// endless reads a request's head and writes without end, until the client goes.
func endless(begin, again string) func(net.Conn) {
	return func(c net.Conn) {
		protocoltest.ReadHead(c)
		_, err := io.WriteString(c, begin)
		for err == nil {
			_, err = io.WriteString(c, again)
		}
	}
}

func TestAResetInTheBodyIsAReset(t *testing.T) {
	w := new(protocoltest.Wire)
	ready := make(chan struct{})
	addr := protocoltest.Raw(t, protocoltest.AnswerAndReset("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", ready))
	o := protocoltest.Options(t, "http://"+addr)
	o.Wire = w
	c := client(t, o)
	go func() {
		defer close(ready)
		deadline := time.Now().Add(protocoltest.Long)
		for _, received := w.Bytes(); received == 0 && time.Now().Before(deadline); _, received = w.Bytes() {
			time.Sleep(time.Millisecond)
		}
	}()
	r := wantReason(t, c, protocol.ReasonReset)
	if r.Code != "200" || !errors.Is(r.Err, syscall.ECONNRESET) {
		t.Errorf("code %q, error %v", r.Code, r.Err)
	}
}

func TestAKeptConnectionThatDies(t *testing.T) {
	// The server answers one request on each connection and closes when the second
	// arrives: a GET is repeated by net/http, a POST fails.
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, test := range []struct {
		method string
		want   protocol.Reason
	}{{"GET", protocol.ReasonNone}, {"POST", protocol.ReasonReset}} {
		for _, secure := range []bool{false, true} {
			o := rawOptions(t, secure, func(c net.Conn) {
				protocoltest.ReadHead(c)
				_, _ = io.WriteString(c, head)
				protocoltest.ReadHead(c)
				_ = c.Close()
			})
			o.Entries[0].Method = test.method
			c := client(t, o)
			mustSucceed(t, c)
			if r := do(t, c); r.Reason != test.want {
				t.Errorf("%s, TLS %t: reason %q, want %q: %v", test.method, secure, r.Reason, test.want, r.Err)
			}
		}
	}
}

func TestAPlainRequestToATLSPort(t *testing.T) {
	t.Run("that sends an alert and waits", func(t *testing.T) {
		addr := protocoltest.Raw(t, protocoltest.Answer("\x15\x03\x01\x00\x02\x02\x46\n"))
		wantReason(t, client(t, protocoltest.Options(t, "http://"+addr)), protocol.ReasonProtocol)
	})
	t.Run("that hangs up", func(t *testing.T) {
		config := protocoltest.NewAuthority(t).ServerConfig(t, nil)
		addr := protocoltest.Raw(t, func(c net.Conn) {
			_ = tls.Server(c, config).Handshake()
			_ = c.Close()
		})
		wantReason(t, client(t, protocoltest.Options(t, "http://"+addr)), protocol.ReasonReset)
	})
	t.Run("that knows HTTP when it sees it", func(t *testing.T) {
		o := flavours()[2].Serve(t, func(http.ResponseWriter, *http.Request) {})
		o.Entries[0].URL.Scheme = "http"
		if r := wantReason(t, client(t, o), protocol.ReasonStatus); r.Code != "400" {
			t.Errorf("code %q", r.Code)
		}
	})
}

// patiently makes one exchange with a client of its own, and checks that its
// connections open and close in pairs. Where it has to time out, it does so soon, but
// gives a slow machine more time to come as far as the code.
func patiently(t *testing.T, o httpmix.Options, want protocol.Reason, code string) protocol.Result {
	t.Helper()
	if want == protocol.ReasonTimeout {
		o.Timeout = 4 * short
	}
	for ; ; o.Timeout *= 2 {
		w := new(protocoltest.Wire)
		o.Wire = w
		c := client(t, o)
		r := do(t, c)
		checkClosed(t, c, w)
		if want != protocol.ReasonTimeout || r.Reason != want || r.Code == code || o.Timeout > protocoltest.Long {
			return r
		}
	}
}
