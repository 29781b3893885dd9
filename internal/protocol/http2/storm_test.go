package http2

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	lib "golang.org/x/net/http2"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// load starts so many calls at 50/s and returns their results in the order in which they end.
func load(c *Client, slots int, admit func(protocol.Extra) bool) []protocol.Result {
	results := make(chan protocol.Result, slots)
	for range slots {
		call := &protocol.Call{Admit: admit}
		call.Done = func() { results <- call.Result }
		c.Start(call)
		c.Flush()
		time.Sleep(time.Second / 50)
	}
	var all []protocol.Result
	for range slots {
		all = append(all, <-results)
	}
	return all
}

// TestNoServerGetsMoreThanItAsksFor has servers refuse all requests in ways that say that
// they may be sent again.
func TestNoServerGetsMoreThanItAsksFor(t *testing.T) {
	const slots = 50
	for _, test := range []struct {
		name   string
		refuse func(s *server, id uint32)
		// twice says that a request may be sent once more.
		twice bool
		// conns is how many connections there may be at most.
		conns int
	}{
		// The pauses between connections double from 10 ms: few fit into two seconds.
		{"GOAWAY before the request's id", func(s *server, _ uint32) { _ = s.WriteGoAway(0, lib.ErrCodeNo, nil) }, true, 15},
		{"GOAWAY for too much", func(s *server, _ uint32) { _ = s.WriteGoAway(0, lib.ErrCodeEnhanceYourCalm, nil) }, false, 15},
		{"REFUSED_STREAM", func(s *server, id uint32) { _ = s.WriteRSTStream(id, lib.ErrCodeRefusedStream) }, true, 3},
		{"RST_STREAM for too much", func(s *server, id uint32) { _ = s.WriteRSTStream(id, lib.ErrCodeEnhanceYourCalm) }, false, 1},
		{"an end", func(s *server, _ uint32) { _ = s.net.Close() }, false, 15},
	} {
		for name, admit := range map[string]func(protocol.Extra) bool{
			"everything is admitted":   nil,
			"nothing more is admitted": func(protocol.Extra) bool { return false },
			"only redirects are":       func(e protocol.Extra) bool { return e == protocol.Redirect },
			"only retries are":         func(e protocol.Extra) bool { return e == protocol.Retry },
		} {
			most := slots
			if r := admit == nil || admit(protocol.Retry); test.twice && r {
				most = 2 * slots
			}
			t.Run(test.name+", and "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var seen atomic.Int64
					o := piped(t, func(s *server) {
						for id := s.request(); id != 0; id = s.request() {
							seen.Add(1)
							test.refuse(s, id)
						}
					})
					w := new(protocoltest.ConnRecorder)
					o.Observer = w
					for _, r := range load(client(t, o), slots, admit) {
						if r.Reason != protocol.ReasonReset {
							t.Errorf("reason %q: %v", r.Reason, r.Err)
						}
					}
					if n := seen.Load(); n > int64(most) || n == 0 {
						t.Errorf("the server saw %d requests of %d slots", n, slots)
					}
					if opened, _ := w.Counts(); opened > test.conns {
						t.Errorf("%d connections", opened)
					}
				})
			})
		}
	}
}

// TestEachRepeatIsAdmitted counts the repeats that ask for admission and the requests that
// come.
func TestEachRepeatIsAdmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen, asked atomic.Int64
		o := piped(t, func(s *server) {
			for id := s.request(); id != 0; id = s.request() {
				seen.Add(1)
				_ = s.WriteRSTStream(id, lib.ErrCodeRefusedStream)
			}
		})
		load(client(t, o), 20, func(protocol.Extra) bool { return asked.Add(1)%2 == 0 })
		if seen.Load() != 30 || asked.Load() != 20 {
			t.Errorf("%d requests, %d questions", seen.Load(), asked.Load())
		}
	})
}

// TestRequestsWaitForTheNextConnection has a server that is restarted: its connections end at
// their first requests for a second, and requests that began meanwhile have responses after it.
func TestRequestsWaitForTheNextConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		o := piped(t, func(s *server) {
			if time.Since(begin) > time.Second {
				s.serve()
				return
			}
			s.request()
			_ = s.WriteGoAway(0, lib.ErrCodeNo, nil)
		})
		failed := 0
		for _, r := range load(client(t, o), 200, nil) {
			if r.Failed() {
				failed++
			}
			if r.Service() > 2*maxPause {
				t.Errorf("a request took %s", r.Service())
			}
		}
		if failed > 60 {
			t.Errorf("%d of 200 requests failed", failed)
		}
	})
}

// TestAServerThatAcceptsOnlyToEndIsLeftAlone has one that ends its connections before there
// is any request: no others follow but for requests.
func TestAServerThatAcceptsOnlyToEndIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(protocoltest.ConnRecorder)
		o := piped(t, func(s *server) { _ = s.net.Close() })
		o.Observer = w
		load(client(t, o), 10, nil)
		time.Sleep(10 * time.Second)
		if opened, _ := w.Counts(); opened > 20 {
			t.Errorf("%d connections for 10 requests", opened)
		}
	})
}

// TestARepeatGoesAnywhereWhereThereIsNoOtherConnection has the only connection that may be
// made go away while it still has requests.
func TestARepeatGoesAnywhereWhereThereIsNoOtherConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := piped(t, func(s *server) {
			if s.conn > 1 {
				s.serve()
				return
			}
			_ = s.WriteRSTStream(s.request(), lib.ErrCodeRefusedStream)
			s.serve()
		})
		o.MaxConns = 1
		mustSucceed(t, client(t, o))
	})
}

func TestAServerThatAllowsNoStreamsIsWaitedFor(t *testing.T) {
	for _, raised := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			const after = 3 * time.Second
			o := piped(t, func(s *server) {
				if raised {
					time.Sleep(after)
					_ = s.WriteSettings(lib.Setting{ID: lib.SettingMaxConcurrentStreams, Val: 30})
				}
				s.serve()
			}, lib.Setting{ID: lib.SettingMaxConcurrentStreams, Val: 0})
			w := new(protocoltest.ConnRecorder)
			o.Observer, o.Timeout = w, 5*time.Second
			c := client(t, o)
			c.entries[0].origin.learned.Store(0) // As a server of before has taught.
			begin := time.Now()
			for _, r := range load(c, 20, nil) {
				switch {
				case raised && (r.Failed() || r.Done.Sub(begin) != after):
					t.Errorf("reason %q after %s: %v", r.Reason, r.Done.Sub(begin), r.Err)
				case !raised && (r.Reason != protocol.ReasonTimeout || r.Service() != o.Timeout):
					t.Errorf("reason %q after %s: %v", r.Reason, r.Service(), r.Err)
				}
			}
			if opened, _ := w.Counts(); opened != 1 {
				t.Errorf("raised %t: %d connections", raised, opened)
			}
		})
	}
}

// TestServersThatRefuseGracefullyGetFewRepeats has servers take few requests on one connection and
// many on the next, so that no quota holds. Transparent retries have no budget: only the quota keeps
// them few.
func TestServersThatRefuseGracefullyGetFewRepeats(t *testing.T) {
	const requests = 1600
	for _, few := range []int{1, 10} {
		for _, burst := range []int{4, 16, 100} {
			synctest.Test(t, func(t *testing.T) {
				var repeats atomic.Int64
				o := piped(t, func(s *server) { s.takeFew(choose(s.conn%2 == 0, few, 100)) })
				o.Entries[0].Method = "POST"
				inTurns(client(t, o), requests/burst, burst, func(protocol.Extra) bool { repeats.Add(1); return true })
				if n := repeats.Load(); n > requests/2 {
					t.Errorf("%d or 100 on a connection, %d at a time: %d repeats of %d requests", few, burst, n, requests)
				}
			})
		}
	}
}
