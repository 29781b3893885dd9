package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// plan is a Script whose journeys all have the same moves. A request is the client's entry of
// its place in the plan.
type plan struct {
	moves []Move
	// goesOn says that failures end no journey, and strict, if not nil, is failed if calls of a
	// journey overlap, or come after its end.
	goesOn bool
	strict testing.TB
	mu     sync.Mutex
	ended  [NumJourneyOutcomes]int
}

func (p *plan) Begin(timeline.Slot) Journey { return &stroll{plan: p} }

func (p *plan) outcomes() [NumJourneyOutcomes]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// stroll is a journey by a plan.
type stroll struct {
	plan *plan
	at   int
	over bool
	// open is how many lanes have not joined, busy the requests in flight, and using says that a
	// method is.
	open, busy int
	using      atomic.Bool
}

// use fails the test if another method is in flight, and returns what ends this one.
func (w *stroll) use() (done func()) {
	if !w.using.CompareAndSwap(false, true) && w.plan.strict != nil {
		w.plan.strict.Error("calls of a journey overlap")
	}
	return func() { w.using.Store(false) }
}

func (w *stroll) Next(c *protocol.Call) Move {
	defer w.use()()
	if w.over || w.at == len(w.plan.moves) {
		return Move{}
	}
	m := w.plan.moves[w.at]
	switch m.Kind {
	case MoveTogether:
		w.open = m.Lanes
	case MoveJoin:
		if w.open--; w.open > 0 {
			return m
		}
	case MoveFailed:
		c.Result = protocol.Result{Reason: protocol.ReasonCheck, Err: errors.New("no")}
	case MoveRequest:
		w.busy++
	case MoveEnd, MovePause:
	}
	c.Request.Entry = w.at
	w.at++
	return m
}

func (w *stroll) RequestEnded(c *protocol.Call) {
	defer w.use()()
	w.busy--
	w.over = w.over || c.Result.Failed() && !w.plan.goesOn
}

func (w *stroll) Close(o JourneyOutcome) {
	defer w.use()()
	if w.busy > 0 && o != JourneyWithheld && w.plan.strict != nil {
		w.plan.strict.Errorf("a journey ends as %v with %d requests in flight", o, w.busy)
	}
	w.plan.mu.Lock()
	defer w.plan.mu.Unlock()
	w.plan.ended[o]++
}

func request() Move                             { return Move{Kind: MoveRequest} }
func wait(d time.Duration) Move                 { return Move{Kind: MovePause, Pause: d} }
func outcomes(n ...int) [NumJourneyOutcomes]int { return [NumJourneyOutcomes]int(n) }

// journeys returns a scenario of journeys with these moves.
func journeys(tb testing.TB, perSecond float64, moves ...Move) (Scenario, *fake, *ledger, *plan) {
	tb.Helper()
	sc, client, book := scenario(tb, perSecond)
	p := &plan{moves: moves}
	sc.Entries = []Entry{{Weight: 1, Script: p}}
	sc.Limits.MaxJourneys = 1000
	sc.Limits.Grace = time.Minute
	return sc, client, book, p
}

func TestAStepIsDueWhenTheOneBeforeHasEndedAndThePauseIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, p := journeys(t, 10, request(), wait(2*time.Second), request(), request())
		client.respondAfter = func(protocol.Request) time.Duration { return 30 * time.Millisecond }
		due := run(t, sc, 10*time.Second)

		book.balances(t, due)
		if want := outcomes(int(due), 0, 0, 0); p.outcomes() != want || book.journeys != want || book.begun != int(due) {
			t.Errorf("journeys %v, %v, %d begun, want %v", p.outcomes(), book.journeys, book.begun, want)
		}
		slots := map[uint64][]sent{}
		for _, s := range client.all() {
			slots[s.Seq] = append(slots[s.Seq], s)
		}
		for seq, steps := range slots {
			gaps := []time.Duration{0}
			var entries []int
			for i, s := range steps {
				entries = append(entries, s.Entry)
				if i > 0 {
					gaps = append(gaps, s.at.Sub(steps[i-1].at))
				}
			}
			if !slices.Equal(entries, []int{0, 2, 3}) || !slices.Equal(gaps, []time.Duration{0, 2030 * time.Millisecond, 30 * time.Millisecond}) {
				t.Fatalf("slot %d: steps %v after %v", seq, entries, gaps)
			}
			if steps[0].Trace != steps[2].Trace || steps[0].Span == steps[2].Span {
				t.Fatalf("slot %d: one trace with a span for each step is expected", seq)
			}
		}
		for _, o := range book.outcomes {
			if o.Delay != 0 {
				t.Fatalf("entry %d was %v late", o.Entry, o.Delay)
			}
		}
		for _, took := range book.took {
			if took != 2090*time.Millisecond {
				t.Fatalf("a journey took %v", took)
			}
		}
	})
}

// A million users may wait at a time: one byte more would cost 64, as memory comes in size classes.
func TestAUserWhoWaitsTakesNoMoreMemoryThanItHas(t *testing.T) {
	if size := unsafe.Sizeof(flight{}); size > 512 && strconv.IntSize == 64 {
		t.Errorf("a flight has %d bytes, want at most 512", size)
	}
}

// dawdler is a Script whose journeys take long to begin.
type dawdler struct {
	*plan
	takes time.Duration
}

func (d dawdler) Begin(s timeline.Slot) Journey {
	time.Sleep(d.takes)
	return d.plan.Begin(s)
}

func TestAJourneyThatTakesLongToBeginHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, p := journeys(t, 10, request())
		sc.Entries[0].Script, sc.Entries[0].Aside = &dawdler{p, 250 * time.Millisecond}, true
		due := run(t, sc, 10*time.Second)
		book.balances(t, due)
		if got := p.outcomes(); got != outcomes(int(due), 0, 0, 0) || due == 0 {
			t.Errorf("%d slots have ended as %v", due, got)
		}
		for i, r := range client.all() {
			if late := r.at.Sub(client.all()[0].at) - time.Duration(i)*100*time.Millisecond; late > time.Millisecond || late < -time.Millisecond {
				t.Fatalf("request %d is %s late", i, late)
			}
		}
	})
}

func TestAFailedStepFailsItsJourneyAndFinishesItsSlotOnce(t *testing.T) {
	for name, moves := range map[string][]Move{
		"cannot be made": {request(), {Kind: MoveFailed}, request()},
		"at first":       {{Kind: MoveFailed}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc, client, book, p := journeys(t, 10, moves...)
				due := run(t, sc, 10*time.Second)
				book.balances(t, due)
				if want := outcomes(0, int(due), 0, 0); p.outcomes() != want {
					t.Errorf("journeys %v, want %v", p.outcomes(), want)
				}
				// All are exchanges; what cannot be made is not sent.
				if got := len(book.outcomes); got != len(moves)*int(due) {
					t.Errorf("%d exchanges of %d slots", got, due)
				}
				requests := 0
				for _, m := range moves {
					if m.Kind == MoveRequest {
						requests++
					}
				}
				if got := len(client.all()); got != requests*int(due) {
					t.Errorf("%d requests of %d slots", got, due)
				}
			})
		})
	}
}

// Who waits in a pause has no request in flight.
func TestMaxInFlightCountsRequestsAndNotUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, p := journeys(t, 100, request(), wait(5*time.Second), request())
		sc.Limits.MaxInFlight = 4
		client.respondAfter = func(protocol.Request) time.Duration { return 10 * time.Millisecond }
		due := run(t, sc, 20*time.Second)
		book.balances(t, due)
		if got := p.outcomes(); got != outcomes(int(due), 0, 0, 0) || client.peak > 4 {
			t.Errorf("journeys %v of %d, %d requests at a time", got, due, client.peak)
		}
	})
}

func TestAStepWithoutRoomEndsItsJourneyWhenItIsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, _ := journeys(t, 10, request(), wait(time.Second), request())
		sc.Limits.MaxInFlight = 1
		sc.Limits.LateAfter = 100 * time.Millisecond
		client.respondAfter = func(r protocol.Request) time.Duration {
			if r.Entry == 0 {
				return time.Millisecond
			}
			return 700 * time.Millisecond // Second steps keep each other away.
		}
		due := run(t, sc, 10*time.Second)
		book.balances(t, due)
		withheld := book.withheld[protocol.Step][WithheldInFlight]
		if withheld == 0 || withheld != book.journeys[JourneyWithheld] || client.peak != 1 {
			t.Errorf("%d steps withheld, journeys %v, %d at a time", withheld, book.journeys, client.peak)
		}
		for _, o := range book.outcomes {
			if o.Delay > 110*time.Millisecond {
				t.Fatalf("entry %d was sent %v late", o.Entry, o.Delay)
			}
		}
	})
}

// The ceiling is one of requests: slots and steps together.
func TestStepsCountAgainstMaxRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, _ := journeys(t, 5, request(), request(), request(), request())
		sc.Limits.MaxRate = 10
		sc.Limits.LateAfter = 500 * time.Millisecond
		begin := time.Now()
		due := run(t, sc, time.Minute)
		book.balances(t, due)
		if book.withheld[protocol.Step][WithheldRateCap] == 0 {
			t.Error("no step was withheld")
		}
		for s := range 60 {
			from := begin.Add(time.Duration(s) * time.Second)
			// One second's worth may have been saved up.
			if n := client.between(from, from.Add(time.Second)); n > 21 {
				t.Errorf("second %d: %d requests", s, n)
			}
		}
		if n := client.between(begin, begin.Add(time.Minute)); n > 611 {
			t.Errorf("%d requests in a minute, want at most 10/s", n)
		}
	})
}

func TestJourneysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, _, book, _ := journeys(t, 100, request(), wait(10*time.Second), request())
		sc.Limits.MaxJourneys = 50
		fixed := Entry{Weight: 1, Request: 7}
		sc.Entries = append(sc.Entries, fixed)
		due := run(t, sc, 5*time.Second)
		book.balances(t, due)
		if book.begun != 50 || book.drops(DropJourneys) == 0 {
			t.Errorf("%d journeys begun, %d slots dropped", book.begun, book.drops(DropJourneys))
		}
		single := 0
		for _, o := range book.outcomes {
			if o.Entry == 7 {
				single++
			}
		}
		if uint64(single)+50+book.drops(DropJourneys) != due {
			t.Errorf("%d single requests of %d slots: they need no place", single, due)
		}
	})
}

func TestAReloadLeavesJourneysThatHaveBegunAsTheyWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, old, book, p := journeys(t, 10, request(), wait(30*time.Second), request())
		e := newEngine(Options{})
		begin := time.Now()
		e.Apply([]Scenario{sc})
		time.Sleep(5 * time.Second)
		change := time.Now()
		changed, next := sc, &fake{}
		changed.Client = next
		changed.Entries = []Entry{{Weight: 1}}
		e.Apply([]Scenario{changed})
		time.Sleep(40 * time.Second)
		before := sc.Timeline.Count(begin, change)
		if got := p.outcomes(); got != outcomes(int(before), 0, 0, 0) {
			t.Errorf("journeys %v, want %d that have ended", got, before)
		}
		old.wasClosed(t, 1)
		if n := old.between(begin, time.Now()); n != 2*before {
			t.Errorf("%d requests by the old client, want %d", n, 2*before)
		}
		end := time.Now()
		stop(t, e)
		book.balances(t, sc.Timeline.Count(begin, end))
	})
}

func TestAStopWaitsForJourneysThatEndWithinTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, p := journeys(t, 10, request(), wait(4*time.Second), request(), wait(4*time.Second), request())
		sc.Limits.Grace = 5 * time.Second
		e := newEngine(Options{})
		begin := time.Now()
		e.Apply([]Scenario{sc})
		time.Sleep(20 * time.Second)
		end := time.Now()
		stop(t, e)
		if took := time.Since(end); took > 5*time.Second {
			t.Errorf("the stop took %v", took)
		}
		due := sc.Timeline.Count(begin, end)
		book.balances(t, due)
		// Those of the last 3 s have more than 5 s to go, and those of the next 4 s, who wait
		// for the first time, as well: their second pause ends beyond the grace.
		got := p.outcomes()
		if got[JourneySuccess] != 170 || got[JourneyCanceled] != int(due)-170 {
			t.Errorf("journeys %v of %d", got, due)
		}
		for _, s := range client.all() {
			if s.at.After(end.Add(5 * time.Second)) {
				t.Fatalf("a request was sent %v after the stop", s.at.Sub(end))
			}
		}
		client.wasClosed(t, 1)
	})
}

func TestAStopThatIsCutShortEndsAllJourneys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, p := journeys(t, 10, request(), wait(time.Hour), request())
		sc.Limits.Grace = 2 * time.Hour
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
		due := sc.Timeline.Count(begin, end)
		book.balances(t, due)
		if got := p.outcomes(); got != outcomes(0, 0, 0, int(due)) {
			t.Errorf("journeys %v", got)
		}
		client.wasClosed(t, 1)
	})
}

func TestPausesEndInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		woken := map[*lane]time.Time{}
		p := newPauses(time.Now(), func(l *lane) {
			mu.Lock()
			defer mu.Unlock()
			woken[l] = time.Now()
		}, func() {})
		want := map[*lane]time.Time{}
		rnd := rand.New(rand.NewPCG(3, 4))
		for range 2000 {
			l := &lane{}
			want[l] = time.Now().Add(time.Duration(rnd.Int64N(int64(time.Minute))))
			if !p.add(l, want[l]) {
				t.Fatal("refused")
			}
			if rnd.IntN(10) == 0 {
				time.Sleep(time.Duration(rnd.Int64N(int64(100 * time.Millisecond))))
			}
		}
		time.Sleep(30 * time.Second)
		for _, l := range p.end(0) {
			delete(want, l)
		}
		synctest.Wait()
		if p.add(&lane{}, time.Now().Add(time.Second)) {
			t.Error("somebody waits beyond the end")
		}
		if len(woken) != len(want) {
			t.Errorf("%d were woken, want %d", len(woken), len(want))
		}
		for l, at := range want {
			if !woken[l].Equal(at) {
				t.Fatalf("woken %v late", woken[l].Sub(at))
			}
		}
	})
}
