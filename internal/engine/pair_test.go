package engine

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// candidateEntry is where the client's entries of candidates begin.
const candidateEntry = 100

// pairing is a Pairing that wants the slots that wants does, by plans.
type pairing struct {
	wants          func(timeline.Slot) bool
	candidateFirst func(timeline.Slot) bool
	own, candidate *plan

	mu    sync.Mutex
	begun int
	alone int
}

func (p *pairing) Wants(slot timeline.Slot, _ time.Time) bool { return p.wants == nil || p.wants(slot) }

func (p *pairing) Begin(slot timeline.Slot) Pair {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun++
	return Pair{
		Own: p.own.Begin(slot), Candidate: &elsewhere{p.candidate.Begin(slot)},
		CandidateFirst: p.candidateFirst != nil && p.candidateFirst(slot),
	}
}

func (p *pairing) Alone() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alone++
}

// elsewhere is a journey to a candidate.
type elsewhere struct{ Journey }

func (e *elsewhere) Next(c *protocol.Call) Move {
	m := e.Journey.Next(c)
	c.Request.Entry += candidateEntry
	return m
}

// isCandidate reports whether a request goes to the candidate.
func isCandidate(entry int) bool { return entry >= candidateEntry }

// paired returns a scenario all of whose slots are pairs of journeys with these moves.
func paired(tb testing.TB, perSecond float64, moves ...Move) (Scenario, *fake, *ledger, *pairing) {
	tb.Helper()
	sc, client, book, own := journeys(tb, perSecond, moves...)
	p := &pairing{own: own, candidate: &plan{moves: moves, strict: tb}}
	own.strict = tb
	sc.Entries[0].Pairs = p
	return sc, client, book, p
}

func every(timeline.Slot) bool    { return true }
func odd(slot timeline.Slot) bool { return slot.Seq%2 == 1 }
func none(timeline.Slot) bool     { return false }
func own(o Outcome) bool          { return !isCandidate(o.Entry) }
func candidates(o Outcome) bool   { return isCandidate(o.Entry) }

// count returns how many outcomes are such.
func count(l *ledger, such func(Outcome) bool) (n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.outcomes {
		if such(o) {
			n++
		}
	}
	return n
}

func TestTheHalvesOfAPairFollowOneAnotherInTheOrderThatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, p := paired(t, 10, request(), request())
		p.candidateFirst = odd
		client.respondAfter = always(30 * time.Millisecond)
		due := run(t, sc, 10*time.Second)

		book.balances(t, due)
		want := outcomes(int(due), 0, 0, 0)
		if p.own.outcomes() != want || p.candidate.outcomes() != want || book.journeys != want || book.begun != int(due) {
			t.Errorf("journeys %v, %v and %v, %d begun, want %v", p.own.outcomes(), p.candidate.outcomes(), book.journeys, book.begun, want)
		}
		slots := map[uint64][]sent{}
		for _, s := range client.all() {
			slots[s.Seq] = append(slots[s.Seq], s)
		}
		for seq, all := range slots {
			if len(all) != 4 {
				t.Fatalf("slot %d has %d requests, want 4", seq, len(all))
			}
			for i, s := range all {
				if isCandidate(s.Entry) != (seq%2 == 1) == (i < 2) {
					t.Fatalf("slot %d: request %d goes to entry %d", seq, i, s.Entry)
				}
				if i > 0 && s.at.Sub(all[i-1].at) != 30*time.Millisecond {
					t.Fatalf("slot %d: request %d comes %v after the one before", seq, i, s.at.Sub(all[i-1].at))
				}
			}
			if all[0].Trace != all[1].Trace || all[2].Trace != all[3].Trace || all[0].Trace == all[2].Trace {
				t.Fatalf("slot %d: a trace for each half is expected", seq)
			}
		}
		for _, o := range book.outcomes {
			if o.Delay != 0 {
				t.Fatalf("entry %d was %v late", o.Entry, o.Delay)
			}
		}
		for _, took := range book.took {
			if took != 60*time.Millisecond {
				t.Fatalf("a journey took %v, want 60ms without the candidate's half", took)
			}
		}
	})
}

func TestWhatBecomesOfACandidateIsNothingToTheSlotsOwnJourney(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, p := paired(t, 10, request(), request())
		p.candidateFirst = odd
		client.respondAfter = always(30 * time.Millisecond)
		client.fails = func(r protocol.Request) bool { return isCandidate(r.Entry) }
		due := run(t, sc, 10*time.Second)
		book.balances(t, due)
		if want := outcomes(int(due), 0, 0, 0); book.journeys != want {
			t.Errorf("journeys %v, want %v", book.journeys, want)
		}
		if n := count(book, own); n != 2*due {
			t.Errorf("%d own requests of %d slots", n, due)
		}
		if n := count(book, candidates); n != due {
			t.Errorf("%d requests of candidates, want one of each of %d slots, whose failure ends the journey", n, due)
		}
	})
}

func TestPairsCountAgainstMaxRate(t *testing.T) {
	for name, tc := range map[string]struct {
		max    float64
		pairs  float64
		margin float64
	}{
		"as much as the rate":   {max: 10, pairs: 0, margin: 0.05},
		"room for every second": {max: 15, pairs: 0.5, margin: 0.05},
		"room for all":          {max: 20, pairs: 1, margin: 0.05},
		"no limit":              {max: 0, pairs: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sc, client, book, p := paired(t, 10, request())
				p.candidateFirst = odd
				sc.Limits.MaxRate = tc.max
				client.respondAfter = always(20 * time.Millisecond)
				due := run(t, sc, time.Minute)
				book.balances(t, due)
				if n := count(book, own); n != due {
					t.Errorf("%d own requests of %d slots: the candidate's must not take their place", n, due)
				}
				if n := count(book, candidates); n != uint64(p.begun) || p.begun+p.alone != int(due) {
					t.Errorf("%d requests of candidates, %d pairs and %d alone of %d slots", n, p.begun, p.alone, due)
				}
				if got := float64(p.begun) / float64(due); got < tc.pairs-tc.margin || got > tc.pairs+tc.margin {
					t.Errorf("%.2f of the slots are pairs, want %.2f", got, tc.pairs)
				}
				if most := tc.max*60 + 20; tc.max > 0 && float64(len(client.all())) > most {
					t.Errorf("%d requests in a minute, want at most %.0f", len(client.all()), most)
				}
			})
		})
	}
}

func TestAPairHasOneRequestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, _ := paired(t, 100, request())
		sc.Limits.MaxInFlight = 6
		client.respondAfter = always(25 * time.Millisecond)
		due := run(t, sc, 10*time.Second)
		book.balances(t, due)
		if client.peak > 6 || book.finished != due {
			t.Errorf("%d requests were in flight and %d of %d slots were sent, want at most 6 and all", client.peak, book.finished, due)
		}
	})
}

// A candidate's step that finds no room for late_after ends its half, and the slot's own is sent.
func TestACandidateThatIsWithheldDoesNotTakeTheSlotAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, client, book, p := paired(t, 1, request())
		p.candidateFirst = every
		p.candidate.moves = []Move{request(), request(), request(), request(), request(), request()}
		sc.Limits.MaxRate, sc.Limits.LateAfter = 2, 20*time.Millisecond
		client.respondAfter = always(time.Millisecond)
		due := run(t, sc, time.Minute)
		book.balances(t, due)
		got := p.candidate.outcomes()
		if got[JourneyWithheld] == 0 || book.withheld[protocol.Step][WithheldRateCap] == 0 {
			t.Fatalf("candidates %v, withheld %v: some have to be withheld for this test", got, book.withheld)
		}
		if n := count(book, own); n != due || book.journeys != outcomes(int(due), 0, 0, 0) {
			t.Errorf("%d own requests of %d slots, %v", n, due, book.journeys)
		}
		for _, o := range book.outcomes {
			if own(o) && o.Delay > 10*time.Millisecond {
				t.Fatalf("an own request was %v late", o.Delay)
			}
		}
	})
}

func TestAFixedRequestThatIsNotPairedIsNoJourney(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, _, book, p := paired(t, 10, request())
		sc.Entries[0].Script = nil
		p.wants = none
		due := run(t, sc, 10*time.Second)
		book.balances(t, due)
		if book.begun != 0 || p.begun != 0 || count(book, own) != due {
			t.Errorf("%d journeys, %d pairs, %d requests of %d slots", book.begun, p.begun, count(book, own), due)
		}
	})
}

// Whatever happens to the halves, each slot ends once, each half is closed once, and the counts of the
// journeys' recorder add up.
func TestPairsKeepTheLedgerWhateverHappens(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			sc, client, book, p := paired(t, 20, request(), wait(time.Duration(rnd.IntN(300))*time.Millisecond), request())
			p.candidateFirst = func(s timeline.Slot) bool { return s.Hash%2 == 0 }
			p.wants = func(s timeline.Slot) bool { return s.Hash%3 > 0 }
			p.own.strict, p.candidate.strict = nil, nil // What waits for room may be canceled.
			sc.Limits.MaxRate = float64(rnd.IntN(3) * 25)
			sc.Limits.MaxInFlight = 1 + rnd.IntN(10)
			sc.Limits.LateAfter = 50 * time.Millisecond
			sc.Limits.Grace = time.Duration(rnd.IntN(2)) * 200 * time.Millisecond
			client.respondAfter = func(r protocol.Request) time.Duration { return time.Duration(r.Seq%7) * 20 * time.Millisecond }
			client.fails = func(r protocol.Request) bool { return r.Seq%5 == 0 }
			due := run(t, sc, 5*time.Second)
			book.balances(t, due)
			closed := 0
			for _, n := range p.candidate.outcomes() {
				closed += n
			}
			ended := 0
			for _, n := range book.journeys {
				ended += n
			}
			if closed != p.begun || ended != book.begun {
				t.Errorf("seed %d: %d of %d candidates closed, %d of %d journeys ended", seed, closed, p.begun, ended, book.begun)
			}
			if client.peak > sc.Limits.MaxInFlight {
				t.Errorf("seed %d: %d in flight, want at most %d", seed, client.peak, sc.Limits.MaxInFlight)
			}
		})
	}
}
