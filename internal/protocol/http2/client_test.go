package http2

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
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
			w := new(protocoltest.Wire)
			o.MaxConns, o.Wire = n, w
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

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := func() httpreq.Options { return protocoltest.Options(t, "https://127.0.0.1:1") }
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
		{"h2 in the clear", func(o *httpreq.Options) { o.Protocol, o.Entries[0].URL.Scheme = httpreq.HTTP2, "http" }, `entry 0: URL "http://127.0.0.1:1": scheme is not one of ["https"]`},
		{"h2c with TLS", func(o *httpreq.Options) { o.Protocol = httpreq.H2C }, `entry 0: URL "https://127.0.0.1:1": scheme is not one of ["http"]`},
		{"only HTTP/1", func(o *httpreq.Options) { o.Protocol = httpreq.HTTP1 }, `entry 0: URL "https://127.0.0.1:1": is not for HTTP/2`},
		{"redirects to follow", func(o *httpreq.Options) { o.FollowRedirects = true }, "this client follows no redirects"},
		{"bad header", func(o *httpreq.Options) { o.Entries[0].Header = http.Header{"A b": {"c"}} }, `entry 0: invalid header name "A b"`},
		{"bad value", func(o *httpreq.Options) { o.Entries[0].Header = http.Header{"A": {"b\n"}} }, `entry 0: header "A": control characters in its value`},
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

func TestSentIsTheStartOfAConnectionBeingMade(t *testing.T) {
	// The server answers the handshake only when told to: the wait belongs to the
	// exchange, for the one that makes the connection and for the one that shares it.
	let := make(chan struct{})
	w := new(protocoltest.Wire)
	o := flavours()[1].Serve(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) {
		s.Listener = gate{s.Listener, let}
	})
	o.Wire = w
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
