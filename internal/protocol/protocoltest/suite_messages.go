package protocoltest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// run starts a call and waits for its end.
func (c patient) run(call *protocol.Call) protocol.Result {
	done := make(chan struct{})
	call.Done = func() { close(done) }
	c.Start(call)
	c.Flush()
	<-done
	return call.Result
}

// requestLog keeps what servers saw, one line a request. Safe for concurrent use.
type requestLog struct {
	mu    sync.Mutex
	lines []string
}

// note notes a request.
func (l *requestLog) note(r *http.Request, more ...string) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	var line strings.Builder
	line.WriteString(r.Method + " " + r.RequestURI)
	for _, name := range append([]string{"Host", "Authorization", "X-Api-Key", "X-Env", "X-Plain", "Content-Type"}, more...) {
		value := r.Header.Get(name)
		if name == "Host" && r.Host != r.Context().Value(http.LocalAddrContextKey).(fmt.Stringer).String() {
			value = r.Host
		}
		if value != "" {
			line.WriteString(" " + name + "=" + value)
		}
	}
	if len(body) > 0 {
		line.WriteString(" " + string(body))
	}
	l.lines = append(l.lines, line.String())
}

// take returns the lines since the last call.
func (l *requestLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

// sendsAMessage sends requests that are not in the mix, to the mix' own origin and to
// another one.
func (s Suite) sendsAMessage(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			var here, there requestLog
			o := f.Serve(t, func(_ http.ResponseWriter, r *http.Request) { here.note(r) })
			other := f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				there.note(r)
				w.WriteHeader(http.StatusTeapot)
			})
			if other.TLS.CA != o.TLS.CA {
				o.TLS.CA += other.TLS.CA
			}
			o.FollowRedirects = true
			c := s.client(t, o)
			e := httpreq.Entry{
				Method: "PUT", Body: []byte("b"), Expect: OK(t),
				Fields: []protocol.Field{{Name: "X-Plain", Value: "1"}, {Name: "Authorization", Value: "Bearer x"}},
			}
			for i, to := range []uri.URI{o.Entries[0].URL, other.Entries[0].URL} {
				e.URL = At(t, to, "/a%2Fb?c")
				p, err := e.Prepare("")
				if err != nil {
					t.Fatal(err)
				}
				want := []protocol.Reason{protocol.ReasonNone, protocol.ReasonStatus}[i]
				for range 3 {
					if r := c.run(&protocol.Call{Message: &p}); r.Reason != want {
						t.Errorf("to %s: %q, %v", to, r.Reason, r.Err)
					}
				}
				mustSucceed(t, c) // The mix is untouched.
			}
			const line = "PUT /a%2Fb?c Authorization=Bearer x X-Plain=1 b"
			if got := there.take(); !slices.Equal(got, []string{line, line, line}) {
				t.Errorf("there: %q", got)
			}
			if got := here.take(); !slices.Equal(got, []string{line, line, line, "GET /", "GET /"}) {
				t.Errorf("here: %q", got)
			}
			CheckReason(t, c.run(&protocol.Call{Message: "a string"}), protocol.ReasonProtocol)
		})
	}
}

// keepsADeadlineOfTheCalls ends calls whose own deadline is sooner than the client's timeout,
// on a new connection and on one that is kept, among others that have more time.
func (s Suite) keepsADeadlineOfTheCalls(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			stall := make(chan struct{})
			o := f.Serve(t, func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/stall" {
					<-stall
				}
			})
			t.Cleanup(func() { close(stall) })
			o.Entries = append(o.Entries, o.Entries[0])
			o.Entries[1].URL = At(t, o.Entries[0].URL, "/stall")
			c := s.client(t, o)
			for _, warm := range []bool{false, true} {
				if warm {
					mustSucceed(t, c)
				}
				begin := time.Now()
				r := c.run(&protocol.Call{Request: protocol.Request{Entry: 1}, Deadline: begin.Add(short)})
				CheckReason(t, r, protocol.ReasonTimeout)
				if took := time.Since(begin); took < short || took > Long/2 {
					t.Errorf("warm %t: ended after %s", warm, took)
				}
			}
		})
	}
}

// recorder is a Tap that writes down each call, in a word.
type recorder struct{ b strings.Builder }

// Connection implements protocol.Tap.
func (r *recorder) Connection(c protocol.Connection) { fmt.Fprintf(&r.b, "connection %t\n", c.Reused) }

// Request implements protocol.Tap.
func (r *recorder) Request(h protocol.Head, body []byte) {
	fmt.Fprintf(&r.b, "request %s %s\n", h.Line, body)
}

// Response implements protocol.Tap.
func (r *recorder) Response(h protocol.Head) { fmt.Fprintf(&r.b, "response %d\n", h.Status) }

// Body implements protocol.Tap.
func (r *recorder) Body(p []byte) { fmt.Fprintf(&r.b, "body %s\n", p) }

func (s Suite) reportsToATap(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			o := f.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Trailer", "X-End")
				w.WriteHeader(http.StatusEarlyHints)
				_, _ = io.WriteString(w, "hello")
				w.Header().Set("X-End", "1")
			})
			c := s.client(t, o)
			same := "request GET / " + f.version() + " \nresponse 103\nresponse 200\nbody hello\nresponse 0\n"
			for _, reused := range []string{"false", "true"} {
				var tap recorder
				if r := c.run(&protocol.Call{Tap: &tap}); r.Failed() {
					t.Fatal(r.Err)
				}
				if got := tap.b.String(); got != "connection "+reused+"\n"+same {
					t.Errorf("got\n%s", got)
				}
			}
		})
	}
}
