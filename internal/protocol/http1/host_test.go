package http1

import (
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// sites are servers on several loopback addresses and one port that count their requests.
type sites struct {
	port string
	hits map[string]*atomic.Int64
}

func newSites(t *testing.T, addrs ...string) *sites {
	t.Helper()
	s := &sites{port: "0", hits: map[string]*atomic.Int64{}}
	for _, addr := range addrs {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(addr, s.port))
		if err != nil {
			t.Skipf("cannot listen on %s: %v", addr, err)
		}
		_, s.port, _ = net.SplitHostPort(l.Addr().String())
		hits := new(atomic.Int64)
		s.hits[addr] = hits
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
		_ = server.Listener.Close()
		server.Listener = l
		server.Start()
		t.Cleanup(server.Close)
	}
	return s
}

// named returns a client for a name, which the name server resolves.
func named(t *testing.T, s *protocoltest.NameServer, port string, change func(*httpreq.Options)) waiting {
	t.Helper()
	o := protocoltest.Options(t, "http://target.test:"+port)
	o.Net.Resolver = s.Resolver()
	if change != nil {
		change(&o)
	}
	return client(t, o)
}

func TestRequestsAreSpreadOverTheAddressesOfAName(t *testing.T) {
	all := []string{"127.0.0.2", "127.0.0.3", "127.0.0.4"}
	s := newSites(t, all...)
	w := new(protocoltest.ConnRecorder)
	c := named(t, protocoltest.NewNameServer(t, all...), s.port, func(o *httpreq.Options) { o.Observer, o.ResolveEvery = w, time.Hour })
	for range 300 {
		mustSucceed(t, c)
	}
	for addr, hits := range s.hits {
		if n := hits.Load(); n < 98 || n > 102 {
			t.Errorf("%d of 300 requests went to %s", n, addr)
		}
	}
	if n, _ := w.Counts(); n != 3 {
		t.Errorf("%d connections", n)
	}
}

func TestANameIsResolvedAgain(t *testing.T) {
	s := newSites(t, "127.0.0.2", "127.0.0.3")
	names := protocoltest.NewNameServer(t, "127.0.0.2")
	w := new(protocoltest.ConnRecorder)
	c := named(t, names, s.port, func(o *httpreq.Options) { o.Observer, o.ResolveEvery = w, time.Millisecond })
	mustSucceed(t, c)
	names.Set("127.0.0.3")
	protocoltest.Eventually(t, "requests go to the new address", func() bool {
		mustSucceed(t, c)
		return s.hits["127.0.0.3"].Load() > 0
	})
	protocoltest.Eventually(t, "the connection to the old one is closed", func() bool {
		_, closed := w.Counts()
		return closed > 0
	})
}

func TestWithoutATimeEachConnectionResolvesAnew(t *testing.T) {
	s := newSites(t, "127.0.0.2")
	names := protocoltest.NewNameServer(t, "127.0.0.2")
	c := named(t, names, s.port, func(o *httpreq.Options) { o.KeepAlive = false })
	for range 5 {
		mustSucceed(t, c)
	}
	if n := names.Lookups(); n != 5 {
		t.Errorf("asked %d times for 5 connections", n)
	}
}

func TestASilentAddressIsNoFailureIfAnotherResponds(t *testing.T) {
	s := newSites(t, "127.0.0.2")
	// Nothing listens at the first.
	c := named(t, protocoltest.NewNameServer(t, "127.0.0.9", "127.0.0.2"), s.port, func(o *httpreq.Options) { o.ResolveEvery = time.Hour })
	for range 10 {
		mustSucceed(t, c)
	}
}

func TestANameWithoutAddressesIsAFailureOfDNS(t *testing.T) {
	names := protocoltest.NewNameServer(t)
	c := named(t, names, "80", nil)
	wantReason(t, c, protocol.ReasonDNS)
}

func TestWaitingForASilentResolverIsAFailureOfDNS(t *testing.T) {
	names := protocoltest.NewNameServer(t)
	names.Silence()
	c := named(t, names, "80", func(o *httpreq.Options) { o.Timeout = short })
	wantReason(t, c, protocol.ReasonDNS)
}

func TestABodyThatThePeerDoesNotReadHoldsNobodyUp(t *testing.T) {
	let := make(chan struct{})
	o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, func(net.Conn) { <-let }))
	t.Cleanup(func() { close(let) })
	o.Timeout = short
	o.Entries[0].Method, o.Entries[0].Body = "POST", make([]byte, 16<<20)
	c := client(t, o)
	call := &protocol.Call{}
	done := make(chan struct{})
	call.Done = func() { close(done) }
	// A connection that is idle, so that Start itself writes.
	c.Start(call)
	<-done
	protocoltest.CheckReason(t, call.Result, protocol.ReasonTimeout)
}

func TestABigBodyArrivesOnAKeptConnection(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			o := f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				got := new(strings.Builder)
				buf := make([]byte, 100_000)
				for {
					n, err := r.Body.Read(buf)
					got.Write(buf[:n])
					if err != nil {
						break
					}
				}
				if got.String() != body {
					w.WriteHeader(http.StatusTeapot)
				}
			})
			w := new(protocoltest.ConnRecorder)
			o.Observer = w
			o.Entries[0].Method, o.Entries[0].Body = "POST", []byte(body)
			c := client(t, o)
			for range 5 {
				mustSucceed(t, c)
			}
			if sent, _ := w.Bytes(); sent < 5*len(body) {
				t.Errorf("%d bytes counted of %d", sent, 5*len(body))
			}
		})
	}
}

// echo is a server that costs as little as can be: it responds to each read.
func echo(tb testing.TB) string {
	tb.Helper()
	answer := []byte(typical)
	return protocoltest.Raw(tb, func(c net.Conn) {
		buf := make([]byte, 4096)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	})
}

// TestAnExchangeAllocatesNothing counts the allocations of the whole process, the
// server's included.
func TestAnExchangeAllocatesNothing(t *testing.T) {
	o := protocoltest.Options(t, "http://"+echo(t))
	token := []string{"Bearer token"}
	o.Token = func() []string { return token }
	o.SlotHeader, o.Traceparent = true, true
	c := client(t, o)
	done := make(chan struct{}, 1)
	call := &protocol.Call{Done: func() { done <- struct{}{} }}
	call.Request = protocol.Request{Scenario: "s", Segment: "g", Seq: 7, Trace: [16]byte{1}}
	exchange := func() {
		c.Start(call)
		<-done
	}
	for range 100 {
		exchange()
	}
	if n := testing.AllocsPerRun(1000, exchange); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if call.Result.Failed() {
		t.Error(call.Result.Err)
	}
}

// TestAnIdleConnectionIsSmall reports what many connections take, and fails where each
// takes much more than its buffer and its stack.
func TestAnIdleConnectionIsSmall(t *testing.T) {
	const n = 500
	var arrived sync.WaitGroup
	arrived.Add(n)
	let := make(chan struct{})
	addr := protocoltest.Raw(t, func(c net.Conn) {
		protocoltest.ReadHead(c)
		arrived.Done()
		<-let
		_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
		protocoltest.ReadHead(c)
	})
	o := protocoltest.Options(t, "http://"+addr)
	o.MaxConns = n
	c := client(t, o)
	memory := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse + m.StackInuse)
	}
	before := memory()
	var ended sync.WaitGroup
	for range n {
		ended.Add(1)
		c.Start(&protocol.Call{Done: ended.Done})
	}
	arrived.Wait()
	close(let)
	ended.Wait()
	// The server of this test takes its part as well.
	each := (memory() - before) / n
	t.Logf("%d bytes for each connection and its server", each)
	if each > 40<<10 {
		t.Errorf("%d bytes for each connection", each)
	}
}
