package http1

import (
	"context"
	"io"
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
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestDoSpeaksTheProtocolThatIsAskedFor(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			var major atomic.Int64
			o := f.Serve(t, func(_ http.ResponseWriter, r *http.Request) { major.Store(int64(r.ProtoMajor)) })
			r := mustSucceed(t, client(t, o))
			if got := int(major.Load()); got != f.Major {
				t.Errorf("the server saw HTTP/%d, want HTTP/%d", got, f.Major)
			}
			if r.Code != "200" || r.Err != nil {
				t.Errorf("code %q, error %v", r.Code, r.Err)
			}
		})
	}
}

func TestDoSendsTheEntryAsConfigured(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			var got *http.Request
			var body []byte
			o := f.Serve(t, func(_ http.ResponseWriter, r *http.Request) {
				got = r
				body, _ = io.ReadAll(r.Body)
			})
			o.Entries = append(o.Entries, httpmix.Entry{
				Method: "PUT",
				URL:    o.Entries[0].URL.JoinPath("/a b/c"),
				Header: http.Header{"X-Two": {"1", "2"}, "Accept-Encoding": {"br"}},
				Host:   "other.test:8080",
				Body:   []byte("hello"),
				Expect: protocoltest.OK(t),
			})
			o.Entries[1].URL.RawQuery = "q=1&q=2"
			c := client(t, o)
			if r := c.Do(t.Context(), protocol.Request{Entry: 1}); r.Failed() {
				t.Fatal(r.Err)
			}
			if got.Method != "PUT" || got.RequestURI != "/a%20b/c?q=1&q=2" || got.Host != "other.test:8080" {
				t.Errorf("got %s %s for %s", got.Method, got.RequestURI, got.Host)
			}
			if string(body) != "hello" || got.ContentLength != 5 {
				t.Errorf("got body %q of %d bytes", body, got.ContentLength)
			}
			if two := got.Header.Values("X-Two"); len(two) != 2 || two[0] != "1" || two[1] != "2" {
				t.Errorf("got %q", two)
			}
			if got.Header.Get("Accept-Encoding") != "br" || got.UserAgent() != "traffic_exporter/test" {
				t.Errorf("got %v", got.Header)
			}
		})
	}
}

func TestDoAddsNothingThatNobodyAskedFor(t *testing.T) {
	var got *http.Request
	o := flavours()[0].Serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
	})
	o.UserAgent = ""
	c := client(t, o)
	mustSucceed(t, c)
	mustSucceed(t, c)
	if len(got.Header) != 0 {
		t.Errorf("got %v", got.Header)
	}
}

func TestDoTellsTheSlotAndTheTrace(t *testing.T) {
	r := protocol.Request{Scenario: "shop", Segment: "1700000000-ab12", Seq: 18446744073709551615}
	r.Trace[0], r.Trace[15], r.Span[0], r.Span[7] = 0xab, 1, 0xcd, 2
	const trace = "00-ab000000000000000000000000000001-cd00000000000002-"
	for _, test := range []struct {
		name       string
		slot       bool
		mode       httpmix.TraceMode
		wantSlot   string
		wantParent string
	}{
		{"both, sampled", true, httpmix.TraceSampled, "shop/1700000000-ab12/18446744073709551615", trace + "01"},
		{"both, unsampled", true, httpmix.TraceUnsampled, "shop/1700000000-ab12/18446744073709551615", trace + "00"},
		{"only the slot", true, httpmix.TraceNone, "shop/1700000000-ab12/18446744073709551615", ""},
		{"only the trace", false, httpmix.TraceSampled, "", trace + "01"},
		{"nothing", false, httpmix.TraceNone, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got http.Header
			o := flavours()[0].Serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
			o.SlotHeader, o.Traceparent = test.slot, test.mode
			if res := client(t, o).Do(t.Context(), r); res.Failed() {
				t.Fatal(res.Err)
			}
			if s := got.Get("Traffic-Slot"); s != test.wantSlot {
				t.Errorf("slot %q, want %q", s, test.wantSlot)
			}
			if p := got.Get("traceparent"); p != test.wantParent {
				t.Errorf("traceparent %q, want %q", p, test.wantParent)
			}
		})
	}
}

func TestNoTraceOfZerosIsSent(t *testing.T) {
	w := writer{httpmix.Varying{Trace: httpmix.TraceSampled}}
	if b := w.append(nil, &entry{head: []byte("GET / HTTP/1.1\r\n")}, protocol.Request{}, time.Now()); string(b) != "GET / HTTP/1.1\r\n\r\n" {
		t.Errorf("got %q", b)
	}
}

func TestDoKeepsConnectionsOrNot(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			for _, keep := range []bool{true, false} {
				o := f.Serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") })
				w := new(protocoltest.Wire)
				o.KeepAlive, o.Wire = keep, w
				c := client(t, o)
				for range 5 {
					mustSucceed(t, c)
				}
				if keep {
					checkOne(t, w)
				} else if opened, _ := w.Counts(); opened != 5 {
					t.Errorf("%d connections for 5 requests", opened)
				}
			}
		})
	}
}

func TestDoReadsTheBodyAndReusesTheConnection(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			o := f.Serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 700_000)) })
			w := new(protocoltest.Wire)
			o.Wire = w
			c := client(t, o)
			for range 3 {
				mustSucceed(t, c)
			}
			checkOne(t, w)
			if _, received := w.Bytes(); received < 3*700_000 || received > 3*720_000 {
				t.Errorf("received %d bytes", received)
			}
		})
	}
}

func TestDoLimitsTheBody(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			for _, test := range []struct {
				name string
				size int
				want protocol.Reason
			}{
				{"exactly as long as allowed", 50_000, protocol.ReasonNone},
				{"one byte longer", 50_001, protocol.ReasonProtocol},
				{"without end", 1 << 30, protocol.ReasonProtocol},
			} {
				t.Run(test.name, func(t *testing.T) {
					o := f.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
						for left := test.size; left > 0; left -= 10_000 {
							if _, err := w.Write(make([]byte, min(left, 10_000))); err != nil {
								return
							}
						}
					})
					o.MaxResponseBytes = 50_000
					r := do(t, client(t, o))
					if r.Reason != test.want || r.Code != "200" {
						t.Errorf("code %q, reason %q: %v", r.Code, r.Reason, r.Err)
					}
				})
			}
		})
	}
}

func TestDoNeedsNoBody(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			o := f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					w.Header().Set("Content-Length", "2000000")
					return
				}
				w.WriteHeader(http.StatusNoContent)
			})
			w := new(protocoltest.Wire)
			o.Wire = w
			o.Entries = append(o.Entries, httpmix.Entry{Method: "HEAD", URL: o.Entries[0].URL, Expect: protocoltest.OK(t)})
			c := client(t, o)
			for i := range 4 {
				if r := c.Do(t.Context(), protocol.Request{Entry: i % 2}); r.Failed() {
					t.Error(r.Err)
				}
			}
			checkOne(t, w)
		})
	}
}

func TestDoJudgesTheStatus(t *testing.T) {
	o := flavours()[0].Serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	w := new(protocoltest.Wire)
	o.Wire = w
	missing := httpmix.Entry{URL: o.Entries[0].URL.JoinPath("/missing"), Expect: protocoltest.OK(t)}
	expected := missing
	expected.Expect, _ = httpmix.NewStatuses(httpmix.StatusRange{First: 404, Last: 404})
	o.Entries = append(o.Entries, missing, expected)
	c := client(t, o)
	for i, want := range []protocol.Reason{protocol.ReasonNone, protocol.ReasonStatus, protocol.ReasonNone} {
		r := c.Do(t.Context(), protocol.Request{Entry: i})
		if r.Reason != want {
			t.Errorf("entry %d: reason %q, want %q", i, r.Reason, want)
		}
		if i > 0 && r.Code != "404" {
			t.Errorf("entry %d: code %q", i, r.Code)
		}
	}
	if opened, _ := w.Counts(); opened != 1 {
		t.Errorf("an unexpected status cost the connection: %d", opened)
	}
}

func TestDoRefusesAnEntryThatIsNotThere(t *testing.T) {
	c := client(t, protocoltest.Options(t, "http://127.0.0.1:1"))
	for _, i := range []int{-1, 1, 1 << 40} {
		protocoltest.CheckReason(t, c.Do(t.Context(), protocol.Request{Entry: i}), protocol.ReasonProtocol)
	}
}

func TestSentIsTheWriteOnAKeptConnection(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			c := client(t, f.Serve(t, func(http.ResponseWriter, *http.Request) {}))
			before := time.Now()
			first := mustSucceed(t, c)
			between := time.Now()
			second := mustSucceed(t, c)
			if first.Sent.Before(before) || !first.Sent.Before(first.Done) || second.Sent.Before(between) || !second.Sent.Before(second.Done) {
				t.Error("times are out of order")
			}
		})
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

func TestDoIsSafeForConcurrentUse(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			var seen sync.Map
			o := f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				if _, twice := seen.LoadOrStore(r.Header.Get("Traffic-Slot"), true); twice {
					w.WriteHeader(http.StatusConflict)
				}
				_, _ = io.Copy(io.Discard, r.Body)
			})
			w := new(protocoltest.Wire)
			o.SlotHeader, o.Traceparent, o.MaxConns, o.Wire = true, httpmix.TraceSampled, 16, w
			o.BasicAuth = &httpmix.BasicAuth{Username: "u", Password: "p"}
			o.Entries[0].Method, o.Entries[0].Body = "POST", []byte(strings.Repeat("x", 5000))
			c := client(t, o)
			var running sync.WaitGroup
			for worker := range 16 {
				running.Go(func() {
					for i := range 20 {
						r := protocol.Request{Scenario: "s", Segment: "g", Seq: uint64(20*worker + i), Trace: [16]byte{1}}
						if res := c.Do(context.Background(), r); res.Failed() {
							t.Errorf("failed as %q: %v", res.Reason, res.Err)
						}
					}
				})
			}
			running.Wait()
			if opened, _ := w.Counts(); opened > 16 {
				t.Errorf("%d connections", opened)
			}
			checkClosed(t, c, w)
		})
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := func() httpmix.Options { return protocoltest.Options(t, "http://127.0.0.1:1") }
	for _, test := range []struct {
		name  string
		spoil func(*httpmix.Options)
		want  string
	}{
		{"no entries", func(o *httpmix.Options) { o.Entries = nil }, "no entries"},
		{"no connect timeout", func(o *httpmix.Options) { o.ConnectTimeout = 0 }, "connect timeout 0s is not positive"},
		{"no timeout", func(o *httpmix.Options) { o.Timeout = -1 }, "timeout -1ns is not positive"},
		{"no response", func(o *httpmix.Options) { o.MaxResponseBytes = 0 }, "longest response of 0 bytes is not positive"},
		{"no connections", func(o *httpmix.Options) { o.MaxConns = 0 }, "0 connections are not enough"},
		{"unknown protocol", func(o *httpmix.Options) { o.Protocol = 9 }, "unknown protocol 9"},
		{"unknown trace mode", func(o *httpmix.Options) { o.Traceparent = 9 }, "unknown trace mode 9"},
		{"two credentials", func(o *httpmix.Options) {
			o.BasicAuth, o.Authorization = &httpmix.BasicAuth{}, &httpmix.Authorization{}
		}, "basic auth and authorization exclude each other"},
		{"no URL", func(o *httpmix.Options) { o.Entries[0].URL = nil }, "entry 0: no URL"},
		{"no scheme", func(o *httpmix.Options) { o.Entries[0].URL = &url.URL{Host: "a"} }, `entry 0: URL "//a": scheme is not one of ["http" "https"]`},
		{"no host", func(o *httpmix.Options) { o.Entries[0].URL = &url.URL{Scheme: "http", Host: ":80"} }, `entry 0: URL "http://:80": no host`},
		{"h2 in the clear", func(o *httpmix.Options) { o.Protocol = httpmix.HTTP2 }, `entry 0: URL "http://127.0.0.1:1": scheme is not one of ["https"]`},
		{"h2c with TLS", func(o *httpmix.Options) { o.Protocol, o.Entries[0].URL.Scheme = httpmix.H2C, "https" }, `entry 0: URL "https://127.0.0.1:1": scheme is not one of ["http"]`},
		{"no status", func(o *httpmix.Options) { o.Entries[0].Expect = httpmix.Statuses{} }, "entry 0: expects no status at all"},
		{"bad method", func(o *httpmix.Options) { o.Entries[0].Method = "A B" }, `entry 0: invalid method "A B"`},
		{"no certificate", func(o *httpmix.Options) { o.TLS.CA = "x" }, `tls: CA: no certificate in "the given text"`},
		{"versions upside down", func(o *httpmix.Options) { o.TLS.MinVersion, o.TLS.MaxVersion = 0x304, 0x303 }, "tls: highest version is below the lowest"},
		{"no credentials", func(o *httpmix.Options) { o.Authorization = &httpmix.Authorization{} }, "authorization: credentials are empty"},
		{"text and file", func(o *httpmix.Options) { o.BasicAuth = &httpmix.BasicAuth{Password: "p", PasswordFile: "/dev/null"} }, `basic auth: password: file "/dev/null" excludes a value beside it`},
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
		_, err := New(httpmix.Options{Entries: []httpmix.Entry{{}}})
		if err == nil || strings.Count(err.Error(), "\n") != 4 {
			t.Errorf("got %v", err)
		}
	})
}
