package http2

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	lib "golang.org/x/net/http2"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestABurstSharesTheConnectionThatIsBeingMade(t *testing.T) {
	for _, test := range []struct {
		requests, conns int
	}{{1, 1}, {100, 1}, {101, 2}, {250, 3}} {
		w := new(protocoltest.ConnRecorder)
		let := make(chan struct{})
		// Until the server says hello, it is not known how much it takes.
		o := flavours()[2].Serve(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) {
			s.Listener = protocoltest.Gate{Listener: s.Listener, Let: let}
		})
		o.Observer, o.MaxConns = w, 1000
		c := client(t, o)
		var all []<-chan protocol.Result
		for range test.requests {
			all = append(all, begin(c, protocol.Request{}))
		}
		c.Flush()
		protocoltest.Eventually(t, "connections are made", func() bool { opened, _ := w.Counts(); return opened >= test.conns })
		close(let)
		for _, results := range all {
			if r := <-results; r.Failed() {
				t.Errorf("reason %q: %v", r.Reason, r.Err)
			}
		}
		if opened, _ := w.Counts(); opened != test.conns {
			t.Errorf("%d connections for %d requests", opened, test.requests)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	let := make(chan struct{})
	w := new(protocoltest.ConnRecorder)
	o := scripted(t, func(s *server) {
		first := s.request()
		<-let
		s.respond(first)
		s.serve()
	}, lib.Setting{ID: lib.SettingMaxConcurrentStreams, Val: 1})
	o.MaxConns, o.Observer = 2, w
	c := client(t, o)
	var all []<-chan protocol.Result
	for i := range 2 {
		all = append(all, begin(c, protocol.Request{}))
		c.Flush()
		protocoltest.Eventually(t, "the settings have come", func() bool {
			opened, _ := w.Counts()
			return opened == i+1 && c.entries[0].origin.learned.Load() == 1 && c.entries[0].origin.pick(new(job)) == nil
		})
	}
	wantReason(t, c, protocol.ReasonLocal)
	close(let)
	for _, results := range all {
		if r := <-results; r.Failed() {
			t.Error(r.Err)
		}
	}
	mustSucceed(t, c)
}

func TestConnectionsRetire(t *testing.T) {
	t.Run("after so many requests", func(t *testing.T) {
		w := new(protocoltest.ConnRecorder)
		o := flavours()[2].Serve(t, func(http.ResponseWriter, *http.Request) {})
		o.Observer, o.MaxConnRequests = w, 3
		c := client(t, o)
		for range 7 {
			mustSucceed(t, c)
		}
		if opened, closed := w.Counts(); opened != 3 || closed != 2 {
			t.Errorf("%d opened, %d closed", opened, closed)
		}
	})
	t.Run("after so long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := new(protocoltest.ConnRecorder)
			o := piped(t, (*server).serve)
			o.Observer, o.MaxConnAge = w, 10*time.Minute
			c := client(t, o)
			for range 9 {
				mustSucceed(t, c)
				time.Sleep(time.Minute)
			}
			checkOne(t, w)
			time.Sleep(2 * time.Minute)
			if _, closed := w.Counts(); closed != 1 {
				t.Errorf("%d connections are closed after eleven minutes", closed)
			}
			mustSucceed(t, c)
		})
	})
	t.Run("with their last request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			let := make(chan struct{})
			w := new(protocoltest.ConnRecorder)
			o := piped(t, func(s *server) {
				if s.conn == 1 {
					id := s.request()
					<-let
					s.respond(id)
				}
				s.serve()
			})
			o.Observer, o.MaxConnAge = w, 5*time.Second
			c := client(t, o)
			first := begin(c, protocol.Request{})
			c.Flush()
			time.Sleep(6 * time.Second)
			mustSucceed(t, c)
			if opened, closed := w.Counts(); opened != 2 || closed != 0 {
				t.Errorf("%d opened, %d closed", opened, closed)
			}
			close(let)
			if r := <-first; r.Failed() {
				t.Error(r.Err)
			}
			synctest.Wait()
			if _, closed := w.Counts(); closed != 1 {
				t.Errorf("%d closed", closed)
			}
		})
	})
	t.Run("when nobody uses them", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := new(protocoltest.ConnRecorder)
			o := piped(t, (*server).serve)
			o.Observer = w
			c := client(t, o)
			mustSucceed(t, c)
			time.Sleep(c.health.idle - time.Second)
			checkOne(t, w)
			time.Sleep(2 * time.Second)
			if _, closed := w.Counts(); closed != 1 {
				t.Errorf("%d closed", closed)
			}
		})
	})
}

func TestPingsKeepAQuietConnection(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			w := new(protocoltest.ConnRecorder)
			let := make(chan struct{})
			o := f.Serve(t, func(http.ResponseWriter, *http.Request) { <-let })
			o.Observer = w
			c := client(t, o)
			c.health.pingAfter, c.health.pingTimeout = short/5, protocoltest.Long
			results := begin(c, protocol.Request{})
			c.Flush()
			sent, received := w.Bytes()
			protocoltest.Eventually(t, "several PINGs were answered", func() bool {
				nowSent, nowReceived := w.Bytes()
				return nowSent > sent+500 && nowReceived > received+500
			})
			close(let)
			if r := <-results; r.Failed() {
				t.Error(r.Err)
			}
			mustSucceed(t, c)
			checkOne(t, w)
		})
	}
}

func TestTimeoutsAreInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := piped(t, func(*server) {})
		o.Timeout = 2 * time.Second
		c := client(t, o)
		for range 3 {
			var all []<-chan protocol.Result
			for range 5 {
				all = append(all, begin(c, protocol.Request{}))
				c.Flush()
				time.Sleep(o.Timeout / 20)
			}
			for _, results := range all {
				r := protocoltest.CheckReason(t, <-results, protocol.ReasonTimeout)
				if took := r.Service(); took != o.Timeout {
					t.Errorf("took %s", took)
				}
			}
		}
	})
}

func TestLateResponsesDoNoHarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(protocoltest.ConnRecorder)
		o := piped(t, func(s *server) {
			var late []uint32
			for range 10 {
				late = append(late, s.request())
			}
			for _, id := range late {
				s.respond(id)
			}
			s.serve()
		})
		o.Observer, o.Timeout = w, time.Second
		c := client(t, o)
		for range 9 {
			wantReason(t, c, protocol.ReasonTimeout)
		}
		mustSucceed(t, c) // It has the server respond to them all.
		mustSucceed(t, c)
		checkOne(t, w)
	})
}

func TestCloseEndsEverything(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			arrived := make(chan struct{}, 10)
			w := new(protocoltest.ConnRecorder)
			o := f.Serve(t, func(_ http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				<-r.Context().Done()
			})
			o.Observer = w
			c := client(t, o)
			var all []<-chan protocol.Result
			for range 10 {
				all = append(all, begin(c, protocol.Request{}))
			}
			c.Flush()
			for range 10 {
				<-arrived
			}
			c.Close()
			for _, results := range all {
				select {
				case r := <-results:
					protocoltest.CheckReason(t, r, protocol.ReasonCanceled)
				default:
					t.Error("a call outlived the client")
				}
			}
			wantReason(t, c, protocol.ReasonCanceled)
			c.Close()
			w.CheckClosed(t)
		})
	}
}

func TestCloseEndsConnectionsBeingMade(t *testing.T) {
	o := protocoltest.Options(t, "https://"+protocoltest.Raw(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }))
	c := client(t, o)
	results := begin(c, protocol.Request{})
	c.Flush()
	c.Close()
	protocoltest.CheckReason(t, <-results, protocol.ReasonCanceled)
}

func TestStartRacesWithClose(t *testing.T) {
	o := flavours()[2].Serve(t, func(http.ResponseWriter, *http.Request) {})
	for range 30 {
		c := client(t, o)
		var running sync.WaitGroup
		for range 3 {
			running.Go(func() {
				for range 20 {
					if r := exchange(c, protocol.Request{}); r.Failed() && r.Reason != protocol.ReasonCanceled {
						t.Errorf("reason %q: %v", r.Reason, r.Err)
					}
				}
			})
		}
		running.Go(c.Close)
		running.Wait()
	}
}

func TestForeignConnectionsAreHandedOver(t *testing.T) {
	w := new(protocoltest.ConnRecorder)
	o := protocoltest.Flavours()[2].Serve(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) {
		s.TLS.NextProtos = []string{"http/1.1"}
	})
	o.Observer = w
	c := client(t, o)
	var given, anew atomic.Int64
	c.OnForeign(func(call *protocol.Call, r dial.Ready) {
		if r.Conn == nil {
			anew.Add(1)
		} else {
			given.Add(1)
			_ = r.Conn.Close()
		}
		call.Finish(protocol.Result{})
	})
	first, second := begin(c, protocol.Request{}), begin(c, protocol.Request{})
	c.Flush()
	<-first
	<-second
	if given.Load() < 1 || given.Load()+anew.Load() != 2 {
		t.Errorf("%d connections and %d calls", given.Load(), anew.Load())
	}
	if opened, _ := w.Counts(); opened != 0 {
		t.Errorf("%d connections were told of", opened)
	}
}

func TestConnectionsOfOthersAreAdopted(t *testing.T) {
	w := new(protocoltest.ConnRecorder)
	o := flavours()[0].Serve(t, func(http.ResponseWriter, *http.Request) {})
	o.Observer = w
	for _, closed := range []bool{false, true} {
		maker, c := client(t, o), client(t, o)
		r, err := maker.origins.All()[0].dial.Connect(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if closed {
			c.Close()
		}
		call := &protocol.Call{}
		done := make(chan struct{})
		call.Done = func() { close(done) }
		c.Adopt(call, r)
		<-done
		want := protocol.ReasonNone
		if closed {
			want = protocol.ReasonCanceled
		}
		if call.Result.Reason != want {
			t.Errorf("reason %q: %v", call.Result.Reason, call.Result.Err)
		}
	}
	if opened, _ := w.Counts(); opened != 1 {
		t.Errorf("%d connections", opened)
	}
}
