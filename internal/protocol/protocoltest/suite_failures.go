package protocoltest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// short is a timeout that tests do wait for.
const short = 50 * time.Millisecond

func (s Suite) reportsFailuresOfTheHandshake(t *testing.T) {
	t.Run("TLS to a plain port", func(t *testing.T) {
		addr := Raw(t, func(c net.Conn) {
			_, _ = io.ReadFull(c, make([]byte, 5))
			_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		})
		wantReason(t, s.client(t, Options(t, "https://"+addr)), protocol.ReasonTLS)
	})
	t.Run("the server closes", func(t *testing.T) {
		addr := Raw(t, func(c net.Conn) { _ = c.Close() })
		wantReason(t, s.client(t, Options(t, "https://"+addr)), protocol.ReasonTLS)
	})
	t.Run("the server says nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := Pipe(t, false, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
			o.Entries[0].URL = Options(t, "https://target.test").Entries[0].URL
			o.ConnectTimeout = Long / 2
			if r := wantReason(t, s.client(t, o), protocol.ReasonConnectTimeout); r.Service() != o.ConnectTimeout {
				t.Errorf("took %s", r.Service())
			}
		})
	})
	t.Run("the server wants a certificate that there is not", func(t *testing.T) {
		o := s.secure().Serve(t, func(http.ResponseWriter, *http.Request) {}, func(server *httptest.Server) {
			server.TLS.ClientAuth = tls.RequireAnyClientCert
		})
		// With TLS 1.2 the refusal is a part of the handshake; later it is a race.
		o.TLS.MaxVersion = tls.VersionTLS12
		wantReason(t, s.client(t, o), protocol.ReasonTLS)
	})
}

func (s Suite) reportsFailuresOfTheResponse(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
	for _, test := range []struct {
		name  string
		serve func(net.Conn)
		want  protocol.Reason
		code  string
	}{
		{"closes without a response", RespondAndClose(""), protocol.ReasonReset, ""},
		{"closes in the head", RespondAndClose(head[:20]), protocol.ReasonReset, ""},
		{"closes in the body", RespondAndClose(head + "half"), protocol.ReasonReset, "200"},
		{"closes in a chunk", RespondAndClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf"), protocol.ReasonReset, "200"},
		{"says nothing", Respond(""), protocol.ReasonTimeout, ""},
		{"stalls in the head", Respond(head[:20]), protocol.ReasonTimeout, ""},
		{"stalls in the body", Respond(head + "half"), protocol.ReasonTimeout, "200"},
		{"speaks something else", Respond("220 smtp.test ESMTP\r\n"), protocol.ReasonProtocol, ""},
		{"speaks something else and closes", RespondAndClose("-ERR unknown command\r\n"), protocol.ReasonProtocol, ""},
		{"speaks a header without a colon", Respond("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"), protocol.ReasonProtocol, ""},
		{"speaks two lengths", Respond("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12"), protocol.ReasonProtocol, ""},
		{"speaks a chunk without a size", Respond("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), protocol.ReasonProtocol, "200"},
		{"speaks an endless head", endless("HTTP/1.1 200 OK\r\n", "X: "+strings.Repeat("y", 8000)+"\r\n"), protocol.ReasonProtocol, ""},
		{"speaks endless 1xx", endless("", "HTTP/1.1 103 Early Hints\r\nX: "+strings.Repeat("y", 8000)+"\r\n\r\n"), protocol.ReasonProtocol, ""},
		{"has status 099", Respond("HTTP/1.1 099 What\r\nContent-Length: 0\r\n\r\n"), protocol.ReasonProtocol, ""},
		{"has status 999", Respond("HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"), protocol.ReasonStatus, "999"},
		{"has status 599", Respond("HTTP/1.1 599 What\r\nContent-Length: 0\r\n\r\n"), protocol.ReasonStatus, "599"},
		{"switches protocols", Respond("HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), protocol.ReasonStatus, "101"},
		{"speaks HTTP/1.0 until it closes", RespondAndClose("HTTP/1.0 200 OK\r\n\r\nall of it"), protocol.ReasonNone, "200"},
	} {
		for _, secure := range []bool{false, true} {
			name := "the server " + test.name
			if secure {
				name += ", over TLS"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := s.once(t, Pipe(t, secure, test.serve))
					if r.Reason != test.want || r.Code != test.code {
						t.Errorf("code %q, reason %q, want %q, %q: %v", r.Code, r.Reason, test.code, test.want, r.Err)
					}
					if r.Reason == protocol.ReasonTimeout && r.Service() != Long {
						t.Errorf("took %s", r.Service())
					}
				})
			})
		}
	}
}

func (s Suite) reportsAReset(t *testing.T) {
	for _, secure := range []bool{false, true} {
		o := RawOptions(t, secure, RespondAndReset("", Now()))
		wantReason(t, s.client(t, o), protocol.ReasonReset)
	}
}

func (s Suite) reportsAResetInTheBody(t *testing.T) {
	w := new(ConnRecorder)
	ready := make(chan struct{})
	addr := Raw(t, RespondAndReset("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", ready))
	o := Options(t, "http://"+addr)
	o.Observer = w
	c := s.client(t, o)
	go func() {
		defer close(ready)
		deadline := time.Now().Add(Long)
		for _, received := w.Bytes(); received == 0 && time.Now().Before(deadline); _, received = w.Bytes() {
			time.Sleep(time.Millisecond)
		}
	}()
	r := wantReason(t, c, protocol.ReasonReset)
	if r.Code != "200" || !errors.Is(r.Err, syscall.ECONNRESET) {
		t.Errorf("code %q, error %v", r.Code, r.Err)
	}
}

func (s Suite) repeatsOnAConnectionThatDied(t *testing.T) {
	// The server responds to one request on each connection and closes when the second
	// arrives: a GET is repeated by net/http, a POST fails.
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, test := range []struct {
		method string
		want   protocol.Reason
	}{{"GET", protocol.ReasonNone}, {"POST", protocol.ReasonReset}} {
		for _, secure := range []bool{false, true} {
			o := RawOptions(t, secure, func(c net.Conn) {
				ReadHead(c)
				_, _ = io.WriteString(c, head)
				ReadHead(c)
				_ = c.Close()
			})
			o.Entries[0].Method = test.method
			c := s.client(t, o)
			mustSucceed(t, c)
			if r := c.do(protocol.Request{}); r.Reason != test.want {
				t.Errorf("%s, TLS %t: reason %q, want %q: %v", test.method, secure, r.Reason, test.want, r.Err)
			}
		}
	}
}

func (s Suite) reportsATLSPort(t *testing.T) {
	t.Run("that sends an alert and waits", func(t *testing.T) {
		addr := Raw(t, Respond("\x15\x03\x01\x00\x02\x02\x46\n"))
		wantReason(t, s.client(t, Options(t, "http://"+addr)), protocol.ReasonProtocol)
	})
	t.Run("that hangs up", func(t *testing.T) {
		config := NewAuthority(t).ServerConfig(t, nil)
		addr := Raw(t, func(c net.Conn) {
			_ = tls.Server(c, config).Handshake()
			_ = c.Close()
		})
		wantReason(t, s.client(t, Options(t, "http://"+addr)), protocol.ReasonReset)
	})
	t.Run("that knows HTTP when it sees it", func(t *testing.T) {
		o := s.secure().Serve(t, func(http.ResponseWriter, *http.Request) {})
		o.Entries[0].URL.Scheme = "http"
		if r := wantReason(t, s.client(t, o), protocol.ReasonStatus); r.Code != "400" {
			t.Errorf("code %q", r.Code)
		}
	})
}

func (s Suite) reportsFailuresOfHTTP2(t *testing.T) {
	for _, f := range s.Flavours {
		if f.Major != 2 || f.Protocol == httpreq.Auto {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			o := f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/stall":
					<-r.Context().Done()
				case "/half":
					w.Header().Set("Content-Length", "100")
					_, _ = io.WriteString(w, "half")
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				case "/abort":
					panic(http.ErrAbortHandler)
				case "/head":
					w.Header().Set("X", strings.Repeat("y", 2<<20))
				}
			})
			tests := []struct {
				path string
				want protocol.Reason
				code string
			}{
				{"/stall", protocol.ReasonTimeout, ""},
				{"/half", protocol.ReasonReset, "200"},
				{"/abort", protocol.ReasonReset, ""},
				{"/head", protocol.ReasonProtocol, ""},
				{"/", protocol.ReasonNone, "200"},
			}
			root := o.Entries[0].URL
			for _, test := range tests {
				o.Entries[0].URL = At(t, root, test.path)
				r := s.patiently(t, o, test.want, test.code)
				if r.Reason != test.want || r.Code != test.code {
					t.Errorf("%s: code %q, reason %q, want %q, %q: %v", test.path, r.Code, r.Reason, test.code, test.want, r.Err)
				}
			}
		})
	}
}

func (s Suite) reportsServersThatBreakOff(t *testing.T) {
	type test struct {
		name  string
		serve func(net.Conn)
		want  protocol.Reason
		code  string
	}
	refusal := test{name: "speaks HTTP/1.1", serve: Respond("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), want: protocol.ReasonProtocol}
	if s.plain().Major == 1 {
		refusal.want, refusal.code = protocol.ReasonStatus, "400"
	}
	for _, test := range []test{
		{name: "closes", serve: RespondAndClose(""), want: protocol.ReasonReset},
		{name: "says nothing", serve: Respond(""), want: protocol.ReasonTimeout},
		{name: "speaks something else", serve: Respond("220 smtp.test ESMTP\r\n"), want: protocol.ReasonProtocol},
		refusal,
	} {
		t.Run("the server "+test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := Pipe(t, false, test.serve)
				o.Timeout = time.Second // Before anybody finds out that nobody is there.
				r := s.once(t, o)
				if r.Reason != test.want || r.Code != test.code {
					t.Errorf("code %q, reason %q, want %q, %q: %v", r.Code, r.Reason, test.code, test.want, r.Err)
				}
			})
		})
	}
	t.Run("the server resets", func(t *testing.T) {
		wantReason(t, s.client(t, RawOptions(t, false, RespondAndReset("", Now()))), protocol.ReasonReset)
	})
}

// RawOptions returns options for a server whose responses are written by hand, with TLS or
// without.
func RawOptions(tb testing.TB, secure bool, serve func(net.Conn)) httpreq.Options {
	tb.Helper()
	if !secure {
		return Options(tb, "http://"+Raw(tb, serve))
	}
	ca := NewAuthority(tb)
	config := ca.ServerConfig(tb, nil)
	o := Options(tb, "https://"+Raw(tb, func(c net.Conn) {
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
		ReadHead(c)
		_, err := io.WriteString(c, begin+again)
		for err == nil {
			_, err = io.WriteString(c, again)
		}
	}
}

// once makes one exchange with a client of its own, and checks that its connections open
// and close in pairs.
func (s Suite) once(t *testing.T, o httpreq.Options) protocol.Result {
	t.Helper()
	w := new(ConnRecorder)
	o.Observer = w
	c := s.client(t, o)
	r := c.do(protocol.Request{})
	checkClosed(t, c, w)
	return r
}

// patiently is once for real sockets. Where it has to time out, it does so soon, but gives a
// slow machine more time to come as far as the code.
func (s Suite) patiently(t *testing.T, o httpreq.Options, want protocol.Reason, code string) protocol.Result {
	t.Helper()
	if want == protocol.ReasonTimeout {
		o.Timeout = 4 * short
	}
	for ; ; o.Timeout *= 2 {
		r := s.once(t, o)
		if want != protocol.ReasonTimeout || r.Reason != want || r.Code == code || o.Timeout > Long {
			return r
		}
	}
}
