package httpstd

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// checkClosed closes the client and waits for each connection that was opened to be
// closed, once.
func checkClosed(tb testing.TB, c *Client, w *protocoltest.Wire) {
	tb.Helper()
	c.Close()
	w.CheckClosed(tb)
}

// checkOne checks that all requests shared one connection. In the clear net/http
// finds a new HTTP/2 connection only a moment after its first request, and may make
// a second one, which it closes at once.
func checkOne(t *testing.T, w *protocoltest.Wire) {
	t.Helper()
	protocoltest.Eventually(t, "one connection is left", func() bool {
		opened, closed := w.Counts()
		return opened == closed+1
	})
	if opened, _ := w.Counts(); opened > 2 {
		t.Errorf("%d connections", opened)
	}
}

// counted is a listener that counts what its server reads and writes.
type counted struct {
	net.Listener
	read, written, conns *atomic.Int64
}

func (l counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.conns.Add(1)
	return countedConn{c, l}, nil
}

type countedConn struct {
	net.Conn
	l counted
}

func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.l.read.Add(int64(n))
	return n, err
}

func (c countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.l.written.Add(int64(n))
	return n, err
}

func TestWireCountsWhatTheServerCounts(t *testing.T) {
	for _, f := range protocoltest.Flavours() {
		t.Run(f.Name, func(t *testing.T) {
			l := counted{read: new(atomic.Int64), written: new(atomic.Int64), conns: new(atomic.Int64)}
			o := f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				_, _ = w.Write(body)
			},
				func(s *httptest.Server) { l.Listener = s.Listener; s.Listener = l })
			w := new(protocoltest.Wire)
			o.Wire = w
			o.Entries[0].Method, o.Entries[0].Body = "POST", make([]byte, 10_000)
			c := client(t, o)
			for range 5 {
				mustSucceed(t, c)
			}
			checkClosed(t, c, w)
			protocoltest.Eventually(t, "both sides have counted the same", func() bool {
				sent, received := w.Bytes()
				// A client that has closed need not read the server's last words.
				unread := l.written.Load() - int64(received)
				return int64(sent) == l.read.Load() && 0 <= unread && unread <= 100
			})
			if sent, received := w.Bytes(); sent < 50_000 || received < 50_000 {
				t.Errorf("sent %d, received %d bytes", sent, received)
			}
			if opened, _ := w.Counts(); int64(opened) != l.conns.Load() {
				t.Errorf("%d opened, the server saw %d", opened, l.conns.Load())
			}
		})
	}
}

func TestWireIsToldThePhases(t *testing.T) {
	for _, f := range protocoltest.Flavours() {
		t.Run(f.Name, func(t *testing.T) {
			w := new(protocoltest.Wire)
			o := f.Serve(t, func(http.ResponseWriter, *http.Request) {})
			o.Wire = w
			c := client(t, o)
			mustSucceed(t, c)
			p := w.Phases()[0]
			if want := map[int]string{1: protocol.HTTP1, 2: protocol.HTTP2}[f.Major]; p.Protocol != want {
				t.Errorf("protocol %q, want %q", p.Protocol, want)
			}
			if p.DNS != 0 || p.Connect <= 0 || (p.TLS > 0) != f.TLS {
				t.Errorf("got %+v", p)
			}
		})
	}
	t.Run("with a name to resolve", func(t *testing.T) {
		w := new(protocoltest.Wire)
		o := protocoltest.Flavours()[0].Serve(t, func(http.ResponseWriter, *http.Request) {})
		o.Entries[0].URL.Host = "localhost:" + o.Entries[0].URL.Port()
		o.Wire = w
		c := client(t, o)
		mustSucceed(t, c)
		if p := w.Phases()[0]; p.DNS <= 0 || p.Connect <= 0 {
			t.Errorf("got %+v", p)
		}
	})
}

func TestWireIsToldOfConnectionsThatTheServerDrops(t *testing.T) {
	for _, f := range protocoltest.Flavours() {
		t.Run(f.Name, func(t *testing.T) {
			var server *httptest.Server
			w := new(protocoltest.Wire)
			o := f.Serve(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) { server = s })
			o.Wire = w
			c := client(t, o)
			mustSucceed(t, c)
			server.CloseClientConnections()
			protocoltest.Eventually(t, "the connection is closed", func() bool { _, closed := w.Counts(); return closed == 1 })
			mustSucceed(t, c)
			checkClosed(t, c, w)
		})
	}
}

func TestWireIsToldOfConnectionsThatNobodyUses(t *testing.T) {
	for _, f := range protocoltest.Flavours() {
		t.Run(f.Name, func(t *testing.T) {
			w := new(protocoltest.Wire)
			o := f.Serve(t, func(http.ResponseWriter, *http.Request) {})
			o.Wire = w
			c := client(t, o)
			c.transport.IdleConnTimeout = 4 * short
			mustSucceed(t, c)
			protocoltest.Eventually(t, "the connection is closed", func() bool { _, closed := w.Counts(); return closed == 1 })
			mustSucceed(t, c)
			checkClosed(t, c, w)
		})
	}
}

func TestCloseLetsRequestsInFlightFinish(t *testing.T) {
	for _, f := range protocoltest.Flavours() {
		t.Run(f.Name, func(t *testing.T) {
			arrived, release := make(chan struct{}), make(chan struct{})
			w := new(protocoltest.Wire)
			o := f.Serve(t, func(http.ResponseWriter, *http.Request) {
				arrived <- struct{}{}
				<-release
			})
			o.Wire = w
			c := client(t, o)
			results := make(chan protocol.Result, 1)
			go func() { results <- c.Do(context.Background(), protocol.Request{}) }()
			<-arrived
			c.Close()
			protocoltest.CheckReason(t, do(t, c), protocol.ReasonCanceled)
			if _, closed := w.Counts(); closed != 0 {
				t.Error("the connection was closed under the request")
			}
			close(release)
			if r := <-results; r.Failed() {
				t.Errorf("failed as %q: %v", r.Reason, r.Err)
			}
			protocoltest.Eventually(t, "the last request takes its connection along", func() bool {
				opened, closed := w.Counts()
				return opened == 1 && closed == 1
			})
		})
	}
}

func TestCloseEndsConnectsThatOutliveTheirRequests(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		// The server accepts by way of the kernel, and never says a word.
		o := protocoltest.Options(t, scheme+"://127.0.0.1:1")
		o.Timeout = short
		c := dialling(t, o, blackhole())
		wantReason(t, c, protocol.ReasonTimeout)
		if members(c.conns) != 1 {
			t.Error("the connect did not outlive its request")
		}
		c.Close()
		protocoltest.Eventually(t, "the connect is given up", func() bool { return members(c.conns) == 0 })
	}
}

// members returns how many connections there are, ready or not.
func members(s *connSet) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.members)
}

func TestConnectionsAreBounded(t *testing.T) {
	o := protocoltest.Options(t, "http://127.0.0.1:1")
	c := client(t, o)
	c.conns.limit = 0
	wantReason(t, c, protocol.ReasonDenied)
}

func TestConnectionsOpenAndCloseInPairs(t *testing.T) {
	// Closing races with opening: whoever wins, each Opened has its Closed.
	for range 200 {
		ours, theirs := net.Pipe()
		w := new(protocoltest.Wire)
		c := &conn{Conn: ours, wire: w, set: newConnSet(1)}
		var running sync.WaitGroup
		running.Go(func() { _ = c.open(protocol.Phases{}) })
		running.Go(func() { _ = c.Close() })
		running.Go(func() { _ = c.Close() })
		running.Wait()
		_ = theirs.Close()
		if opened, closed := w.Counts(); opened != closed || opened != 1 {
			t.Fatalf("%d opened, %d closed", opened, closed)
		}
		w.CheckClosed(t)
	}
}

func TestTLSDoesNotWaitLongForAPeerThatDoesNotRead(t *testing.T) {
	ca := protocoltest.NewAuthority(t)
	config := ca.ServerConfig(t, nil)
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer func() { _ = theirs.Close() }()
		go func() { _ = tls.Server(theirs, config).Handshake() }() // And not a byte more.
		c := &conn{Conn: ours, wire: protocol.Discard{}, set: newConnSet(1)}
		over := tls.Client(c, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
		if err := over.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_ = (&tlsStream{Conn: over, under: c}).Close()
		if took := time.Since(begin); took != closeTimeout {
			t.Errorf("took %s", took)
		}
	})
}
