package httpstd

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
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
