package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

func TestADayIsSentToTheExactCountAndInstant(t *testing.T) {
	daily := timeline.Daily{Points: []timeline.DayPoint{
		{At: 3 * time.Hour, Rate: 0.01}, {At: 11 * time.Hour, Rate: 0.9}, {At: 20 * time.Hour, Rate: 0.5},
	}}
	for _, arrivals := range []timeline.Arrivals{timeline.Uniform, timeline.Poisson} {
		t.Run(arrivals.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc, client, book := scenario(t, 0)
				sc.Timeline = newLine(t, timeline.Options{Name: "day", Shape: daily, Arrivals: arrivals})
				begin := time.Now()
				due := run(t, sc, 24*time.Hour)
				if due < 5000 {
					t.Fatalf("the timeline has only %d slots", due)
				}
				book.balances(t, due)
				sentAtTheirInstants(t, sc.Timeline, begin, client.all(), due)
				for _, o := range book.outcomes {
					if o.Delay != 0 || o.Latency() != 0 {
						t.Fatalf("delay %v and latency %v, want 0 in virtual time", o.Delay, o.Latency())
					}
				}
			})
		})
	}
}

// sentAtTheirInstants fails the test unless the n slots that are due from begin on
// were sent, in order, each at the nanosecond at which it was due.
func sentAtTheirInstants(tb testing.TB, tl *timeline.Timeline, begin time.Time, requests []sent, n uint64) {
	tb.Helper()
	if uint64(len(requests)) != n {
		tb.Fatalf("%d requests, want %d", len(requests), n)
	}
	cursor := tl.Cursor(begin)
	for _, s := range requests {
		slot, _ := cursor.Next(s.at.Add(time.Hour))
		if s.Segment != slot.Segment || s.Seq != slot.Seq || !s.at.Equal(slot.Due) {
			tb.Fatalf("slot %s/%d at %v, want %s/%d at %v", s.Segment, s.Seq, s.at, slot.Segment, slot.Seq, slot.Due)
		}
	}
}

func TestUniformSlotsAreEvenlySpaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, _ := scenario(t, 100)
		run(t, sc, 10*time.Second)
		requests := client.all()
		for i := range requests[1:] {
			if gap := requests[i+1].at.Sub(requests[i].at); (gap - 10*time.Millisecond).Abs() > 1 {
				t.Fatalf("a gap of %v after request %d, want 10ms", gap, i)
			}
		}
	})
}

func TestOneRequestADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 1.0/86400)
		due := run(t, sc, 2*24*time.Hour)
		if n := len(client.all()); n != 2 || due != 2 {
			t.Errorf("%d requests of %d in 2 days", n, due)
		}
		book.balances(t, 2)
	})
}

func TestARateOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, _, book := scenario(t, 0)
		run(t, sc, time.Hour)
		book.balances(t, 0)
	})
}

func TestRequestsCarryTheirIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 10)
		run(t, sc, 10*time.Second)
		traces, spans := map[[16]byte]bool{}, map[[8]byte]bool{}
		for _, s := range client.all() {
			if s.Scenario != "test" {
				t.Errorf("scenario %q", s.Scenario)
			}
			if s.Trace == [16]byte{} || s.Span == [8]byte{} {
				t.Error("a trace or span of zeroes")
			}
			traces[s.Trace], spans[s.Span] = true, true
		}
		if len(traces) != 100 || len(spans) != 100 {
			t.Errorf("%d traces and %d spans in 100 requests", len(traces), len(spans))
		}
		for _, o := range book.outcomes {
			if !traces[o.Trace] {
				t.Error("an outcome of another trace")
			}
		}
	})
}

func TestASlowResponseDelaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 5)
		const answer = 10*time.Second - time.Millisecond
		client.respondAfter = func(protocol.Request) time.Duration { return answer }
		begin := time.Now()
		due := run(t, sc, time.Minute)
		book.balances(t, due)
		sentAtTheirInstants(t, sc.Timeline, begin, client.all(), due)
		for _, o := range book.outcomes {
			if o.Delay != 0 || o.Latency() != answer {
				t.Fatalf("delay %v, latency %v", o.Delay, o.Latency())
			}
		}
		if client.peak != 50 {
			t.Errorf("%d in flight at the peak, want 50", client.peak)
		}
	})
}

func TestBeyondMaxInFlightSlotsAreDroppedUntilResponsesCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 10)
		sc.Limits.MaxInFlight = 20
		begin := time.Now()
		back := begin.Add(30 * time.Second)
		// A target that hangs for 30 s.
		client.respondAfter = func(protocol.Request) time.Duration { return max(0, time.Until(back)) }
		book.balances(t, 0)
		due := run(t, sc, time.Minute)
		book.balances(t, due)
		if n := book.drops(DropInFlight); n != 280 {
			t.Errorf("%d dropped, want the 280 of 30 s at 10/s that were beyond 20", n)
		}
		if n := client.between(back, begin.Add(time.Minute)); n != 300 {
			t.Errorf("%d requests in the 30 s after, want 300", n)
		}
		if client.peak != 20 {
			t.Errorf("%d in flight at the peak, want 20", client.peak)
		}
	})
}

// balky is a client that holds up its caller once, and never responds.
type balky struct {
	*fake
	by time.Duration
}

func (s *balky) Start(c *protocol.Call) {
	time.Sleep(s.by)
	s.by = 0
	s.fake.Start(c)
}

func TestWhatHasPiledUpWhileNothingMayBeSentIsCounted(t *testing.T) {
	for _, perSecond := range []float64{100, 5000} { // With a wake-up for each slot, and with one a millisecond.
		synctest.Test(t, func(t *testing.T) {
			sc, client, book := scenario(t, perSecond)
			client.respondAfter = func(protocol.Request) time.Duration { return 20 * time.Second }
			sc.Client = &balky{client, 900 * time.Millisecond}
			sc.Limits.MaxInFlight = 1
			due := run(t, sc, 10*time.Second)
			book.balances(t, due)
			if sent, dropped := uint64(len(client.all())), book.drops(DropInFlight); sent != 1 || dropped != due-1 {
				t.Errorf("%d sent and %d dropped of %d", sent, dropped, due)
			}
		})
	}
}

func TestWithNoneInFlightAllowedNothingIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 10)
		sc.Limits.MaxInFlight = 0
		due := run(t, sc, time.Minute)
		book.balances(t, due)
		if n := len(client.all()); n != 0 || book.drops(DropInFlight) != due {
			t.Errorf("%d requests, %d dropped", n, book.drops(DropInFlight))
		}
	})
}

// spareOdd spares every other slot.
type spareOdd struct{ _ int }

func (*spareOdd) Spares(slot timeline.Slot) bool { return slot.Seq%2 == 1 }

func TestWhatIsSparedIsDroppedAsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 10)
		sc.Sparing = &spareOdd{}
		due := run(t, sc, 10*time.Second)
		book.balances(t, due)
		if n := book.drops(DropBackOff); n != 50 || len(client.all()) != 50 {
			t.Errorf("%d dropped, %d sent", n, len(client.all()))
		}
		for _, s := range client.all() {
			if s.Seq%2 == 1 {
				t.Fatalf("slot %d was sent", s.Seq)
			}
		}
	})
}

// needsTime is Needs that are there from an instant on.
type needsTime struct{ from time.Time }

func (n *needsTime) Lacks(slot timeline.Slot, now time.Time) (DropReason, bool) {
	return DropNoToken, now.Before(n.from) || slot.Due.Before(n.from)
}

func TestWhatLacksATokenIsDroppedForThat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 10)
		sc.Needs = &needsTime{time.Now().Add(4 * time.Second)}
		due := run(t, sc, 10*time.Second)
		book.balances(t, due)
		if n := book.drops(DropNoToken); n != 40 || len(client.all()) != 60 {
			t.Errorf("%d dropped, %d sent", n, len(client.all()))
		}
	})
}

func TestWhatIsDueTogetherIsFlushedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 5000)
		begin := time.Now()
		e := newEngine(Options{})
		e.Apply([]Scenario{sc})
		time.Sleep(time.Until(begin.Truncate(time.Second).Add(3 * time.Second)))
		end := time.Now()
		stop(t, e)
		book.balances(t, sc.Timeline.Count(begin, end))
		sum := 0
		for _, n := range client.flushes {
			sum += n
			if n > 6 {
				t.Errorf("a flush for %d requests, want those of a millisecond", n)
			}
		}
		if sum != len(client.all()) || client.unflushed > 0 {
			t.Errorf("%d of %d requests were flushed", sum, len(client.all()))
		}
		if n := len(client.flushes); n > 3100 {
			t.Errorf("%d flushes in 3 s, want one a millisecond", n)
		}
	})
}

// TestRoomThatComesWithinAMillisecondIsUsed has more slots than a target responds to at once:
// those of a millisecond are sent as responses make room for them, until it is over.
func TestRoomThatComesWithinAMillisecondIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 200_000)
		sc.Limits.MaxInFlight = 20
		client.respondAfter = func(protocol.Request) time.Duration { return 100 * time.Microsecond }
		const seconds = 2
		due := run(t, sc, seconds*time.Second)
		// Twenty at a time, each for 100 µs, are ten times as many in a millisecond; once a
		// millisecond it would be twenty.
		if n := len(client.sent); n < seconds*150_000 || n > seconds*200_000 {
			t.Errorf("%d requests in %d s", n, seconds)
		}
		if client.peak > 20 {
			t.Errorf("%d at a time", client.peak)
		}
		for _, o := range book.outcomes {
			if o.Delay > grid {
				t.Fatalf("a slot was sent %s late", o.Delay)
			}
		}
		book.balances(t, due)
	})
}
