package http1

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// both returns what comes of n exchanges of the entry, one after the other, by our client
// and by net/http's.
func both(t *testing.T, o httpreq.Options, entry, n int) (ours, theirs []string) {
	t.Helper()
	text := func(r protocol.Result) string { return r.Code + " " + r.Reason.String() }
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	std := protocoltest.NetHTTP(t, o)
	for range n {
		ours = append(ours, text(waiting{c}.Do(t.Context(), protocol.Request{Entry: entry})))
		theirs = append(theirs, text(exchangeWith(t.Context(), std, protocol.Request{Entry: entry})))
	}
	return ours, theirs
}

// TestWholeExchangesAreThoseOfNetHTTP sends all kinds of requests to a server that responds
// in all kinds of ways.
func TestWholeExchangesAreThoseOfNetHTTP(t *testing.T) {
	long := strings.Repeat("0123456789", 10_000)
	serve := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		q := r.URL.Query()
		for range len(q["hint"]) {
			w.Header().Set("Link", "<a>")
			w.WriteHeader(http.StatusEarlyHints)
		}
		if q.Has("close") {
			w.Header().Set("Connection", "close")
		}
		if q.Has("trailer") {
			w.Header().Set("Trailer", "X-Sum")
			defer w.Header().Set("X-Sum", "1")
		}
		if status, err := strconv.Atoi(q.Get("status")); err == nil {
			w.WriteHeader(status)
		}
		if q.Has("flush") {
			_ = http.NewResponseController(w).Flush()
		}
		switch {
		case q.Has("abort"):
			_, _ = io.WriteString(w, long)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case q.Has("long"):
			_, _ = io.WriteString(w, long)
		case q.Has("short"):
			_, _ = io.WriteString(w, "x")
		}
	}
	queries := []string{
		"", "short", "long", "flush&short", "flush&long", "flush&trailer&long", "close&short", "close&flush&long", "hint&short", "hint&hint&long",
		"status=204", "status=304", "status=205", "status=301&short", "status=404&long", "status=500&flush&short", "status=599", "abort", "flush&abort",
	}
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			o := f.Serve(t, serve)
			o.MaxResponseBytes = int64(len(long))
			base := o.Entries[0].URL
			o.Entries = nil
			for _, query := range queries {
				for _, method := range []string{"", "HEAD", "POST", "DELETE", "OPTIONS", "STRANGE"} {
					e := httpreq.Entry{Method: method, URL: protocoltest.At(t, base, "/?"+query), Expect: protocoltest.OK(t)}
					if method == "POST" {
						e.Body = []byte(long)
					}
					o.Entries = append(o.Entries, e)
				}
				o.Entries = append(o.Entries, httpreq.Entry{
					Method: "PUT", Source: protocoltest.Generated(300_000), URL: protocoltest.At(t, base, "/?"+query), Expect: protocoltest.OK(t),
				})
			}
			for i, e := range o.Entries {
				ours, theirs := both(t, o, i, 2)
				if strings.Join(ours, ", ") != strings.Join(theirs, ", ") {
					t.Errorf("%s %s: %q, by net/http %q", e.Method, e.URL, ours, theirs)
				}
			}
		})
	}
}

// TestWhatServersDoWrongIsWhatItIsToNetHTTP expects net/http's code and reason for
// responses written by hand, over two exchanges, except where we are stricter or more exact
// on purpose.
func TestWhatServersDoWrongIsWhatItIsToNetHTTP(t *testing.T) {
	// deliberate holds our outcome of a response and net/http's, where they differ.
	deliberate := map[string][2]string{
		// It may be taken (RFC 9110, section 8.6).
		"a list of the same length": {"200 ", " protocol"},
		// It must not, or may be refused, since others read it as something else.
		"a space before the colon":             {" protocol", "200 "},
		"a space before the colon of a coding": {" protocol", "200 "},
		"a space in a name":                    {" protocol", "200 "},
		// It is harmless (RFC 9112, section 5.1).
		"a space before a harmless colon":   {"200 ", " protocol"},
		"a control character in the reason": {" protocol", "200 "},
		"chunks in HTTP/1.0":                {" protocol", "200 "},
		"HTTP/2":                            {" protocol", "200 "},
		// A bound is known to be exceeded before the server hangs up.
		"a line that is too long":        {" protocol", " reset"},
		"a body that is too long":        {"200 protocol", "200 reset"},
		"chunks that are too long":       {"200 protocol", "200 reset"},
		"a chunk that never ends":        {"200 protocol", "200 reset"},
		"too many interim answers":       {" protocol", " reset"},
		"a folded line that is too long": {" protocol", "200 "},
		// Below 100 there is none (RFC 9110, section 15).
		"a status that is none": {" protocol", " status"},
	}
	for _, a := range responseCases() {
		t.Run(a.name, func(t *testing.T) {
			o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, protocoltest.RespondAndClose(a.text)))
			o.MaxResponseBytes = 1000
			if a.head {
				o.Entries[0].Method = "HEAD"
			}
			n := 2
			if a.rest != "" {
				n = 1 // Whether net/http uses the connection before it sees the rest is a race.
			}
			ours, theirs := both(t, o, 0, n)
			for i := range ours {
				want, differs := deliberate[a.name]
				if !differs {
					want = [2]string{theirs[i], theirs[i]}
				}
				if got := [2]string{ours[i], theirs[i]}; got != want {
					t.Errorf("to us and to net/http it is %q, want %q", got, want)
				}
			}
		})
	}
}

// TestRetriesAreThoseOfNetHTTP compares what comes of a second request on a connection
// that the server ends when it arrives.
func TestRetriesAreThoseOfNetHTTP(t *testing.T) {
	for _, test := range []struct {
		method string
		header []protocol.Field
		begins string
		want   string
		// theirs is what comes of it by net/http, if not the same.
		theirs string
	}{
		{method: "GET", want: "200 "},
		{method: "HEAD", want: "200 "},
		{method: "OPTIONS", want: "200 "},
		{method: "TRACE", want: "200 "},
		{method: "POST", want: " reset"},
		{method: "PATCH", want: " reset"},
		{method: "POST", header: []protocol.Field{{Name: "Idempotency-Key", Value: "1"}}, want: "200 "},
		{method: "POST", header: []protocol.Field{{Name: "X-Idempotency-Key", Value: "1"}}, want: "200 "},
		{method: "GET", begins: "HTTP/1.1 2", want: " reset", theirs: " protocol"},
	} {
		o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, func(c net.Conn) {
			protocoltest.ReadHead(c)
			_, _ = io.WriteString(c, empty)
			protocoltest.ReadHead(c)
			_, _ = io.WriteString(c, test.begins)
			_ = c.Close()
		}))
		o.Entries[0].Method, o.Entries[0].Fields = test.method, test.header
		ours, theirs := both(t, o, 0, 2)
		if test.theirs == "" {
			test.theirs = test.want
		}
		if ours[0] != "200 " || ours[1] != test.want || theirs[1] != test.theirs {
			t.Errorf("%s %v, begun %q: %q, by net/http %q, want %q", test.method, test.header, test.begins, ours, theirs, test.want)
		}
	}
}

// TestWhatNetHTTPDoesNotRepeat are methods that RFC 9110, section 9.2.2 calls idempotent
// and net/http does not.
func TestWhatNetHTTPDoesNotRepeat(t *testing.T) {
	for _, method := range []string{"PUT", "DELETE"} {
		o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, func(c net.Conn) {
			protocoltest.ReadHead(c)
			_, _ = io.WriteString(c, empty)
			protocoltest.ReadHead(c)
			_ = c.Close()
		}))
		o.Entries[0].Method = method
		c := client(t, o)
		for range 5 {
			mustSucceed(t, c)
		}
	}
}

func TestARequestIsRepeatedOnceAndOnlyOnANewConnection(t *testing.T) {
	var conns atomic.Int32
	o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, func(c net.Conn) {
		first := conns.Add(1) == 1
		protocoltest.ReadHead(c)
		if first {
			_, _ = io.WriteString(c, empty)
			protocoltest.ReadHead(c)
		}
		_ = c.Close()
	}))
	c := client(t, o)
	first := mustSucceed(t, c)
	r := wantReason(t, c, protocol.ReasonReset)
	if n := conns.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
	if r.Sent.Before(first.Done) {
		t.Error("it was sent before the one before it had ended")
	}
}

func TestATimeoutIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heads := make(chan struct{}, 10)
		c := client(t, protocoltest.Pipe(t, false, func(c net.Conn) {
			protocoltest.ReadHead(c)
			_, _ = io.WriteString(c, empty)
			protocoltest.ReadHead(c)
			heads <- struct{}{}
			_, _ = io.Copy(io.Discard, c)
		}))
		mustSucceed(t, c)
		if r := wantReason(t, c, protocol.ReasonTimeout); r.Service() != protocoltest.Long {
			t.Errorf("took %s", r.Service())
		}
		if len(heads) != 1 {
			t.Errorf("sent %d times", len(heads))
		}
	})
}

// TestUnsolicitedBytesAreNoResponse has a server that responds twice at once, or once
// more later: neither counts as the response to the next request.
func TestUnsolicitedBytesAreNoResponse(t *testing.T) {
	const no = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
	for _, secure := range []bool{false, true} {
		t.Run("at once", func(t *testing.T) {
			c := client(t, protocoltest.RawOptions(t, secure, protocoltest.Respond(empty+no)))
			for range 20 {
				mustSucceed(t, c)
			}
		})
		t.Run("later", func(t *testing.T) {
			w := new(protocoltest.ConnRecorder)
			let := make(chan struct{}, 1)
			o := protocoltest.RawOptions(t, secure, func(c net.Conn) {
				protocoltest.ReadHead(c)
				_, _ = io.WriteString(c, empty)
				<-let
				_, _ = io.WriteString(c, no)
				_, _ = io.Copy(io.Discard, c)
			})
			o.Observer = w
			c := client(t, o)
			for i := range 5 {
				mustSucceed(t, c)
				let <- struct{}{}
				protocoltest.Eventually(t, "the connection is closed", func() bool { _, closed := w.Counts(); return closed == i+1 })
			}
		})
	}
}

func TestASlowBodyTimesOutInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := protocoltest.Pipe(t, false, func(c net.Conn) {
			protocoltest.ReadHead(c)
			_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
			for err == nil {
				time.Sleep(time.Second)
				_, err = c.Write([]byte("x"))
			}
		})
		if r := wantReason(t, client(t, o), protocol.ReasonTimeout); r.Code != "200" || r.Service() != protocoltest.Long {
			t.Errorf("code %q after %s", r.Code, r.Service())
		}
	})
}

func TestAnIPv6TargetWorks(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "[::1]:0")
	if err != nil {
		t.Skip(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Host, "[::1]:") {
			w.WriteHeader(http.StatusTeapot)
		}
	}), ReadHeaderTimeout: protocoltest.Long}
	ended := make(chan struct{})
	go func() { _ = server.Serve(l); close(ended) }()
	t.Cleanup(func() { _ = server.Close(); <-ended })
	o := protocoltest.Options(t, "http://"+l.Addr().String())
	mustSucceed(t, client(t, o))
	// The name has addresses of both families, but only one responds.
	_, port, _ := net.SplitHostPort(l.Addr().String())
	o.Entries[0].URL = protocoltest.Options(t, "http://localhost:"+port).Entries[0].URL
	o.Entries[0].Fields = []protocol.Field{{Name: "Host", Value: "[::1]:1"}}
	if addrs, _ := net.DefaultResolver.LookupHost(t.Context(), "localhost"); len(addrs) < 2 {
		t.Skip("localhost has one address only")
	}
	mustSucceed(t, client(t, o))
}
