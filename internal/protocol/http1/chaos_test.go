package http1

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// capricious responds properly most of the time, and otherwise does what it likes.
func capricious(c net.Conn, rng *rand.Rand) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
	for {
		protocoltest.ReadHead(c)
		var err error
		switch rng.IntN(24) {
		case 0:
			reset(c)
			return
		case 1:
			_ = c.Close()
			return
		case 2:
			_, _ = io.WriteString(c, ok[:rng.IntN(len(ok))])
			reset(c)
			return
		case 3:
			_, _ = io.WriteString(c, ok)
			_ = c.Close()
			return
		case 4:
			_, err = io.WriteString(c, ok+ok)
		case 5:
			_, err = io.WriteString(c, "HTTP/1.1 nonsense\r\n\r\n")
		case 6:
			_, _ = io.WriteString(c, ok)
			reset(c)
			return
		case 7:
			cut := 1 + rng.IntN(len(ok)-1)
			_, _ = io.WriteString(c, ok[:cut])
			_, err = io.WriteString(c, ok[cut:])
		case 8:
			if rng.IntN(4) == 0 {
				_, _ = io.Copy(io.Discard, c)
				return
			}
			_, err = io.WriteString(c, ok)
		default:
			_, err = io.WriteString(c, ok)
		}
		if err != nil {
			_ = c.Close()
			return
		}
	}
}

// TestEveryCallEndsOnceWhateverTheServerDoes keeps exchanges under way, with timeouts that
// some of them reach, over connections that come and go, and checks that nothing is left
// over.
func TestEveryCallEndsOnceWhateverTheServerDoes(t *testing.T) {
	const callers, each = 8, 150
	for _, secure := range []bool{false, true} {
		var seed atomic.Uint64
		o := protocoltest.RawOptions(t, secure, func(c net.Conn) { capricious(c, rand.New(rand.NewPCG(seed.Add(1), 1))) })
		w := new(protocoltest.ConnRecorder)
		o.Observer, o.MaxConns, o.Timeout, o.MaxConnAge = w, callers, 4*short, short
		c := client(t, o)
		var running sync.WaitGroup
		var codes [protocol.NumReasons]atomic.Int64
		for range callers {
			running.Add(1)
			left := each
			call := new(protocol.Call)
			ended := make([]atomic.Int64, each)
			call.Done = func() {
				left--
				if ended[left].Add(1) != 1 {
					t.Error("a call ended twice")
				}
				codes[call.Result.Reason].Add(1)
				if r := call.Result; r.Sent.IsZero() || r.Done.Before(r.Sent) || r.Failed() != (r.Err != nil) {
					t.Errorf("got %+v", r)
				}
				if left == 0 {
					running.Done()
					return
				}
				c.Start(call)
			}
			go c.Start(call)
		}
		all := make(chan struct{})
		go func() { running.Wait(); close(all) }()
		select {
		case <-all:
		case <-time.After(4 * protocoltest.Long): // It is a thousand exchanges, and many wait for a timeout.
			t.Fatal("a call did not end")
		}
		if codes[protocol.ReasonNone].Load() == 0 || codes[protocol.ReasonProtocol].Load() == 0 {
			t.Error("it was all the same")
		}
		if n := codes[protocol.ReasonLocal].Load(); n > 0 {
			t.Errorf("%d had no connection, though there was a connection for each", n)
		}
		h := c.entries[0].host
		protocoltest.Eventually(t, "those that are left are idle", func() bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			idle := 0
			for k := h.addresses[0].last; k != nil; k = k.older {
				idle++
			}
			return idle == h.conns
		})
		c.Close()
		h.mu.Lock()
		if h.conns != 0 || h.addresses[0].last != nil {
			t.Errorf("%d connections are left of a closed client", h.conns)
		}
		h.mu.Unlock()
		if opened, closed := w.Counts(); opened != closed {
			t.Errorf("%d connections opened, %d closed", opened, closed)
		}
	}
}
