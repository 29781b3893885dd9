package http2

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestHTTP2MakesMoreConnectionsRatherThanWait(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			const n = 12
			all, release := make(chan struct{}), make(chan struct{})
			var arrived atomic.Int64
			o := f.Serve(t, func(http.ResponseWriter, *http.Request) {
				if arrived.Add(1)%n == 0 {
					all <- struct{}{}
				}
				<-release
			}, func(s *httptest.Server) { s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 2} })
			w := new(protocoltest.ConnRecorder)
			o.MaxConns, o.Observer = n, w
			c := client(t, o)
			for range 3 { // Later rounds find the pool as the first left it.
				var running sync.WaitGroup
				for range n {
					running.Go(func() {
						if r := exchange(c, protocol.Request{}); r.Failed() {
							t.Errorf("failed as %q: %v", r.Reason, r.Err)
						}
					})
				}
				<-all // All of them are with the server at the same time.
				for range n {
					release <- struct{}{}
				}
				running.Wait()
			}
			checkClosed(t, c, w)
		})
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*httpreq.Options){
		"no entries":     func(o *httpreq.Options) { o.Entries = nil },
		"only HTTP/1":    func(o *httpreq.Options) { o.Protocol = httpreq.HTTP1 },
		"no certificate": func(o *httpreq.Options) { o.TLS.CA = "x" },
		"no credentials": func(o *httpreq.Options) { o.Authorization = &httpreq.Authorization{} },
	} {
		o := protocoltest.Options(t, "https://127.0.0.1:1")
		spoil(&o)
		if c, err := New(o); err == nil {
			c.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

func TestSentIsTheStartOfAConnectionBeingMade(t *testing.T) {
	// The server completes the handshake only when the test lets it. The wait belongs to
	// the exchange, both for the one that makes the connection and for the one that shares
	// it.
	let := make(chan struct{})
	w := new(protocoltest.ConnRecorder)
	o := flavours()[1].Serve(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) {
		s.Listener = protocoltest.Gate{Listener: s.Listener, Let: let}
	})
	o.Observer = w
	c := client(t, o)
	first, second := begin(c, protocol.Request{}), begin(c, protocol.Request{})
	c.Flush()
	opening := time.Now()
	close(let)
	for _, results := range []<-chan protocol.Result{first, second} {
		if r := <-results; r.Failed() || !r.Sent.Before(opening) {
			t.Errorf("sent %s after the connection was made (reason %q)", r.Sent.Sub(opening), r.Reason)
		}
	}
	checkOne(t, w)
}
