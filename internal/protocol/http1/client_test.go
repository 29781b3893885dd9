package http1

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestNoTraceOfZerosIsSent(t *testing.T) {
	w := writer{Varying: httpreq.Varying{Trace: true}}
	if b := w.append(nil, &entry{Prepared: &httpreq.Prepared{}, head: []byte("GET / HTTP/1.1\r\n")}, protocol.Request{}, time.Now()); string(b) != "GET / HTTP/1.1\r\n\r\n" {
		t.Errorf("got %q", b)
	}
}

func TestSentIsTheStartOfAConnectionBeingMade(t *testing.T) {
	// The server completes the handshake only when the test lets it. The wait belongs to
	// the exchange, both for the one that makes the connection and for the one that shares
	// it.
	let := make(chan struct{})
	o := flavours()[2].Serve(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) {
		s.Listener = protocoltest.Gate{Listener: s.Listener, Let: let}
	})
	c := client(t, o)
	results := make(chan protocol.Result)
	for range 2 {
		go func() { results <- c.Do(context.Background(), protocol.Request{}) }()
	}
	protocoltest.Eventually(t, "both are on their way", func() bool {
		h := c.entries[0].host
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.conns == 2
	})
	opening := time.Now()
	close(let)
	for range 2 {
		if r := <-results; r.Failed() || !r.Sent.Before(opening) {
			t.Errorf("sent %s after the connection was made (reason %q)", r.Sent.Sub(opening), r.Reason)
		}
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*httpreq.Options){
		"no entries":     func(o *httpreq.Options) { o.Entries = nil },
		"no certificate": func(o *httpreq.Options) { o.TLS.CA = "x" },
		"no credentials": func(o *httpreq.Options) { o.Authorization = &httpreq.Authorization{} },
	} {
		o := protocoltest.Options(t, "http://127.0.0.1:1")
		spoil(&o)
		if c, err := New(o); err == nil {
			c.Close()
			t.Errorf("%s: no error", name)
		}
	}
}
