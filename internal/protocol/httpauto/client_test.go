package httpauto_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/http1"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/http2"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpauto"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func client(t *testing.T, o httpreq.Options) *httpauto.Client {
	t.Helper()
	one, err := http1.New(o)
	if err != nil {
		t.Fatal(err)
	}
	two, err := http2.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c := httpauto.New(o, one, two)
	t.Cleanup(c.Close)
	return c
}

// send sends requests for an entry, all at once, and waits for them.
func send(t *testing.T, c *httpauto.Client, entry, n int) []protocol.Result {
	t.Helper()
	var ended sync.WaitGroup
	calls := make([]protocol.Call, n)
	for i := range calls {
		ended.Add(1)
		calls[i].Request.Entry = entry
		calls[i].Done = ended.Done
		c.Start(&calls[i])
	}
	c.Flush()
	ended.Wait()
	results := make([]protocol.Result, 0, n)
	for i := range calls {
		results = append(results, calls[i].Result)
	}
	return results
}

func mustSucceed(t *testing.T, results []protocol.Result) {
	t.Helper()
	for _, r := range results {
		if r.Failed() {
			t.Fatalf("failed as %q: %v", r.Reason, r.Err)
		}
	}
}

func TestWhatIsSpokenIsWhatTheTargetAgreesTo(t *testing.T) {
	for _, f := range protocoltest.Flavours() {
		if f.Protocol != httpreq.Auto {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			var mu sync.Mutex
			majors := map[int]int{}
			o := f.Serve(t, func(_ http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				majors[r.ProtoMajor]++
			})
			w := new(protocoltest.ConnRecorder)
			o.Observer = w
			c := client(t, o)
			for range 3 {
				mustSucceed(t, send(t, c, 0, 20))
			}
			if len(majors) != 1 || majors[f.Major] != 60 {
				t.Errorf("versions %v, want %d", majors, f.Major)
			}
			for _, p := range w.Phases() {
				if want := map[int]string{1: protocol.HTTP1, 2: protocol.HTTP2}[f.Major]; p.Protocol != want {
					t.Errorf("the wire is told of %q", p.Protocol)
				}
			}
			c.Close()
			w.CheckClosed(t)
		})
	}
}

func TestATargetThatChangesItsMindIsFollowed(t *testing.T) {
	// A server without HTTP/2, then one with it, then the first again: at one address.
	ca := protocoltest.NewAuthority(t)
	var mu sync.Mutex
	majors := map[int]int{}
	serve := func(addr string, h2 bool) *httptest.Server {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			majors[r.ProtoMajor]++
		}))
		if addr != "" {
			_ = s.Listener.Close()
			protocoltest.Eventually(t, "the port is free again", func() bool {
				var err error
				s.Listener, err = new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
				return err == nil
			})
		}
		s.TLS = ca.ServerConfig(t, nil)
		s.EnableHTTP2 = h2
		s.Config.ErrorLog = protocoltest.Quiet()
		s.StartTLS()
		return s
	}
	s := serve("", false)
	addr := s.Listener.Addr().String()
	o := protocoltest.Options(t, s.URL)
	o.TLS.CA = ca.PEM
	c := client(t, o)
	for i, h2 := range []bool{false, true, false} {
		if i > 0 {
			s.Close()
			s = serve(addr, h2)
		}
		protocoltest.Eventually(t, "requests succeed again", func() bool { return !send(t, c, 0, 1)[0].Failed() })
		mustSucceed(t, send(t, c, 0, 10))
	}
	s.Close()
	if majors[1] < 20 || majors[2] < 10 {
		t.Errorf("versions %v", majors)
	}
}

// TestANameIsResolvedOnceForBothVersions counts the queries for the name of a target that is
// found to speak one version, and then for as long as its addresses are good.
func TestANameIsResolvedOnceForBothVersions(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		ca := protocoltest.NewAuthority(t)
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		s.TLS, s.EnableHTTP2, s.Config.ErrorLog = ca.ServerConfig(t, nil), h2, protocoltest.Quiet()
		s.StartTLS()
		t.Cleanup(s.Close)
		_, port, err := net.SplitHostPort(s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		names := protocoltest.NewNameServer(t, "127.0.0.1")
		o := protocoltest.Options(t, "https://target.test:"+port)
		o.TLS.CA, o.Net.Resolver, o.ResolveEvery, o.MaxConnRequests = ca.PEM, names.Resolver(), time.Hour, 10
		w := new(protocoltest.ConnRecorder)
		o.Observer = w
		c := client(t, o)
		for range 10 {
			mustSucceed(t, send(t, c, 0, 20))
		}
		if opened, _ := w.Counts(); opened < 10 {
			t.Errorf("HTTP/2 %t: %d connections", h2, opened)
		}
		if n := names.Lookups(); n != 1 {
			t.Errorf("HTTP/2 %t: the name was looked up %d times", h2, n)
		}
	}
}

func TestAnEntryThatIsNotThereIsRefused(t *testing.T) {
	c := client(t, protocoltest.Options(t, "http://127.0.0.1:1"))
	for _, entry := range []int{-1, 1} {
		protocoltest.CheckReason(t, send(t, c, entry, 1)[0], protocol.ReasonProtocol)
	}
}

func TestAfterClosingAllIsCanceled(t *testing.T) {
	o := protocoltest.Flavours()[3].Serve(t, func(http.ResponseWriter, *http.Request) {})
	c := client(t, o)
	mustSucceed(t, send(t, c, 0, 1))
	c.Close()
	protocoltest.CheckReason(t, send(t, c, 0, 1)[0], protocol.ReasonCanceled)
}
