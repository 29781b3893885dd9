package engine

import (
	"flag"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// soakSlots is the length of TestMemoryStaysFlat; `make soak-engine` asks for 10^8.
var soakSlots = flag.Int("engine.slots", 1_000_000, "slots to send in the soak test")

// null is a Client that responds at once.
type null struct{}

var _ protocol.Client = null{}

func (null) Start(c *protocol.Call) {
	now := time.Now()
	c.Finish(protocol.Result{Sent: now, Done: now, Code: "200"})
}

func (null) Flush() {}

func (null) Close() {}

func TestMemoryStaysFlat(t *testing.T) {
	const perSecond = timeline.MaxRate
	synctest.Test(t, func(t *testing.T) {
		sc, _, book := scenario(t, perSecond)
		sc.Client, book.forget = null{}, true
		sc.Limits.MaxInFlight = 1000
		begin := time.Now()
		e := newEngine(Options{})
		e.Apply([]Scenario{sc})

		length := time.Duration(*soakSlots) * (time.Second / perSecond)
		var heaps []uint64
		for range 10 {
			time.Sleep(length / 10)
			heaps = append(heaps, heap())
		}
		end := time.Now()
		stop(t, e)
		want := sc.Timeline.Count(begin, end)
		book.balances(t, want)
		if book.finished != want {
			t.Errorf("%d finished, want %d", book.finished, want)
		}
		t.Logf("heap in bytes at ten points: %d", heaps)
		// The first point has warmed up everything that is kept.
		if first, last := heaps[0], heaps[len(heaps)-1]; last > first+1<<20 {
			t.Errorf("the heap grew from %d to %d bytes", first, last)
		}
	})
	if n := goroutines(); n > 0 {
		t.Errorf("%d goroutines are left", n)
	}
}

// goroutines returns how many goroutines run runners.
func goroutines() int {
	buf := make([]byte, 4<<20)
	stacks := string(buf[:runtime.Stack(buf, true)])
	return strings.Count(stacks, "engine.(*runner).run(")
}

// heap returns the bytes in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// countdown is a Recorder that only notes when a number of requests have finished.
type countdown struct {
	left atomic.Int64
	done chan struct{}
}

var _ Recorder = (*countdown)(nil)

func newCountdown(n int) *countdown {
	c := &countdown{done: make(chan struct{})}
	c.left.Store(int64(n))
	return c
}

func (*countdown) Due(uint64)                                   {}
func (*countdown) Dropped(DropReason, uint64)                   {}
func (*countdown) Extra(int, protocol.Extra)                    {}
func (*countdown) Withheld(int, protocol.Extra, WithheldReason) {}

func (*countdown) Exchanged(Outcome)                               {}
func (*countdown) JourneyBegan(int)                                {}
func (*countdown) JourneyEnded(int, JourneyOutcome, time.Duration) {}

func (c *countdown) Finished() {
	if c.left.Add(-1) == 0 {
		close(c.done)
	}
}

// BenchmarkRunner is the cost of a slot from the timeline to the recorder, with a
// client and a recorder that do nothing. The slots are all overdue, so that it does
// not wait for them.
func BenchmarkRunner(b *testing.B) {
	const perSecond = 100_000
	sc, _, _ := scenario(b, perSecond)
	book := newCountdown(b.N)
	sc.Client, sc.Recorder = null{}, book
	sc.Limits.LateAfter = math.MaxInt64
	e := newEngine(Options{})
	from := e.clock.look()
	from.wall = from.wall.Add(-time.Duration(b.N) * time.Second / perSecond)
	b.ReportAllocs()
	b.ResetTimer()
	e.start(sc, from)
	<-book.done
	b.StopTimer()
	for r := range e.live {
		e.retire(r)
	}
	stop(b, e)
}
