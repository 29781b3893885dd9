package http3_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	quichttp "github.com/quic-go/quic-go/http3"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/http3"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// newClient returns a client that is closed with the test.
func newClient(tb testing.TB, o httpreq.Options) protocol.Client {
	tb.Helper()
	c, err := http3.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// run makes the exchange of a call.
func run(c protocol.Client, call *protocol.Call) protocol.Result {
	done := make(chan struct{})
	call.Done = func() { close(done) }
	c.Start(call)
	c.Flush()
	<-done
	return call.Result
}

// get makes one exchange of entry 0.
func get(c protocol.Client) protocol.Result { return run(c, new(protocol.Call)) }

// mustSucceed makes one exchange of entry 0 that has to go well.
func mustSucceed(tb testing.TB, c protocol.Client) {
	tb.Helper()
	if r := get(c); r.Failed() {
		tb.Fatalf("failed as %q: %v", r.Reason, r.Err)
	}
}

// denied is a call of entry 0 that may not be repeated.
func denied() *protocol.Call {
	return &protocol.Call{Admit: func(protocol.Extra) bool { return false }}
}

// opened waits for so many connections to be open.
func opened(tb testing.TB, w *protocoltest.ConnRecorder, want int) {
	tb.Helper()
	protocoltest.Eventually(tb, fmt.Sprintf("%d connections are open", want), func() bool {
		all, closed := w.Counts()
		return all-closed == want
	})
}

func TestTheProtocolHasToBeHTTP3(t *testing.T) {
	o := protocoltest.Options(t, "https://127.0.0.1:1")
	if _, err := http3.New(o); err == nil {
		t.Error("a client that negotiates is made")
	}
	o.Protocol, o.Proxy.FromEnvironment = httpreq.HTTP3, true
	if _, err := http3.New(o); err == nil {
		t.Error("a client behind a proxy is made")
	}
}

func TestFailuresOfTheHandshakeHaveTheirReasons(t *testing.T) {
	serve := func(t *testing.T, change func(*tls.Config)) httpreq.Options {
		t.Helper()
		return flavour().Serve(t, func(http.ResponseWriter, *http.Request) {}, func(server *httptest.Server) { change(server.TLS) })
	}
	t.Run("the server wants a certificate that there is not", func(t *testing.T) {
		o := serve(t, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })
		protocoltest.CheckReason(t, get(newClient(t, o)), protocol.ReasonTLS)
	})
	t.Run("the server speaks another protocol", func(t *testing.T) {
		c := protocoltest.NewAuthority(t).ServerConfig(t, nil)
		c.NextProtos = []string{"doq"}
		l, err := quic.ListenAddr("127.0.0.1:0", c, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		o := protocoltest.Options(t, "https://"+l.Addr().String())
		o.Protocol, o.TLS.InsecureSkipVerify = httpreq.HTTP3, true
		protocoltest.CheckReason(t, get(newClient(t, o)), protocol.ReasonTLS)
	})
	t.Run("TLS 1.2 is the highest that we may speak", func(t *testing.T) {
		o := serve(t, func(*tls.Config) {})
		o.TLS.MaxVersion = tls.VersionTLS12
		protocoltest.CheckReason(t, get(newClient(t, o)), protocol.ReasonTLS)
	})
	t.Run("the server speaks another version of QUIC", func(t *testing.T) {
		conn := listen(t)
		go func() {
			b := make([]byte, 1500)
			for {
				n, from, err := conn.ReadFrom(b)
				if err != nil {
					return
				}
				// Version Negotiation (RFC 8999, section 6): the ids trade places.
				destination, rest := b[6:6+b[5]], b[6+b[5]:n]
				source := rest[1 : 1+rest[0]]
				answer := append([]byte{0xc0, 0, 0, 0, 0, byte(len(source))}, source...)
				answer = append(append(answer, byte(len(destination))), destination...)
				_, _ = conn.WriteTo(append(answer, 0x1a, 0x2a, 0x3a, 0x4a), from)
			}
		}()
		o := protocoltest.Options(t, "https://"+conn.LocalAddr().String())
		o.Protocol = httpreq.HTTP3
		protocoltest.CheckReason(t, get(newClient(t, o)), protocol.ReasonProtocol)
	})
	for name, answer := range map[string]string{"nothing": "", "garbage": "HTTP/1.1 400 Bad Request\r\n\r\n"} {
		t.Run("the server says "+name, func(t *testing.T) {
			conn := listen(t)
			go func() {
				b := make([]byte, 1500)
				for {
					_, from, err := conn.ReadFrom(b)
					if err != nil {
						return
					}
					if answer != "" {
						_, _ = conn.WriteTo([]byte(answer), from)
					}
				}
			}()
			o := protocoltest.Options(t, "https://"+conn.LocalAddr().String())
			o.Protocol, o.ConnectTimeout = httpreq.HTTP3, 50*time.Millisecond
			protocoltest.CheckReason(t, get(newClient(t, o)), protocol.ReasonConnectTimeout)
			o.ConnectTimeout, o.Timeout = protocoltest.Long, 50*time.Millisecond
			protocoltest.CheckReason(t, get(newClient(t, o)), protocol.ReasonTimeout)
		})
	}
}

func TestFailuresOfTheResponseHaveTheirReasons(t *testing.T) {
	over := make(chan struct{})
	o := flavour().Serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stall":
			<-over
		case "/half":
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/stall-half":
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			<-over
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/head":
			w.Header().Set("X", strings.Repeat("y", 2<<20))
		}
	})
	t.Cleanup(func() { close(over) }) // Before the server waits for it.
	const anyCode = "any"
	root := o.Entries[0].URL
	for _, test := range []struct {
		path string
		want protocol.Reason
		code string
	}{
		{"/stall", protocol.ReasonTimeout, ""},
		{"/stall-half", protocol.ReasonTimeout, "200"},
		{"/half", protocol.ReasonReset, anyCode}, // A reset may overtake the bytes sent before it.
		{"/abort", protocol.ReasonReset, ""},
		{"/head", protocol.ReasonProtocol, ""},
		{"/", protocol.ReasonNone, "200"},
	} {
		o.Entries[0].URL, o.Timeout = protocoltest.At(t, root, test.path), protocoltest.Long
		if test.want == protocol.ReasonTimeout {
			o.Timeout = 100 * time.Millisecond
		}
		w := new(protocoltest.ConnRecorder)
		o.Observer = w
		r := get(newClient(t, o))
		// A slow machine gets more time to come as far as the head.
		for r.Reason == test.want && r.Code != test.code && test.want == protocol.ReasonTimeout && o.Timeout < protocoltest.Long {
			o.Timeout *= 2
			r = get(newClient(t, o))
		}
		if r.Reason != test.want || test.code != anyCode && r.Code != test.code {
			t.Errorf("%s: code %q, reason %q, want %q, %q: %v", test.path, r.Code, r.Reason, test.code, test.want, r.Err)
		}
	}
}

func TestAServerThatIsGoneIsNoticedAtOnce(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ca, arrived := protocoltest.NewAuthority(t), make(chan struct{})
	s := &quichttp.Server{TLSConfig: quichttp.ConfigureTLSConfig(ca.ServerConfig(t, nil)), Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			close(arrived)
			<-r.Context().Done()
		}
	})}
	go func() { _ = s.Serve(conn) }()
	o := protocoltest.Options(t, "https://"+conn.LocalAddr().String())
	o.Protocol, o.TLS.CA = httpreq.HTTP3, ca.PEM
	o.Entries = append(o.Entries, httpreq.Entry{Method: http.MethodPost, URL: o.Entries[0].URL, Expect: protocoltest.OK(t), Source: protocoltest.Generated(1 << 40)})
	w := new(protocoltest.ConnRecorder)
	o.Observer = w
	c := newClient(t, o)
	mustSucceed(t, c)
	go func() {
		<-arrived
		_ = conn.Close() // As if the process was killed: nobody says goodbye.
		_ = s.Close()
	}()
	protocoltest.CheckReason(t, run(c, &protocol.Call{Request: protocol.Request{Entry: 1}}), protocol.ReasonReset)
	protocoltest.CheckReason(t, get(c), protocol.ReasonRefused)
	w.CheckClosed(t)
}

func TestConnectionsThatTheServerClosesAreReplaced(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		closeNow := make(chan struct{})
		o := byHand(t, nil, func(c *served) {
			respond(c.next(), section(":status", "200"))
			<-closeNow
			c.ends(noError)
		})
		o.Entries[0].Method = method
		w := new(protocoltest.ConnRecorder)
		o.Observer = w
		c := newClient(t, o)
		for range 3 {
			if r := run(c, denied()); r.Failed() {
				t.Fatalf("%s: failed as %q: %v", method, r.Reason, r.Err)
			}
			closeNow <- struct{}{}
			opened(t, w, 0)
		}
	}
}

func TestAGoAwayHasRequestsGoElsewhere(t *testing.T) {
	var conns atomic.Int64
	o := byHand(t, nil, func(c *served) {
		control := c.control(0, frame(settings, nil))
		if conns.Add(1) > 1 {
			for s := c.next(); s != nil; s = c.next() {
				respond(s, section(":status", "200"))
			}
			return
		}
		first, second := c.next(), c.next()
		if second.StreamID() < first.StreamID() {
			first, second = second, first
		}
		_, _ = control.Write(frame(goAway, []byte{byte(second.StreamID())}))
		// The client gives up the second stream by itself: the server sends nothing on it.
		_, _ = io.Copy(io.Discard, second)
		respond(first, section(":status", "201"))
	})
	o.Entries[0].Method = "POST"
	w := new(protocoltest.ConnRecorder)
	o.Observer = w
	c := newClient(t, o)
	codes := make(chan string, 2)
	for range 2 {
		go func() {
			r := get(c)
			codes <- r.Code
		}()
	}
	if got := []string{<-codes, <-codes}; !slices.Contains(got, "200") || !slices.Contains(got, "201") {
		t.Errorf("got %q", got)
	}
	opened(t, w, 1) // The first one ends with its last response.
	mustSucceed(t, c)
}

func TestAsManyConnectionsAreMadeAsStreamsAreNeeded(t *testing.T) {
	const limit, requests = 3, 10
	let := make(chan struct{})
	var most, now atomic.Int64
	o := byHand(t, &quic.Config{MaxIncomingStreams: limit}, func(c *served) {
		var here atomic.Int64
		for s := c.next(); s != nil; s = c.next() {
			most.Store(max(most.Load(), here.Add(1)))
			now.Add(1)
			go func() {
				<-let
				here.Add(-1)
				now.Add(-1)
				respond(s, section(":status", "200"))
			}()
		}
	})
	w := new(protocoltest.ConnRecorder)
	o.Observer = w
	c := newClient(t, o)
	var all sync.WaitGroup
	for range requests {
		all.Go(func() { mustSucceed(t, c) })
	}
	protocoltest.Eventually(t, "all requests are with the server", func() bool { return now.Load() == requests })
	close(let)
	all.Wait()
	if n, _ := w.Counts(); n < requests/limit+1 || n > requests {
		t.Errorf("%d connections", n)
	}
	if n := most.Load(); n > limit {
		t.Errorf("%d requests on a connection that allows %d", n, limit)
	}
}

func TestRequestsWaitForStreamsWhereThereAreNoMoreConnections(t *testing.T) {
	o := byHand(t, &quic.Config{MaxIncomingStreams: 1}, func(c *served) {
		for s := c.next(); s != nil; s = c.next() {
			respond(s, section(":status", "200"))
		}
	})
	w := new(protocoltest.ConnRecorder)
	o.Observer, o.MaxConns = w, 2
	c := newClient(t, o)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				mustSucceed(t, c)
			}
		})
	}
	all.Wait()
	if n, _ := w.Counts(); n > 2 {
		t.Errorf("%d connections", n)
	}
}

func TestRefusedRequestsAreSentOnceMore(t *testing.T) {
	for _, admits := range []bool{true, false} {
		var seen atomic.Int64
		o := byHand(t, nil, func(c *served) {
			for s := c.next(); s != nil; s = c.next() {
				if seen.Add(1) == 1 {
					s.CancelRead(rejected)
					s.CancelWrite(rejected)
					continue
				}
				respond(s, section(":status", "200"))
			}
		})
		o.Entries[0].Method = "POST"
		var asked []protocol.Extra
		r := run(newClient(t, o), &protocol.Call{Admit: func(e protocol.Extra) bool { asked = append(asked, e); return admits }})
		if !slices.Equal(asked, []protocol.Extra{protocol.Retry}) {
			t.Errorf("it asked for %v", asked)
		}
		if admits && (r.Failed() || seen.Load() != 2) {
			t.Errorf("failed as %q, seen %d times: %v", r.Reason, seen.Load(), r.Err)
		}
		if !admits {
			protocoltest.CheckReason(t, r, protocol.ReasonReset)
		}
	}
}

func TestConnectionsAreSpreadOverTheAddresses(t *testing.T) {
	var seen sync.Map
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		seen.Store(local.String(), true)
	})
	ca := protocoltest.NewAuthority(t)
	server := ca.ServerConfig(t, nil)
	port := 0
	for _, ip := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip), Port: port})
		if err != nil {
			t.Skipf("the port of one address is taken at another: %v", err)
		}
		port = conn.LocalAddr().(*net.UDPAddr).Port
		s := &quichttp.Server{Handler: handler, TLSConfig: quichttp.ConfigureTLSConfig(server)}
		go func() { _ = s.Serve(conn) }()
		t.Cleanup(func() { _ = s.Close(); _ = conn.Close() })
	}
	names := protocoltest.NewNameServer(t, "127.0.0.1", "127.0.0.2", "127.0.0.3")
	o := protocoltest.Options(t, fmt.Sprintf("https://target.test:%d", port))
	o.Protocol, o.TLS.CA, o.Net.Resolver, o.ResolveEvery = httpreq.HTTP3, ca.PEM, names.Resolver(), time.Hour
	w := new(protocoltest.ConnRecorder)
	o.Observer = w
	c := newClient(t, o)
	mustSucceed(t, c)
	opened(t, w, 3)
	protocoltest.Eventually(t, "all addresses have had requests", func() bool {
		mustSucceed(t, c)
		n := 0
		seen.Range(func(any, any) bool { n++; return true })
		return n == 3
	})
	if p := w.Phases(); p[0].DNS <= 0 || p[0].Connect <= 0 || p[0].TLS != 0 || p[0].Protocol != protocol.HTTP3 {
		t.Errorf("got %+v", p[0])
	}
}

func TestConnectionsAge(t *testing.T) {
	o := flavour().Serve(t, func(http.ResponseWriter, *http.Request) {})
	w := new(protocoltest.ConnRecorder)
	o.Observer, o.MaxConnAge = w, 50*time.Millisecond
	c := newClient(t, o)
	mustSucceed(t, c)
	opened(t, w, 0) // It ends although nobody sends.
	mustSucceed(t, c)
	o.MaxConnAge, o.MaxConnRequests = 0, 3
	w = new(protocoltest.ConnRecorder)
	o.Observer = w
	c = newClient(t, o)
	for range 9 {
		mustSucceed(t, c)
	}
	if n, _ := w.Counts(); n != 3 {
		t.Errorf("%d connections for 9 requests, 3 on each", n)
	}
}

func TestAnAddressThatIsGoneLosesItsConnections(t *testing.T) {
	o := flavour().Serve(t, func(http.ResponseWriter, *http.Request) {})
	names := protocoltest.NewNameServer(t, "127.0.0.1")
	o.Entries[0].URL = protocoltest.Options(t, "https://target.test:"+o.Entries[0].URL.Port).Entries[0].URL
	w := new(protocoltest.ConnRecorder)
	o.Observer, o.Net.Resolver, o.ResolveEvery = w, names.Resolver(), 20*time.Millisecond
	c := newClient(t, o)
	mustSucceed(t, c)
	names.Set("127.0.0.9")
	protocoltest.Eventually(t, "requests go to the new address", func() bool {
		return get(c).Reason == protocol.ReasonRefused
	})
	opened(t, w, 0)
}

// counting is a socket that counts the bytes sent and received.
type counting struct {
	net.PacketConn

	sent, received atomic.Int64
}

// ReadFrom implements net.PacketConn.
func (c *counting) ReadFrom(p []byte) (int, net.Addr, error) {
	n, addr, err := c.PacketConn.ReadFrom(p)
	c.received.Add(int64(n))
	return n, addr, err
}

// WriteTo implements net.PacketConn.
func (c *counting) WriteTo(p []byte, addr net.Addr) (int, error) {
	n, err := c.PacketConn.WriteTo(p, addr)
	c.sent.Add(int64(n))
	return n, err
}

func TestTheWireCountsWhatTheServerCounts(t *testing.T) {
	conn := &counting{PacketConn: listen(t)}
	ca := protocoltest.NewAuthority(t)
	s := &quichttp.Server{TLSConfig: quichttp.ConfigureTLSConfig(ca.ServerConfig(t, nil)), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})}
	go func() { _ = s.Serve(conn) }()
	t.Cleanup(func() { _ = s.Close() })
	o := protocoltest.Options(t, "https://"+conn.LocalAddr().String())
	w := new(protocoltest.ConnRecorder)
	o.Protocol, o.TLS.CA, o.Observer = httpreq.HTTP3, ca.PEM, w
	o.Entries[0].Method, o.Entries[0].Body = "POST", make([]byte, 10_000)
	c := newClient(t, o)
	for range 5 {
		mustSucceed(t, c)
	}
	c.Close()
	w.CheckClosed(t)
	protocoltest.Eventually(t, "both sides have counted the same", func() bool {
		sent, received := w.Bytes()
		// A client that has closed reads no more.
		return int64(sent) == conn.received.Load() && int64(received) <= conn.sent.Load()
	})
	if sent, received := w.Bytes(); sent < 50_000 || received < 50_000 {
		t.Errorf("sent %d, received %d bytes", sent, received)
	}
}

func TestACallThatIsCanceledEndsAtOnce(t *testing.T) {
	o := byHand(t, nil, func(c *served) {
		for s := c.next(); s != nil; s = c.next() {
			defer func() { _ = s.Close() }()
		}
	})
	w := new(protocoltest.ConnRecorder)
	o.Observer = w
	c := newClient(t, o)
	done := make(chan protocol.Result, 1)
	go func() { done <- get(c) }()
	opened(t, w, 1)
	c.Close()
	if r := protocoltest.CheckReason(t, <-done, protocol.ReasonCanceled); !errors.Is(r.Err, context.Canceled) {
		t.Errorf("error %v", r.Err)
	}
	protocoltest.CheckReason(t, get(c), protocol.ReasonCanceled)
	w.CheckClosed(t)
}
