package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

func TestApplyChangesTheRateAtOneInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 30)
		begin := time.Now()
		e := newEngine(Options{})
		e.Apply([]Scenario{sc})
		time.Sleep(10*time.Second + 12345*time.Microsecond)
		change := time.Now()
		faster := sc
		faster.Timeline = line(t, timeline.Steady{Rate: 60})
		e.Apply([]Scenario{faster})
		time.Sleep(10 * time.Second)
		end := time.Now()
		stop(t, e)

		before, after := sc.Timeline.Count(begin, change), faster.Timeline.Count(change, end)
		if n := client.between(begin, change); n != before {
			t.Errorf("%d requests before the change, want %d", n, before)
		}
		if n := client.between(change, end); n != after {
			t.Errorf("%d requests after the change, want %d", n, after)
		}
		uniqueSlots(t, client.all())
		book.balances(t, before+after)
		client.wasClosed(t, 1)
	})
}

func TestAChangeAtTheInstantOfASlotBelongsToTheNewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, old, book := scenario(t, 10)
		begin := time.Now()
		slot, _ := sc.Timeline.Cursor(begin.Add(5 * time.Second)).Next(begin.Add(time.Minute))
		e := newEngine(Options{})
		e.Apply([]Scenario{sc})
		// One nanosecond early, then exactly.
		time.Sleep(time.Until(slot.Due) - 1)
		changed, next := sc, &fake{}
		changed.Client = next
		synctest.Wait()
		time.Sleep(time.Nanosecond)
		e.Apply([]Scenario{changed})
		time.Sleep(950 * time.Millisecond)
		end := time.Now()
		stop(t, e)
		book.balances(t, sc.Timeline.Count(begin, end))
		uniqueSlots(t, append(old.all(), next.all()...))
		// The old leader and Apply woke at the same instant: whichever was first, the
		// slot is sent once, and the two take nothing else of each other's.
		if n := uint64(len(old.all()) + len(next.all())); n != sc.Timeline.Count(begin, end) {
			t.Errorf("%d requests, want %d", n, sc.Timeline.Count(begin, end))
		}
	})
}

func TestStopAtTheInstantOfASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 50 {
			sc, client, book := scenario(t, 10)
			begin := time.Now()
			slot, _ := sc.Timeline.Cursor(begin.Add(time.Second)).Next(begin.Add(time.Minute))
			e := newEngine(Options{})
			e.Apply([]Scenario{sc})
			time.Sleep(time.Until(slot.Due))
			stop(t, e)
			before := sc.Timeline.Count(begin, slot.Due)
			if n := uint64(len(client.all())); n != before && n != before+1 {
				t.Fatalf("%d requests, %d were due before", n, before)
			}
			book.balances(t, uint64(len(client.all())))
		}
	})
}

func TestManyChangesOfARunningScenarioLoseAndDoubleNothing(t *testing.T) {
	// In real time, with real races: the clocks go evenly, however slow the machine.
	base := time.Now()
	even := func() (wall, mono time.Time) {
		now := time.Now()
		return epoch().Add(now.Sub(base)), now
	}
	sc, client, book := scenario(t, 20_000)
	sc.Limits.MaxInFlight = 10
	e := newEngine(Options{})
	e.clock = newClock(even, slog.New(slog.DiscardHandler))
	// The first runner, from a known moment on.
	begin := e.clock.look()
	e.running["test"] = e.start(sc, begin)
	for i := range 100 {
		sc.Limits.MaxInFlight = 10 + i%2
		time.Sleep(2 * time.Millisecond)
		e.Apply([]Scenario{sc})
	}
	last := e.running["test"].pacer
	stop(t, e)
	uniqueSlots(t, client.all())
	book.balances(t, sc.Timeline.Count(begin.wall, last.awaitHalt().wall))
	client.wasClosed(t, 1)
}

func TestApplyLeavesTheUnchangedAloneAndDrainsTheRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stays, staysClient, staysBook := scenario(t, 10)
		goes, goesClient, book := scenario(t, 10)
		goes.Name = "goes"
		goesClient.respondAfter = func(protocol.Request) time.Duration { return 5 * time.Second }
		e := newEngine(Options{})
		begin := time.Now()
		e.Apply([]Scenario{stays, goes})
		time.Sleep(10 * time.Second)
		before := e.running["test"]
		removed := time.Now()
		same := stays
		same.Entries = []Entry{{Weight: 1}} // Equal, not identical.
		e.Apply([]Scenario{same})
		if e.running["test"] != before {
			t.Error("the unchanged runner was replaced")
		}
		time.Sleep(4 * time.Second)
		goesClient.wasClosed(t, 0)
		time.Sleep(4 * time.Second)
		goesClient.wasClosed(t, 1)
		book.balances(t, goes.Timeline.Count(begin, removed))
		staysClient.wasClosed(t, 0)
		end := time.Now()
		stop(t, e)
		staysClient.wasClosed(t, 1)
		staysBook.balances(t, stays.Timeline.Count(begin, end))
	})
}

func TestAnotherTimelineAloneKeepsTheRunnerWithinItsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 10)
		client.respondAfter = func(protocol.Request) time.Duration { return 20 * time.Second }
		sc.Limits.MaxInFlight = 5
		begin := time.Now()
		e := newEngine(Options{})
		e.Apply([]Scenario{sc})
		runner := e.running["test"]
		var due uint64
		from := begin
		for i := range 15 {
			time.Sleep(time.Second + time.Duration(i)*12345*time.Microsecond)
			due += sc.Timeline.Count(from, time.Now())
			from = time.Now()
			sc.Timeline = line(t, timeline.Steady{Rate: float64(10 + i)})
			e.Apply([]Scenario{sc})
		}
		if e.running["test"] != runner {
			t.Error("there is a new runner")
		}
		if n := len(client.all()); n != 5 {
			t.Errorf("%d requests are in flight, want 5", n)
		}
		due += sc.Timeline.Count(from, time.Now())
		stop(t, e)
		book.balances(t, due)
	})
}

func TestAnyOtherDifferenceMakesANewRunner(t *testing.T) {
	for name, change := range map[string]func(*Scenario){
		"pacing":   func(s *Scenario) { s.Pacing = PacingExact },
		"entries":  func(s *Scenario) { s.Entries = []Entry{{Weight: 1}, {Weight: 2}} },
		"client":   func(s *Scenario) { s.Client = &fake{} },
		"recorder": func(s *Scenario) { s.Recorder = &ledger{tb: t} },
		"limits":   func(s *Scenario) { s.Limits.LateAfter++ },
		"sparing":  func(s *Scenario) { s.Sparing = &spareOdd{} },
		"needs":    func(s *Scenario) { s.Needs = &needsTime{} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc, _, _ := scenario(t, 10)
				e := newEngine(Options{})
				e.Apply([]Scenario{sc})
				before := e.running["test"]
				changed := sc
				change(&changed)
				e.Apply([]Scenario{changed})
				if e.running["test"] == before {
					t.Error("the old runner goes on")
				}
				stop(t, e)
			})
		})
	}
}

func TestAReplacedClientIsClosedWhenItsRequestsHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, first, book := scenario(t, 10)
		first.respondAfter = func(protocol.Request) time.Duration { return 5 * time.Second }
		begin := time.Now()
		e := newEngine(Options{})
		e.Apply([]Scenario{sc})
		time.Sleep(10 * time.Second)
		// The client is kept, then replaced while requests of the first runner are
		// still in flight.
		sc.Limits.MaxInFlight++
		e.Apply([]Scenario{sc})
		time.Sleep(time.Second)
		second := &fake{}
		sc.Client = second
		e.Apply([]Scenario{sc})
		time.Sleep(4500 * time.Millisecond)
		first.wasClosed(t, 0)
		time.Sleep(time.Second)
		first.wasClosed(t, 1)
		second.wasClosed(t, 0)
		end := time.Now()
		stop(t, e)
		first.wasClosed(t, 1)
		second.wasClosed(t, 1)
		book.balances(t, sc.Timeline.Count(begin, end))
		if n := book.allDropped(); n != 0 {
			t.Errorf("%d dropped", n)
		}
	})
}

func TestStopFinishesWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 10)
		client.respondAfter = func(protocol.Request) time.Duration { return 2 * time.Second }
		e := newEngine(Options{})
		begin := time.Now()
		e.Apply([]Scenario{sc})
		time.Sleep(10 * time.Second)
		asked := time.Now()
		stop(t, e)
		if took := time.Since(asked); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		want := sc.Timeline.Count(begin, asked)
		book.balances(t, want)
		for _, o := range book.outcomes {
			if o.Result.Failed() {
				t.Fatalf("a request failed: %v", o.Result.Reason)
			}
		}
		// Again, and a change after the end: nothing happens.
		stop(t, e)
		e.Apply([]Scenario{sc})
		time.Sleep(time.Second)
		book.balances(t, want)
		client.wasClosed(t, 1)
	})
}

func TestStopCancelsWhatDoesNotFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 10)
		client.respondAfter = func(protocol.Request) time.Duration { return time.Hour }
		e := newEngine(Options{})
		e.Apply([]Scenario{sc})
		time.Sleep(3 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		asked := time.Now()
		if err := e.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stop: %v", err)
		}
		if took := time.Since(asked); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
		book.balances(t, 30)
		for _, o := range book.outcomes {
			if o.Result.Reason != protocol.ReasonCanceled {
				t.Fatalf("reason %v", o.Result.Reason)
			}
		}
		client.wasClosed(t, 1)
	})
}

func TestSlotsThatAreFoundDueAfterACutAreDroppedAsShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book := scenario(t, 10)
		e := newEngine(Options{})
		e.Apply([]Scenario{sc})
		e.cut()
		time.Sleep(10 * time.Second)
		stop(t, e)
		book.balances(t, 100)
		if n := book.drops(DropShutdown); n != 100 || len(client.all()) != 0 {
			t.Errorf("%d dropped, %d sent", n, len(client.all()))
		}
	})
}

func TestStopAndApplyMayBeCalledAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, _, book := scenario(t, 100)
		e := newEngine(Options{})
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				changed := sc
				changed.Limits.MaxInFlight += i
				for range 20 {
					time.Sleep(time.Millisecond)
					e.Apply([]Scenario{changed})
				}
			})
		}
		for range 3 {
			wg.Go(func() {
				time.Sleep(15 * time.Millisecond)
				stop(t, e)
			})
		}
		wg.Wait()
		stop(t, e)
		book.balances(t, book.due)
	})
}

func TestAnEngineWithoutScenariosStops(t *testing.T) {
	e := newEngine(Options{})
	stop(t, e)
	e.Apply(nil)
	stop(t, e)
}
