package http2

import (
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	lib "golang.org/x/net/http2"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestAQuotaIsBelievedAsLongAsItHolds(t *testing.T) {
	var q quota
	within := func(want, wantTrial int) {
		t.Helper()
		if n, trial := q.within(1000); n != want || trial != wantTrial {
			t.Errorf("a connection may have %d requests, %d of them as a trial; want %d and %d", n, trial, want, wantTrial)
		}
	}
	within(1000, 0)
	if q.nearing(0) {
		t.Error("a quota that is not known is near")
	}
	q.learn(10)
	within(10, 0)
	if q.nearing(6) || !q.nearing(5) || q.nearing(4) {
		t.Error("half of the quota is not where another connection is made")
	}
	q.outlived(7) // It ended for another reason.
	within(10, 0)
	q.outlived(10)
	within(20, 10)
	q.outlived(10) // It was made before.
	within(20, 10)
	for n := 20; n < 1280; n *= 2 {
		q.outlived(n)
	}
	within(1000, 360) // 640 were seen.
	for n := 1280; n <= maxStreams; n *= 2 {
		q.outlived(n)
	}
	within(1000, 0)
	q.learn(1)
	within(1, 0)
	if q.nearing(0) {
		t.Error("a connection for each request needs none ahead")
	}
}

// takeFew serves a connection as nginx does: from the n-th request on, which it says in a GOAWAY,
// it takes none. It returns how many it took.
func (s *server) takeFew(n int) (taken int) {
	for id := s.request(); id != 0; id = s.request() {
		if taken == n {
			continue
		}
		if taken++; taken == n {
			_ = s.WriteGoAway(id, lib.ErrCodeNo, nil)
		}
		s.respond(id)
	}
	return taken
}

// inTurns makes bursts of requests, one after the other, and returns how many failed.
func inTurns(c *Client, bursts, requests int, admit func(protocol.Extra) bool) (failed int) {
	for range bursts {
		results := make(chan protocol.Result, requests)
		for range requests {
			call := &protocol.Call{Admit: admit}
			call.Done = func() { results <- call.Result }
			c.Start(call)
		}
		c.Flush()
		for range requests {
			if r := <-results; r.Failed() {
				failed++
			}
		}
	}
	return failed
}

func TestWhatAServerTakesOnAConnectionIsLearned(t *testing.T) {
	for _, test := range []struct {
		name string
		// takes is how many requests the connection takes, from the first one on.
		takes func(conn int64) int
		// lessons is how often the quota has to be learned: each time a burst may meet it with
		// its first request, so that the other 15 are sent twice.
		lessons int64
		// conns is how many connections there are, at most, for 50 bursts of 16 requests.
		conns int
	}{
		{"ten", func(int64) int { return 10 }, 1, 82},
		{"one", func(int64) int { return 1 }, 1, 801},
		{"ten, and then four", func(n int64) int { return choose(n < 20, 10, 4) }, 2, 200},
		{"four, or a thousand", func(n int64) int { return choose(n%2 == 0, 1000, 4) }, 30, 300},
		{"ten, and then a thousand", func(n int64) int { return choose(n > 20, 1000, 10) }, 1, 40},
		{"ten, and then a thousand, and then ten again", func(n int64) int { return choose(n > 10 && n < 14, 1000, 10) }, 2, 85},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var repeats, taken atomic.Int64
				o := piped(t, func(s *server) { taken.Add(int64(s.takeFew(test.takes(s.conn)))) })
				w := new(protocoltest.ConnRecorder)
				o.Observer, o.Entries[0].Method = w, "POST"
				c := client(t, o)
				admit := func(protocol.Extra) bool { repeats.Add(1); return true }
				if failed := inTurns(c, 50, 16, admit); failed > 0 {
					t.Errorf("%d of 800 requests failed", failed)
				}
				if n := repeats.Load(); n > 15*test.lessons {
					t.Errorf("%d repeats, want at most %d", n, 15*test.lessons)
				}
				opened, _ := w.Counts()
				if opened > test.conns {
					t.Errorf("%d connections, want %d", opened, test.conns)
				}
				checkClosed(t, c, w)
				synctest.Wait()
				if n := taken.Load(); n != 800 {
					t.Errorf("the server took %d requests", n)
				}
			})
		})
	}
}

// choose returns one of two numbers.
func choose(first bool, one, other int) int {
	if first {
		return one
	}
	return other
}

// TestWhatIsRefusedGoesFirst has each connection take fewer requests than the one before.
func TestWhatIsRefusedGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := piped(t, func(s *server) { s.takeFew(max(20-int(s.conn), 12)) })
		o.Entries[0].Method = "POST"
		if failed := inTurns(client(t, o), 50, 20, nil); failed > 0 {
			t.Errorf("%d of 1000 requests failed", failed)
		}
	})
}

// TestAConnectionThatDrainsLosesNothing has servers say in two steps that they take no more, as
// Envoy does after max_requests_per_connection.
func TestAConnectionThatDrainsLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := piped(t, func(s *server) {
			var last uint32
			for taken := 0; ; taken++ {
				id := s.request()
				if id == 0 {
					return
				}
				if last = id; taken == 9 {
					_ = s.WriteGoAway(1<<31-1, lib.ErrCodeNo, nil)
					time.AfterFunc(time.Second, func() { _ = s.WriteGoAway(last, lib.ErrCodeNo, nil) })
				}
				s.respond(id)
			}
		})
		w := new(protocoltest.ConnRecorder)
		o.Observer, o.Entries[0].Method = w, "POST"
		refuse := func(protocol.Extra) bool { return false }
		if failed := inTurns(client(t, o), 50, 16, refuse); failed > 0 {
			t.Errorf("%d of 800 requests failed", failed)
		}
		if opened, _ := w.Counts(); opened > 81 {
			t.Errorf("%d connections", opened)
		}
	})
}

// TestFewerStreamsAtATimeLoseNothing has a server lower its limit again and again, and refuse
// streams that were opened before the client knew.
func TestFewerStreamsAtATimeLoseNothing(t *testing.T) {
	for _, takes := range []uint32{1, 3, 10} {
		synctest.Test(t, func(t *testing.T) {
			o := piped(t, func(s *server) {
				var open []uint32
				for id := s.request(); id != 0; id = s.request() {
					if s.conn == 1 && id == 15 {
						_ = s.WriteSettings(lib.Setting{ID: lib.SettingMaxConcurrentStreams, Val: takes})
					}
					if open = append(open, id); s.conn == 1 && len(open) > int(takes) {
						_ = s.WriteRSTStream(id, lib.ErrCodeRefusedStream)
						open = open[:len(open)-1]
						continue
					}
					s.respond(id)
					open = open[:len(open)-1]
				}
			})
			o.Entries[0].Method, o.MaxConns = "POST", 50
			if failed := inTurns(client(t, o), 20, 30, nil); failed > 0 {
				t.Errorf("%d of 600 requests failed where %d streams are allowed", failed, takes)
			}
		})
	}
}

// TestAServerThatIsReplacedLosesNothing shuts servers of net/http down gracefully while requests
// arrive, each when there is one that accepts in its place.
func TestAServerThatIsReplacedLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var current atomic.Pointer[graceful]
		current.Store(newGraceful(t))
		o := protocoltest.Pipe(t, false, func(c net.Conn) {
			s := current.Load()
			s.h2.ServeConn(c, &lib.ServeConnOpts{BaseConfig: s.base}) //nolint:staticcheck // It serves connections that no listener has accepted.
		})
		w := new(protocoltest.ConnRecorder)
		o.Protocol, o.Entries[0].Method, o.Observer = httpreq.H2C, "POST", w
		c := client(t, o)
		for range 4 {
			old := current.Swap(newGraceful(t))
			go func() { _ = old.base.Shutdown(t.Context()) }()
			if failed := inTurns(c, 50, 20, nil); failed > 0 {
				t.Fatalf("%d of 1000 requests failed", failed)
			}
			synctest.Wait()
		}
		if opened, _ := w.Counts(); opened < 4 {
			t.Errorf("%d connections: no server was replaced", opened)
		}
	})
}

// graceful is a server of net/http that can be shut down without a listener of its own.
type graceful struct {
	base *http.Server
	h2   *lib.Server //nolint:staticcheck // It serves connections that no listener has accepted.
}

func newGraceful(t *testing.T) *graceful {
	t.Helper()
	base := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Minute}
	s := &graceful{base: base, h2: new(lib.Server)}           //nolint:staticcheck // It serves connections that no listener has accepted.
	if err := lib.ConfigureServer(s.base, s.h2); err != nil { //nolint:staticcheck // It serves connections that no listener has accepted.
		t.Fatal(err)
	}
	return s
}

func TestWhatWasRefusedWaitsFirst(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	o := new(origin)
	for _, j := range []job{{deadline: at(3)}, {deadline: at(1)}, {deadline: at(4), again: true}, {deadline: at(2)}, {deadline: at(2), again: true}} {
		o.queue(j)
	}
	if n := o.waitingAgain(); n != 2 {
		t.Errorf("%d were refused", n)
	}
	var order []int64
	for i := range o.waiting {
		order = append(order, o.waiting[i].deadline.Unix())
	}
	if want := []int64{2, 4, 1, 2, 3}; !slices.Equal(order, want) {
		t.Errorf("they wait in the order %d, want %d", order, want)
	}
	late, next := o.dequeueLate(at(2), 2, 5)
	if len(late) != 2 || !next.Equal(at(3)) || len(o.waiting) != 3 {
		t.Errorf("%d are late, and the next is at %s", len(late), next)
	}
}

// TestARequestThatComesAsAConnectionOpensHasRoomOnIt starts requests one after the other while the
// only connection that there may be is made.
func TestARequestThatComesAsAConnectionOpensHasRoomOnIt(t *testing.T) {
	o := scripted(t, (*server).serve)
	o.MaxConns = 1
	for range 100 {
		w := new(protocoltest.ConnRecorder)
		o.Observer = w
		c := client(t, o)
		all := []<-chan protocol.Result{begin(c, protocol.Request{})}
		for opened := 0; opened == 0; opened, _ = w.Counts() {
			runtime.Gosched()
		}
		for len(all) < 50 {
			all = append(all, begin(c, protocol.Request{}))
		}
		c.Flush()
		for _, results := range all {
			if r := <-results; r.Failed() {
				t.Fatal(r.Err)
			}
		}
		c.Close()
	}
}
