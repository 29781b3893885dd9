package http1

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestNoTraceOfZerosIsSent(t *testing.T) {
	w := writer{httpreq.Varying{Trace: httpreq.TraceSampled}}
	if b := w.append(nil, &entry{head: []byte("GET / HTTP/1.1\r\n")}, protocol.Request{}, time.Now()); string(b) != "GET / HTTP/1.1\r\n\r\n" {
		t.Errorf("got %q", b)
	}
}

func TestSentIsTheStartOfAConnectionBeingMade(t *testing.T) {
	// The server answers the handshake only when told to: the wait belongs to the
	// exchange, for the one that makes the connection and for the one that shares it.
	let := make(chan struct{})
	o := flavours()[2].Serve(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) {
		s.Listener = gate{s.Listener, let}
	})
	c := client(t, o)
	results := make(chan protocol.Result)
	for range 2 {
		go func() { results <- c.Do(context.Background(), protocol.Request{}) }()
	}
	protocoltest.Eventually(t, "both are on their way", func() bool {
		h := c.hosts[0]
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

// gate is a listener that holds back what it accepts.
type gate struct {
	net.Listener
	let <-chan struct{}
}

func (g gate) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	<-g.let
	return c, err
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := func() httpreq.Options { return protocoltest.Options(t, "http://127.0.0.1:1") }
	for _, test := range []struct {
		name  string
		spoil func(*httpreq.Options)
		want  string
	}{
		{"no entries", func(o *httpreq.Options) { o.Entries = nil }, "no entries"},
		{"no connect timeout", func(o *httpreq.Options) { o.ConnectTimeout = 0 }, "connect timeout 0s is not positive"},
		{"no timeout", func(o *httpreq.Options) { o.Timeout = -1 }, "timeout -1ns is not positive"},
		{"no response", func(o *httpreq.Options) { o.MaxResponseBytes = 0 }, "longest response of 0 bytes is not positive"},
		{"no connections", func(o *httpreq.Options) { o.MaxConns = 0 }, "0 connections are not enough"},
		{"unknown protocol", func(o *httpreq.Options) { o.Protocol = 9 }, "unknown protocol 9"},
		{"unknown trace mode", func(o *httpreq.Options) { o.Traceparent = 9 }, "unknown trace mode 9"},
		{"two credentials", func(o *httpreq.Options) {
			o.BasicAuth, o.Authorization = &httpreq.BasicAuth{}, &httpreq.Authorization{}
		}, "basic auth and authorization exclude each other"},
		{"no URL", func(o *httpreq.Options) { o.Entries[0].URL = nil }, "entry 0: no URL"},
		{"no scheme", func(o *httpreq.Options) { o.Entries[0].URL = &url.URL{Host: "a"} }, `entry 0: URL "//a": scheme is not one of ["http" "https"]`},
		{"no host", func(o *httpreq.Options) { o.Entries[0].URL = &url.URL{Scheme: "http", Host: ":80"} }, `entry 0: URL "http://:80": no host`},
		{"h2 in the clear", func(o *httpreq.Options) { o.Protocol = httpreq.HTTP2 }, `entry 0: URL "http://127.0.0.1:1": scheme is not one of ["https"]`},
		{"h2c with TLS", func(o *httpreq.Options) { o.Protocol, o.Entries[0].URL.Scheme = httpreq.H2C, "https" }, `entry 0: URL "https://127.0.0.1:1": scheme is not one of ["http"]`},
		{"no status", func(o *httpreq.Options) { o.Entries[0].Expect = httpreq.Statuses{} }, "entry 0: expects no status at all"},
		{"bad method", func(o *httpreq.Options) { o.Entries[0].Method = "A B" }, `entry 0: invalid method "A B"`},
		{"no certificate", func(o *httpreq.Options) { o.TLS.CA = "x" }, `tls: CA: no certificate in "the given text"`},
		{"versions upside down", func(o *httpreq.Options) { o.TLS.MinVersion, o.TLS.MaxVersion = 0x304, 0x303 }, "tls: highest version is below the lowest"},
		{"no credentials", func(o *httpreq.Options) { o.Authorization = &httpreq.Authorization{} }, "authorization: credentials are empty"},
		{"text and file", func(o *httpreq.Options) { o.BasicAuth = &httpreq.BasicAuth{Password: "p", PasswordFile: "/dev/null"} }, `basic auth: password: file "/dev/null" excludes a value beside it`},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := good()
			test.spoil(&o)
			c, err := New(o)
			if err == nil {
				c.Close()
				t.Fatal("no error")
			}
			if err.Error() != test.want {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
		})
	}
	t.Run("all at once", func(t *testing.T) {
		_, err := New(httpreq.Options{Entries: []httpreq.Entry{{}}})
		if err == nil || strings.Count(err.Error(), "\n") != 4 {
			t.Errorf("got %v", err)
		}
	})
}
