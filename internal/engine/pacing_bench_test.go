//go:build unix

package engine

import (
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/share"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// delays is a Recorder that keeps the send delays of a number of slots.
type delays struct {
	all  []time.Duration
	next atomic.Int64
	done chan struct{}
}

var _ Recorder = (*delays)(nil)

func newDelays(n int) *delays {
	return &delays{all: make([]time.Duration, n), done: make(chan struct{})}
}

func (*delays) Due(uint64)                                   {}
func (*delays) Extra(int, protocol.Extra)                    {}
func (*delays) Withheld(int, protocol.Extra, WithheldReason) {}

// Dropped counts as the worst.
func (d *delays) Dropped(_ DropReason, n uint64) {
	for range n {
		d.keep(time.Second)
	}
}

func (d *delays) Exchanged(o Outcome)                           { d.keep(o.Delay) }
func (*delays) Finished()                                       {}
func (*delays) JourneyBegan(int)                                {}
func (*delays) JourneyEnded(int, JourneyOutcome, time.Duration) {}

func (d *delays) keep(delay time.Duration) {
	at := d.next.Add(1)
	if at <= int64(len(d.all)) {
		d.all[at-1] = delay
	}
	if at == int64(len(d.all)) {
		close(d.done)
	}
}

// quantile returns one of the delays, in microseconds.
func (d *delays) quantile(q float64) float64 {
	slices.Sort(d.all)
	return float64(d.all[int(q*float64(len(d.all)-1))]) / 1e3
}

// processorTime returns what the process has used of its processors.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPacing sends slots at their due times, in real time, with a client that does
// nothing. It reports how late they were sent and what part of a core that took: the
// figures are those of a machine that does nothing else. One iteration is one slot.
func BenchmarkPacing(b *testing.B) {
	for pacing, name := range []string{PacingAuto: "auto", PacingExact: "exact", PacingCoarse: "coarse"} {
		for _, perSecond := range []float64{100, 1000, 10_000} {
			b.Run(fmt.Sprintf("%s/%g per second", name, perSecond), func(b *testing.B) {
				benchmarkPacing(b, Pacing(pacing), perSecond)
			})
		}
	}
}

func benchmarkPacing(b *testing.B, pacing Pacing, perSecond float64) {
	b.Helper()
	sc, _, _ := scenario(b, perSecond)
	sc.Pacing = pacing
	book := newDelays(b.N)
	sc.Client, sc.Recorder = null{}, book
	e := New(Options{})
	used, begin := processorTime(b), time.Now()
	e.Apply([]Scenario{sc})
	<-book.done
	elapsed := time.Since(begin)
	used = processorTime(b) - used
	stop(b, e)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(book.quantile(0.5), "p50-µs")
	b.ReportMetric(book.quantile(0.99), "p99-µs")
	b.ReportMetric(100*used.Seconds()/elapsed.Seconds(), "%core")
}

// prompt is a Client whose responses come from another goroutine as soon as that runs.
type prompt struct{ calls chan *protocol.Call }

var _ protocol.Client = (*prompt)(nil)

// newPrompt returns a client for up to so many requests in flight.
func newPrompt(most int) *prompt {
	p := &prompt{calls: make(chan *protocol.Call, most)}
	go p.respond()
	return p
}

func (p *prompt) respond() {
	for c := range p.calls {
		c.Result.Done = time.Now()
		c.Finish(c.Result)
	}
}

// Start implements protocol.Client.
func (p *prompt) Start(c *protocol.Call) {
	c.Result = protocol.Result{Sent: time.Now(), Code: "200"}
	p.calls <- c
}

// Flush implements protocol.Client.
func (p *prompt) Flush() {}

// Close implements protocol.Client.
func (p *prompt) Close() { close(p.calls) }

// BenchmarkFlatOut has more slots than it can send and allows a hundred requests in flight:
// it reports how many it sends in a millisecond. One iteration is one request.
func BenchmarkFlatOut(b *testing.B) {
	sc, _, _ := scenario(b, timeline.MaxRate)
	book := newCountdown(b.N)
	sc.Client, sc.Recorder = newPrompt(sc.Limits.MaxInFlight), book
	e := New(Options{})
	used, begin := processorTime(b), time.Now()
	e.Apply([]Scenario{sc})
	<-book.done
	elapsed := time.Since(begin)
	used = processorTime(b) - used
	stop(b, e)
	b.ReportMetric(float64(b.N)/elapsed.Seconds()/1000, "sent/ms")
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// BenchmarkDrop drops the slots of a millisecond, as a runner does that finds no room for them:
// those of one of three replicas, at 13:00 of a day with a million slots a second. One iteration
// is one millisecond.
func BenchmarkDrop(b *testing.B) {
	fleet := share.NewView([]share.Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 1}, {ID: "c", Weight: 1}})
	arcs := arcsFunc(func(time.Time) share.Arc { return fleet.Arc("b") })
	for _, arrivals := range []timeline.Arrivals{timeline.Uniform, timeline.Poisson} {
		b.Run(arrivals.String(), func(b *testing.B) {
			tl := newLine(b, timeline.Options{Name: "drop", Shape: timeline.Steady{Rate: timeline.MaxRate}, Arrivals: arrivals})
			p := newTestPacer(b, tl, arcs)
			p.sc.Recorder = newCountdown(b.N)
			p.round.grouped = true
			p.now.wall = epoch().Add(13 * time.Hour)
			p.skip()
			b.ReportAllocs()
			for b.Loop() {
				p.now.wall = p.now.wall.Add(grid)
				p.drop(DropInFlight)
			}
		})
	}
}
