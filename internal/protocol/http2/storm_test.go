package http2

import (
	"sync/atomic"
	"testing"
	"time"

	lib "golang.org/x/net/http2"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// TestNoServerGetsMoreThanItAsksFor has servers refuse all requests in ways that say that
// they may be sent again.
func TestNoServerGetsMoreThanItAsksFor(t *testing.T) {
	const slots = 5
	for _, test := range []struct {
		name   string
		refuse func(s *server, id uint32)
		// twice says that a request may be sent once more.
		twice bool
		// conns is how many connections there may be at most.
		conns int
	}{
		{"GOAWAY before the request's id", func(s *server, _ uint32) { _ = s.WriteGoAway(0, lib.ErrCodeNo, nil) }, true, 2 * slots},
		{"GOAWAY for too much", func(s *server, _ uint32) { _ = s.WriteGoAway(0, lib.ErrCodeEnhanceYourCalm, nil) }, false, slots},
		{"REFUSED_STREAM", func(s *server, id uint32) { _ = s.WriteRSTStream(id, lib.ErrCodeRefusedStream) }, true, 3},
		{"RST_STREAM for too much", func(s *server, id uint32) { _ = s.WriteRSTStream(id, lib.ErrCodeEnhanceYourCalm) }, false, 1},
	} {
		for _, admits := range []bool{true, false} {
			name := test.name
			if !admits {
				name += ", and nothing more is admitted"
			}
			t.Run(name, func(t *testing.T) {
				var seen atomic.Int64
				o := scripted(t, func(s *server) {
					for id := s.request(); id != 0; id = s.request() {
						seen.Add(1)
						test.refuse(s, id)
					}
				})
				w := new(protocoltest.Wire)
				o.Wire = w
				c := client(t, o)
				var asked atomic.Int64
				for range slots {
					call := &protocol.Call{Admit: func(e protocol.Extra) bool {
						asked.Add(1)
						return admits && e == protocol.Retry
					}}
					if r := run(c, call); !r.Failed() {
						t.Fatal("it did not fail")
					}
				}
				most := int64(slots)
				if test.twice && admits {
					most = 2 * slots
				}
				if n := seen.Load(); n > most || n < slots {
					t.Errorf("the server saw %d requests of %d slots", n, slots)
				}
				if n := seen.Load() - slots; admits && n != asked.Load() {
					t.Errorf("%d repeats, of %d that were asked for", n, asked.Load())
				}
				if opened, _ := w.Counts(); opened > test.conns {
					t.Errorf("%d connections", opened)
				}
			})
		}
	}
}

// run makes a call and waits for its end.
func run(c *Client, call *protocol.Call) protocol.Result {
	done := make(chan struct{})
	call.Done = func() { close(done) }
	c.Start(call)
	c.Flush()
	<-done
	return call.Result
}

// TestConnectionsThatEndInVainAreMadeMoreAndMoreSlowly has many requests at once meet a
// server that says goodbye to each connection at its first request.
func TestConnectionsThatEndInVainAreMadeMoreAndMoreSlowly(t *testing.T) {
	o := scripted(t, func(s *server) {
		s.request()
		_ = s.WriteGoAway(0, lib.ErrCodeNo, nil)
	})
	w := new(protocoltest.Wire)
	o.Wire, o.Timeout = w, 10*short
	c := client(t, o)
	var all []<-chan protocol.Result
	for range 200 {
		all = append(all, begin(c, protocol.Request{}))
		c.Flush()
		time.Sleep(short / 50) // As slots come.
	}
	for _, results := range all {
		if r := <-results; !r.Failed() {
			t.Fatal("it did not fail")
		}
	}
	// The pauses double from 10 ms: in a second no more than a dozen fit.
	if opened, _ := w.Counts(); opened > 20 {
		t.Errorf("%d connections for 200 requests", opened)
	}
}

func TestAServerThatAllowsNoStreamsIsWaitedFor(t *testing.T) {
	for _, raised := range []bool{true, false} {
		let := make(chan struct{})
		o := scripted(t, func(s *server) {
			if <-let; raised {
				_ = s.WriteSettings(lib.Setting{ID: lib.SettingMaxConcurrentStreams, Val: 30})
			}
			s.serve()
		}, lib.Setting{ID: lib.SettingMaxConcurrentStreams, Val: 0})
		w := new(protocoltest.Wire)
		o.Wire, o.Timeout = w, 10*short
		if raised {
			o.Timeout = protocoltest.Long
		}
		c := client(t, o)
		c.entries[0].origin.learned.Store(0) // As a server of before has taught.
		var all []<-chan protocol.Result
		for range 20 {
			all = append(all, begin(c, protocol.Request{}))
			c.Flush()
		}
		if opened, _ := w.Counts(); opened > 1 {
			t.Errorf("%d connections", opened)
		}
		close(let)
		for _, results := range all {
			r := <-results
			if raised && r.Failed() || !raised && r.Reason != protocol.ReasonTimeout {
				t.Errorf("raised %t: reason %q, %v", raised, r.Reason, r.Err)
			}
		}
		if opened, _ := w.Counts(); opened != 1 {
			t.Errorf("raised %t: %d connections", raised, opened)
		}
	}
}
