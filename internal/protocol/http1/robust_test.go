package http1

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

const empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// reset resets a connection.
func reset(c net.Conn) {
	if tcp, isTCP := c.(*net.TCPConn); isTCP {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func TestAnExchangeThatHasEndedTakesNoConnection(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer string
		change func(*httpreq.Options)
	}{
		{"that is not kept", empty, func(o *httpreq.Options) { o.KeepAlive = false }},
		{"that the server closes", "HTTP/1.0 200 OK\r\n\r\n", func(*httpreq.Options) {}},
		{"that is used up", empty, func(o *httpreq.Options) { o.MaxConnRequests = 1 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, protocoltest.RespondAndClose(test.answer)))
			o.MaxConns = 1
			test.change(&o)
			c := client(t, o)
			for range 200 {
				mustSucceed(t, c)
			}
		})
	}
	t.Run("that failed", func(t *testing.T) {
		o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, protocoltest.RespondAndClose("nonsense\r\n")))
		o.MaxConns = 1
		c := client(t, o)
		for range 200 {
			wantReason(t, c, protocol.ReasonProtocol)
		}
	})
}

// chain starts the next exchange where the one before ends, n times, and waits.
func chain(t *testing.T, c *Client, n int, before func(i int)) {
	t.Helper()
	done := make(chan struct{})
	call := new(protocol.Call)
	i := 0
	call.Done = func() {
		if i++; i == n {
			close(done)
			return
		}
		before(i)
		c.Start(call)
	}
	c.Start(call)
	select {
	case <-done:
	case <-time.After(protocoltest.Long):
		t.Fatal("an exchange did not end")
	}
}

func TestTheNextExchangeMayStartWhereOneEnds(t *testing.T) {
	t.Run("on connections that are kept", func(t *testing.T) {
		w := new(protocoltest.ConnRecorder)
		o := flavours()[0].Serve(t, func(http.ResponseWriter, *http.Request) {})
		o.Observer = w
		chain(t, client(t, o).Client, 100, func(int) {})
		if n, _ := w.Counts(); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
	t.Run("on connections that have been reset", func(t *testing.T) {
		gone := make(chan struct{}, 1)
		o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, func(c net.Conn) {
			protocoltest.ReadHead(c)
			_, _ = io.WriteString(c, empty)
			reset(c)
			gone <- struct{}{}
		}))
		chain(t, client(t, o).Client, 50, func(int) { <-gone })
	})
}

func TestAConnectionThatEndsWhileItIsTakenIsNotUsed(t *testing.T) {
	o := flavours()[0].Serve(t, func(http.ResponseWriter, *http.Request) {})
	c := client(t, o)
	mustSucceed(t, c)
	k, _, err := c.entries[0].host.acquire(time.Now())
	if k == nil {
		t.Fatal(err)
	}
	c.Close()
	if k.begin(exchange{call: new(protocol.Call), entry: c.entries[0]}, true) {
		t.Error("an exchange that nobody will end")
	}
}

func TestATimeoutThatComesTooLateIsNotTheNextExchanges(t *testing.T) {
	o := flavours()[0].Serve(t, func(http.ResponseWriter, *http.Request) {})
	c := client(t, o)
	mustSucceed(t, c)
	k, _, err := c.entries[0].host.acquire(time.Now())
	if k == nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	call := &protocol.Call{Done: func() { close(done) }}
	old := k.client.since(time.Now())
	k.begin(exchange{call: call, entry: c.entries[0], deadline: time.Now().Add(protocoltest.Long)}, true)
	if k.expire(old) {
		t.Error("it ran out of time that was another's")
	}
	<-done
	if call.Result.Failed() {
		t.Error(call.Result.Err)
	}
}

func TestEveryCallEndsWhenTheClientIsClosed(t *testing.T) {
	o := flavours()[0].Serve(t, func(http.ResponseWriter, *http.Request) {})
	for range 300 {
		c := client(t, o)
		mustSucceed(t, c)
		var ended sync.WaitGroup
		for range 4 {
			ended.Add(1)
			go c.Start(&protocol.Call{Done: ended.Done})
		}
		c.Close()
		all := make(chan struct{})
		go func() { ended.Wait(); close(all) }()
		select {
		case <-all:
		case <-time.After(protocoltest.Long):
			t.Fatal("a call did not end")
		}
	}
}

func TestASilentAddressIsLeftAloneForAWhile(t *testing.T) {
	s := newSites(t, "127.0.0.2")
	w := new(protocoltest.ConnRecorder)
	c := named(t, protocoltest.NewNameServer(t, "127.0.0.9", "127.0.0.2"), s.port, func(o *httpreq.Options) { o.ResolveEvery, o.Observer = time.Hour, w })
	for range 100 {
		mustSucceed(t, c)
	}
	if n, _ := w.Counts(); n > 3 {
		t.Errorf("%d connections for 100 requests, one after the other", n)
	}
}

func TestAResponseCountsEvenIfTheRequestCouldNotBeWritten(t *testing.T) {
	o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, func(c net.Conn) {
		protocoltest.ReadHead(c)
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		reset(c)
	}))
	o.Entries[0].Method, o.Entries[0].Body = "POST", make([]byte, 16<<20)
	o.Entries[0].Expect, _ = httpreq.NewStatuses(httpreq.StatusRange{First: 413, Last: 413})
	c := client(t, o)
	for range 20 {
		mustSucceed(t, c)
	}
}

func TestNothingIsHeardOfAClientThatIsClosed(t *testing.T) {
	o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, func(c net.Conn) { protocoltest.ReadHead(c) }))
	o.Entries[0].Method, o.Entries[0].Body = "POST", make([]byte, 16<<20)
	for range 30 {
		w := new(late)
		o.Observer = w
		c := client(t, o)
		var ended sync.WaitGroup
		ended.Add(1)
		c.Start(&protocol.Call{Done: ended.Done})
		protocoltest.Eventually(t, "it is written", func() bool { return w.sent.Load() > 0 })
		c.Close()
		w.closed.Store(true)
		ended.Wait()
		time.Sleep(time.Millisecond) // Whatever is late comes now, or is missed.
		if w.told.Load() {
			t.Fatal("the wire was told of something after Close")
		}
	}
}

// late is a ConnObserver that notes what comes too late.
type late struct {
	protocol.Discard
	sent         atomic.Int64
	closed, told atomic.Bool
}

func (w *late) Transferred(sent, _ int) {
	w.sent.Add(int64(sent))
	if w.closed.Load() {
		w.told.Store(true)
	}
}

func TestEntriesAreSerialisedAsHTTPWantsThem(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*httpreq.Options)
		want   string
	}{
		{"a GET", func(*httpreq.Options) {}, "GET /x HTTP/1.1\r\nHost: host.test\r\n"},
		{"a POST without a body", func(o *httpreq.Options) { o.Entries[0].Method = "POST" }, "POST /x HTTP/1.1\r\nHost: host.test\r\nContent-Length: 0\r\n"},
		{"no keep-alive", func(o *httpreq.Options) { o.KeepAlive = false }, "GET /x HTTP/1.1\r\nHost: host.test\r\nConnection: close\r\n"},
		{"the file's order and spelling", func(o *httpreq.Options) {
			o.Entries[0].Fields = []protocol.Field{{Name: "x-b", Value: " b\t"}, {Name: "X-A", Value: "1"}, {Name: "hOST", Value: "other.test"}, {Name: "x-b", Value: ""}}
		}, "GET /x HTTP/1.1\r\nHost: other.test\r\nx-b: b\r\nX-A: 1\r\nx-b: \r\n"},
		{"a zone", at(t, "http://[fe80::1%25lo]:8080/x"), "GET /x HTTP/1.1\r\nHost: [fe80::1]:8080\r\n"},
		{"an empty port", at(t, "http://host.test:/x"), "GET /x HTTP/1.1\r\nHost: host.test\r\n"},
		{"a space in the query", at(t, "http://host.test/x?a b"), "GET /x?a%20b HTTP/1.1\r\nHost: host.test\r\n"},
		{"escapes", at(t, "http://bücher.test/a%2Fb|c"), "GET /a%2Fb%7Cc HTTP/1.1\r\nHost: xn--bcher-kva.test\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := protocoltest.Options(t, "http://host.test/x")
			o.UserAgent = ""
			test.change(&o)
			c := client(t, o)
			if got := string(c.entries[0].head); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// at returns a change of the entry's URL.
func at(t *testing.T, target string) func(*httpreq.Options) {
	t.Helper()
	e := protocoltest.Options(t, target).Entries[0]
	return func(o *httpreq.Options) { o.Entries[0].URL = e.URL }
}

func TestAShortAgeCostsNoTimers(t *testing.T) {
	o := protocoltest.Options(t, "http://127.0.0.1:1")
	o.MaxConnAge = 1
	if c := client(t, o); c.look < time.Millisecond {
		t.Errorf("connections are looked at each %s", c.look)
	}
}

func TestALongBodyOfARequestAllocatesNothing(t *testing.T) {
	size := make(chan int, 1)
	o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, func(c net.Conn) {
		buf := make([]byte, <-size)
		answer := []byte(empty)
		for {
			if _, err := io.ReadFull(c, buf); err != nil {
				return
			}
			_, _ = c.Write(answer)
		}
	}))
	o.Entries[0].Method, o.Entries[0].Body = "POST", []byte(strings.Repeat("x", 20_000))
	c := client(t, o)
	size <- len(c.entries[0].head) + len("\r\n") + len(o.Entries[0].Body)
	done := make(chan struct{}, 1)
	call := &protocol.Call{Done: func() { done <- struct{}{} }}
	exchange := func() { c.Start(call); <-done }
	exchange()
	if n := testing.AllocsPerRun(200, exchange); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
