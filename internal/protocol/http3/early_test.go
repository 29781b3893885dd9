//go:build !race

// quic-go 0.65 has races of its own while a stream is opened before the handshake is complete: it reads what
// the server then sets of flow control without a lock.

package http3_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/quic-go/quic-go"
	quichttp "github.com/quic-go/quic-go/http3"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// earlyServer serves HTTP/3, until it is stopped, and shows the handler whether a request came before
// the handshake was complete. Each request has a connection of its own.
func earlyServer(t *testing.T, handle func(w http.ResponseWriter, method string, early bool)) (o httpreq.Options, stop func()) {
	t.Helper()
	type key struct{}
	f := flavour()
	f.Start = func(tb testing.TB, server *httptest.Server) string {
		tb.Helper()
		conn := listen(tb)
		s := &quichttp.Server{
			TLSConfig:   quichttp.ConfigureTLSConfig(server.TLS),
			QUICConfig:  &quic.Config{Allow0RTT: true},
			ConnContext: func(ctx context.Context, c *quic.Conn) context.Context { return context.WithValue(ctx, key{}, c) },
			Handler:     server.Config.Handler,
		}
		go func() { _ = s.Serve(conn) }()
		stop = func() { _, _ = s.Close(), conn.Close() }
		tb.Cleanup(stop)
		return conn.LocalAddr().String()
	}
	o = f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(key{}).(*quic.Conn)
		select {
		case <-c.HandshakeComplete():
			handle(w, r.Method, false)
		default:
			handle(w, r.Method, true)
		}
	})
	o.KeepAlive = false
	return o, stop
}

func TestSafeRequestsGoWithTheHandshakeIfTheyMay(t *testing.T) {
	var early atomic.Int64
	o, _ := earlyServer(t, func(_ http.ResponseWriter, method string, isEarly bool) {
		if isEarly {
			early.Add(1)
			if method != http.MethodGet {
				t.Errorf("a %s came early", method)
			}
		}
	})
	post := o.Entries[0]
	post.Method = http.MethodPost
	long := o.Entries[0]
	long.Method, long.Body = http.MethodOptions, []byte("body")
	o.Entries = append(o.Entries, post, long)
	c := newClient(t, o)
	for range 20 {
		mustSucceed(t, c)
	}
	if n := early.Load(); n > 0 {
		t.Errorf("%d requests came early, though they may not", n)
	}
	o.EarlyData = true
	c = newClient(t, o)
	protocoltest.Eventually(t, "requests come early", func() bool {
		for i := range o.Entries {
			if r := run(c, &protocol.Call{Request: protocol.Request{Entry: i}}); r.Failed() {
				t.Fatalf("entry %d failed as %q: %v", i, r.Reason, r.Err)
			}
		}
		return early.Load() > 5
	})
}

func TestARequestThatIsTooEarlyIsSentAfterTheHandshake(t *testing.T) {
	o, _ := earlyServer(t, func(w http.ResponseWriter, _ string, early bool) {
		if early {
			w.WriteHeader(http.StatusTooEarly)
		}
	})
	o.EarlyData, o.KeepAlive = true, true
	o.MaxConnRequests = 2
	c := newClient(t, o)
	repeats := 0
	protocoltest.Eventually(t, "requests are refused as too early", func() bool {
		r := run(c, &protocol.Call{Admit: func(e protocol.Extra) bool {
			repeats++
			return e == protocol.Retry
		}})
		if r.Failed() || r.Code != "200" {
			t.Fatalf("failed as %q, code %q: %v", r.Reason, r.Code, r.Err)
		}
		return repeats > 3
	})
	protocoltest.Eventually(t, "one that may not be repeated has the response", func() bool {
		r := run(c, denied())
		return r.Reason == protocol.ReasonStatus && r.Code == "425"
	})
}

func TestAServerMayRejectWhatComesEarly(t *testing.T) {
	var allows atomic.Bool
	allows.Store(true)
	config := &quic.Config{Allow0RTT: true}
	config.GetConfigForClient = func(*quic.ClientInfo) (*quic.Config, error) { return &quic.Config{Allow0RTT: allows.Load()}, nil }
	var used atomic.Int64
	o := byHand(t, config, func(c *served) {
		for s := c.next(); s != nil; s = c.next() {
			<-c.HandshakeComplete()
			if c.ConnectionState().Used0RTT {
				used.Add(1)
			}
			respond(s, section(":status", "200"))
		}
	})
	o.EarlyData, o.KeepAlive = true, false
	c := newClient(t, o)
	repeats := 0
	protocoltest.Eventually(t, "the server has rejected it", func() bool {
		// A ticket allows early data only if the server did when it issued it, and a rejection costs a
		// repeat only if the request was sent before it arrived: both are needed at once.
		allows.Store(true)
		before := used.Load()
		protocoltest.Eventually(t, "the server has allowed it", func() bool {
			mustSucceed(t, c)
			return used.Load() > before
		})
		allows.Store(false)
		r := run(c, &protocol.Call{Admit: func(e protocol.Extra) bool {
			repeats++
			return e == protocol.Retry
		}})
		if r.Failed() {
			t.Fatalf("failed as %q: %v", r.Reason, r.Err)
		}
		return repeats > 0
	})
}
