package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// together returns moves that send requests at once, on so many lanes.
func together(lanes int, requests ...Move) []Move {
	moves := append([]Move{{Kind: MoveTogether, Lanes: lanes}}, requests...)
	return append(moves, Move{Kind: MoveJoin})
}

// moves returns all of these moves, one after the other.
func moves(all ...[]Move) []Move { return slices.Concat(all...) }

// one returns a single move.
func one(m Move) []Move { return []Move{m} }

func millis(n ...int) map[int]time.Duration {
	after := map[int]time.Duration{}
	for entry, ms := range n {
		after[entry] = time.Duration(ms) * time.Millisecond
	}
	return after
}

// bySlot returns the requests sent for each slot.
func bySlot(client *fake) map[uint64][]sent {
	slots := map[uint64][]sent{}
	for _, s := range client.all() {
		slots[s.Seq] = append(slots[s.Seq], s)
	}
	return slots
}

func TestRequestsOfAGroupAreDueAtOnceAndTheJourneyGoesOnWithTheSlowest(t *testing.T) {
	for _, tc := range []struct {
		name  string
		moves []Move
		// takes is how long each entry takes, in ms, and sent when each is sent.
		takes, sent []int
		took        int
	}{
		{
			name:  "behind a pause, before a request",
			moves: moves(one(request()), one(wait(100*time.Millisecond)), together(3, request(), request(), request()), one(request())),
			takes: []int{10, 0, 0, 30, 50, 20, 0, 5}, sent: []int{0, -1, -1, 110, 110, 110, -1, 160}, took: 165,
		},
		{
			name:  "first and last in a journey",
			moves: together(2, request(), request()),
			takes: []int{0, 40, 30}, sent: []int{-1, 0, 0}, took: 40,
		},
		{
			name:  "before a pause",
			moves: moves(together(2, request(), request()), one(wait(time.Second)), one(request())),
			takes: []int{0, 20, 30, 0, 0, 1}, sent: []int{-1, 0, 0, -1, -1, 1030}, took: 1031,
		},
		{
			name:  "one after another",
			moves: moves(together(2, request(), request()), together(2, request(), request())),
			takes: []int{0, 20, 30, 0, 0, 5, 7}, sent: []int{-1, 0, 0, -1, -1, 30, 30}, took: 37,
		},
		{
			name:  "on fewer lanes each is due when one before has ended",
			moves: together(2, request(), request(), request(), request()),
			takes: []int{0, 50, 20, 10, 40}, sent: []int{-1, 0, 0, 20, 30}, took: 70,
		},
		{
			name:  "one that cannot be made does not keep the others",
			moves: moves(together(3, request(), Move{Kind: MoveFailed}, request()), one(request())),
			takes: []int{0, 50, 0, 20, 0, 5}, sent: []int{-1, 0, -1, 0, -1, 50}, took: 55,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc, client, book, p := journeys(t, 1, tc.moves...)
				p.goesOn = true
				takes := millis(tc.takes...)
				client.respondAfter = func(r protocol.Request) time.Duration { return takes[r.Entry] }
				due := run(t, sc, 10*time.Second)
				book.balances(t, due)
				if ended := p.outcomes(); ended[JourneySuccess]+ended[JourneyFailure] != int(due) {
					t.Errorf("journeys %v of %d", ended, due)
				}
				for seq, requests := range bySlot(client) {
					at := slices.Repeat([]int{-1}, len(tc.sent))
					for _, s := range requests {
						at[s.Entry] = int(s.at.Sub(requests[0].at) / time.Millisecond)
						if s.Trace != requests[0].Trace || s != requests[0] && s.Span == requests[0].Span {
							t.Fatalf("slot %d: one trace with a span for each request is expected", seq)
						}
					}
					if !slices.Equal(at, tc.sent) {
						t.Fatalf("slot %d: sent at %v, want %v", seq, at, tc.sent)
					}
				}
				for _, o := range book.outcomes {
					if o.Delay != 0 {
						t.Fatalf("entry %d was %v late", o.Entry, o.Delay)
					}
				}
				for _, took := range book.took {
					if took != time.Duration(tc.took)*time.Millisecond {
						t.Fatalf("a journey took %v, want %d ms", took, tc.took)
					}
				}
			})
		})
	}
}

func TestAFailedRequestOfAGroupEndsTheJourneyWhenTheOthersHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, p := journeys(t, 10, moves(together(2, request(), request(), request()), one(request()))...)
		takes := millis(0, 10, 500, 10)
		client.respondAfter = func(r protocol.Request) time.Duration { return takes[r.Entry] }
		client.fails = func(r protocol.Request) bool { return r.Entry == 1 }
		due := run(t, sc, 10*time.Second)
		book.balances(t, due)
		if got := p.outcomes(); got != outcomes(0, int(due), 0, 0) {
			t.Errorf("journeys %v of %d", got, due)
		}
		// The third one had not been sent when the first one failed.
		if got := uint64(len(client.all())); got != 2*due || uint64(len(book.outcomes)) != got {
			t.Errorf("%d requests, %d of them ended, of %d slots", got, len(book.outcomes), due)
		}
		for _, took := range book.took {
			if took != 500*time.Millisecond {
				t.Fatalf("a journey took %v", took)
			}
		}
	})
}

// Requests that are due at once are all sent, however soon one of them fails.
func TestAFailureAtOnceKeepsNoRequestThatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, p := journeys(t, 10, moves(together(3, request(), request(), request(), request()), one(request()))...)
		client.fails = func(r protocol.Request) bool { return r.Entry == 1 }
		due := run(t, sc, 10*time.Second)
		book.balances(t, due)
		if got := p.outcomes(); got != outcomes(0, int(due), 0, 0) {
			t.Errorf("journeys %v of %d", got, due)
		}
		for seq, requests := range bySlot(client) {
			var entries []int
			for _, s := range requests {
				entries = append(entries, s.Entry)
			}
			if !slices.Equal(entries, []int{1, 2, 3}) {
				t.Fatalf("slot %d: requests %v, want those of all lanes", seq, entries)
			}
		}
	})
}

func TestEachRequestOfAGroupCountsAgainstMaxInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, p := journeys(t, 1, together(5, request(), request(), request(), request(), request())...)
		sc.Limits.MaxInFlight = 2
		client.respondAfter = func(protocol.Request) time.Duration { return 100 * time.Millisecond }
		due := run(t, sc, 10*time.Second)
		book.balances(t, due)
		if got := p.outcomes(); got != outcomes(int(due), 0, 0, 0) || client.peak != 2 {
			t.Errorf("journeys %v of %d, %d requests at a time", got, due, client.peak)
		}
		// Those that had to wait were sent late, which their latency shows.
		latest := time.Duration(0)
		for _, o := range book.outcomes {
			latest = max(latest, o.Delay)
		}
		if latest < 200*time.Millisecond || latest > 220*time.Millisecond {
			t.Errorf("the last ones were %v late", latest)
		}
	})
}

func TestARequestOfAGroupWithoutRoomEndsTheJourneyWhenTheOthersHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, p := journeys(t, 1, moves(together(4, request(), request(), request(), request()), one(request()))...)
		sc.Limits.MaxInFlight = 2
		sc.Limits.LateAfter = 100 * time.Millisecond
		client.respondAfter = func(protocol.Request) time.Duration { return 400 * time.Millisecond }
		due := run(t, sc, 10*time.Second)
		book.balances(t, due)
		if got := p.outcomes(); got != outcomes(0, 0, int(due), 0) {
			t.Errorf("journeys %v of %d", got, due)
		}
		if got, withheld := len(client.all()), book.withheld[protocol.Step][WithheldInFlight]; got != 2*int(due) || withheld != 2*int(due) {
			t.Errorf("%d requests sent and %d withheld of %d slots", got, withheld, due)
		}
		for _, took := range book.took {
			if took != 400*time.Millisecond {
				t.Fatalf("a journey took %v", took)
			}
		}
	})
}

func TestEachRequestOfAGroupCountsAgainstMaxRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, _ := journeys(t, 5, together(4, request(), request(), request(), request())...)
		sc.Limits.MaxRate = 10
		sc.Limits.LateAfter = 500 * time.Millisecond
		begin := time.Now()
		due := run(t, sc, time.Minute)
		book.balances(t, due)
		if book.withheld[protocol.Step][WithheldRateCap] == 0 {
			t.Error("no request was withheld")
		}
		if n := client.between(begin, begin.Add(time.Minute)); n > 611 {
			t.Errorf("%d requests in a minute, want at most 10/s", n)
		}
	})
}

func TestAStopWithinTheGraceLetsAGroupEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, p := journeys(t, 10, moves(together(2, request(), request()), one(request()))...)
		client.respondAfter = func(protocol.Request) time.Duration { return 2 * time.Second }
		due := run(t, sc, 10*time.Second)
		book.balances(t, due)
		if got := p.outcomes(); got != outcomes(int(due), 0, 0, 0) {
			t.Errorf("journeys %v of %d", got, due)
		}
		client.wasClosed(t, 1)
	})
}

func TestAGroupIsCanceledByAStopThatIsCutShort(t *testing.T) {
	for name, most := range map[string]int{"in flight": 1000, "waiting for room": 3} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc, client, book, p := journeys(t, 10, moves(together(2, request(), request(), request()), one(request()))...)
				sc.Limits.MaxInFlight, sc.Limits.LateAfter = most, time.Hour
				client.respondAfter = func(protocol.Request) time.Duration { return time.Hour }
				e := newEngine(Options{})
				begin := time.Now()
				e.Apply([]Scenario{sc})
				time.Sleep(10 * time.Second)
				end := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := e.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("stop: %v", err)
				}
				book.balances(t, sc.Timeline.Count(begin, end))
				if got := p.outcomes(); got != outcomes(0, 0, 0, book.begun) {
					t.Errorf("journeys %v of %d", got, book.begun)
				}
				client.wasClosed(t, 1)
			})
		})
	}
}

func TestAReloadLeavesAGroupWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, old, book, p := journeys(t, 10, moves(together(2, request(), request()), one(request()))...)
		old.respondAfter = func(protocol.Request) time.Duration { return 3 * time.Second }
		e := newEngine(Options{})
		begin := time.Now()
		e.Apply([]Scenario{sc})
		time.Sleep(5 * time.Second)
		change := time.Now()
		changed := sc
		changed.Client, changed.Entries = &fake{}, []Entry{{Weight: 1}}
		e.Apply([]Scenario{changed})
		time.Sleep(10 * time.Second)
		before := sc.Timeline.Count(begin, change)
		if got := p.outcomes(); got != outcomes(int(before), 0, 0, 0) {
			t.Errorf("journeys %v, want %d that have ended", got, before)
		}
		if n := len(old.all()); n != 3*int(before) {
			t.Errorf("%d requests by the old client, want %d", n, 3*before)
		}
		old.wasClosed(t, 1)
		end := time.Now()
		stop(t, e)
		book.balances(t, sc.Timeline.Count(begin, end))
	})
}

// Whatever takes how long, fails or finds no room: each slot ends once, the calls of a journey do
// not overlap, and each request on the wire has ended before its journey.
func TestGroupsKeepTheLedgerWhateverHappens(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 1))
				var all []Move
				for range 1 + rnd.IntN(3) {
					requests := slices.Repeat([]Move{request()}, 1+rnd.IntN(6))
					all = moves(all, together(1+rnd.IntN(len(requests)), requests...), one(wait(time.Duration(rnd.IntN(300))*time.Millisecond)), one(request()))
				}
				sc, client, book, p := journeys(t, 20, all...)
				p.goesOn, p.strict = rnd.IntN(2) == 0, t
				sc.Limits.MaxInFlight = 1 + rnd.IntN(30)
				sc.Limits.LateAfter = time.Duration(rnd.IntN(200)) * time.Millisecond
				sc.Limits.MaxRate = float64(rnd.IntN(2) * 100)
				var mu sync.Mutex
				client.respondAfter = func(protocol.Request) time.Duration {
					mu.Lock()
					defer mu.Unlock()
					return time.Duration(rnd.IntN(200)) * time.Millisecond
				}
				client.fails = func(protocol.Request) bool {
					mu.Lock()
					defer mu.Unlock()
					return rnd.IntN(20) == 0
				}
				due := run(t, sc, 20*time.Second)
				book.balances(t, due)
				ended := 0
				for _, n := range p.outcomes() {
					ended += n
				}
				if ended != book.begun || len(client.all()) != len(book.outcomes) {
					t.Errorf("%d journeys ended of %d, %d requests ended of %d", ended, book.begun, len(book.outcomes), len(client.all()))
				}
			})
		})
	}
}

func TestLanesAreUsedAgain(t *testing.T) {
	const groups, lanes = 1000, 8
	sc, _, book, _ := journeys(t, 10, together(lanes, slices.Repeat([]Move{request()}, lanes)...)...)
	book.forget = true
	e := newEngine(Options{})
	r := newRunner(sc, e.arcs, e.clock, newTimerWaiter(), e.clock.look())
	made, makeLane := 0, r.lanes.New
	r.lanes.New = func() any { made++; return makeLane() }
	for range groups {
		now := r.pacer.clock.look()
		r.sc.Recorder.Due(1)
		r.enterFlight()
		r.send(&turn{due: now.wall, now: now})
	}
	// The race detector has pools forget some.
	if made > groups*lanes/2 {
		t.Errorf("%d lanes were made for %d groups of %d that did not overlap", made, groups, lanes)
	}
}
