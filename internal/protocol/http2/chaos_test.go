package http2

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	lib "golang.org/x/net/http2"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// misbehave responds to requests, or does not, as the dice fall.
func misbehave(s *server, seed uint64) {
	random := rand.New(rand.NewPCG(seed, uint64(s.conn)))
	var late []uint32
	for id := s.request(); id != 0; id = s.request() {
		switch n := random.IntN(1000); {
		case n < 50:
			late = append(late, id)
		case n < 100:
			for _, id := range late {
				s.respond(id)
			}
			late = nil
		case n < 150:
			_ = s.WriteRSTStream(id, lib.ErrCodeRefusedStream)
		case n < 200:
			_ = s.WriteRSTStream(id, lib.ErrCodeInternal)
		case n < 220:
			_ = s.WriteSettings(lib.Setting{ID: lib.SettingMaxConcurrentStreams, Val: random.Uint32N(30)},
				lib.Setting{ID: lib.SettingInitialWindowSize, Val: random.Uint32N(1000)},
				lib.Setting{ID: lib.SettingHeaderTableSize, Val: random.Uint32N(200)})
			s.respond(id)
		case n < 230:
			_ = s.WriteGoAway(id-min(id, 10), lib.ErrCodeNo, nil)
		case n < 235:
			s.hangUp()
			return
		case n < 240:
			_ = s.net.Close()
			return
		default:
			_ = s.WriteWindowUpdate(0, 3000)
			s.respond(id)
		}
	}
}

func TestEveryCallEndsOnceWhateverTheServerDoes(t *testing.T) {
	w := new(protocoltest.ConnRecorder)
	o := scripted(t, func(s *server) { misbehave(s, 7) }, lib.Setting{ID: lib.SettingMaxConcurrentStreams, Val: 20})
	o.Observer, o.Timeout, o.SlotHeader, o.Traceparent, o.MaxConns, o.MaxConnRequests = w, 2*short, true, true, 30, 70
	post := o.Entries[0]
	post.Method, post.Body = "POST", bytes.Repeat([]byte("x"), 3000)
	o.Entries = append(o.Entries, post)
	c := client(t, o)
	var ended, twice atomic.Int64
	var reasons [protocol.NumReasons]atomic.Int64
	var all, running sync.WaitGroup
	const starters, each = 4, 1000
	for starter := range starters {
		running.Go(func() {
			for i := range each {
				all.Add(1)
				var done atomic.Bool
				call := &protocol.Call{Request: protocol.Request{Entry: i % 2, Seq: uint64(starter*each + i), Trace: [16]byte{1}}}
				call.Done = func() {
					if done.Swap(true) {
						twice.Add(1)
						return
					}
					reasons[call.Result.Reason].Add(1)
					ended.Add(1)
					all.Done()
				}
				c.Start(call)
				if i%10 == 9 {
					c.Flush()
					time.Sleep(time.Millisecond)
				}
			}
			c.Flush()
		})
	}
	running.Wait()
	all.Wait()
	if n := ended.Load(); n != starters*each || twice.Load() != 0 {
		t.Errorf("%d calls ended, %d more than once", n, twice.Load())
	}
	for reason := range protocol.Reason(protocol.NumReasons) {
		t.Logf("%d as %q", reasons[reason].Load(), reason)
	}
	if reasons[protocol.ReasonNone].Load() == 0 || reasons[protocol.ReasonProtocol].Load() > 0 {
		t.Error("these are not the reasons that such a server gives")
	}
	checkClosed(t, c, w)
}
