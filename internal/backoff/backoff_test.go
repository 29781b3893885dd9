package backoff_test

import (
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/backoff"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// policy is the one of these tests: at 50 %, over 10 s, to 10 %, back within 20 s.
func policy() backoff.Policy {
	return backoff.Policy{Limit: 0.5, Over: 10 * time.Second, To: 0.1, Recover: 20 * time.Second}
}

func begin() time.Time { return time.Unix(1_700_000_000, 0) }

// votes are the votes of a fleet. The guard in the test is one member.
type votes struct {
	mu     sync.Mutex
	own    []time.Time
	agreed time.Time
}

func (v *votes) Vote(_ string, at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.own = append(v.own, at)
}

func (v *votes) Agreed(string) time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.agreed
}

// load sends a hundred slots a second through the guard for a while, and returns how many were
// sent. A share of them fails, each a moment after it was sent.
func load(g *backoff.Guard, from time.Time, d time.Duration, failing float64) (sent int) {
	rng := rand.New(rand.NewPCG(1, uint64(from.UnixNano())))
	for at := from; at.Before(from.Add(d)); at = at.Add(10 * time.Millisecond) {
		if g.Spares(timeline.Slot{Due: at, Hash: rng.Uint64()}) {
			continue
		}
		sent++
		g.Ended(at, at.Add(time.Millisecond), rng.Float64() < failing)
	}
	return sent
}

func guard(v backoff.Votes) *backoff.Guard {
	return backoff.New("test", policy(), v, slog.New(slog.DiscardHandler))
}

func TestATargetThatFailsIsSparedAndComesBackSlowly(t *testing.T) {
	g := guard(nil)
	at := begin()
	for _, step := range []struct {
		name         string
		d            time.Duration
		failing      float64
		least, most  int
		before, then float64
	}{
		{"all is well", time.Minute, 0.1, 6000, 6000, 1, 1},
		{"fails, and is not yet found to", 4 * time.Second, 1, 400, 400, 1, 1},
		{"is found to", 7 * time.Second, 1, 100, 400, 1, 0.1},
		{"fails on", 5 * time.Minute, 1, 2400, 3700, 0.1, 0.1},
	} {
		if r := g.Ratio(at); r != step.before {
			t.Errorf("%s: ratio %v at first, want %v", step.name, r, step.before)
		}
		if n := load(g, at, step.d, step.failing); n < step.least || n > step.most {
			t.Errorf("%s: %d sent, want %d to %d", step.name, n, step.least, step.most)
		}
		at = at.Add(step.d)
		if r := g.Ratio(at); r > step.then+0.1 || r < step.then {
			t.Errorf("%s: ratio %v at last, want %v", step.name, r, step.then)
		}
	}
	// It heals: requests of the time in which it failed are forgotten after a while.
	load(g, at, 20*time.Second, 0)
	at = at.Add(20 * time.Second)
	last := g.Ratio(at)
	for range 30 {
		load(g, at, time.Second, 0)
		at = at.Add(time.Second)
		if r := g.Ratio(at); r < last {
			t.Fatalf("the ratio fell from %v to %v", last, r)
		} else {
			last = r
		}
	}
	if last != 1 {
		t.Errorf("ratio %v, want 1", last)
	}
	if n := load(g, at, time.Minute, 0.4); n != 6000 {
		t.Errorf("%d sent of 6000 below the limit", n)
	}
}

func TestTheRatioClimbsEvenly(t *testing.T) {
	g := guard(nil)
	load(g, begin(), 15*time.Second, 1)
	var found time.Time
	for at := begin(); at.Before(begin().Add(15 * time.Second)); at = at.Add(time.Second) {
		if g.Ratio(at.Add(10*time.Second)) > 0.1 {
			found = at.Add(-time.Second)
			break
		}
	}
	for _, test := range []struct {
		after time.Duration
		want  float64
	}{{0, 0.1}, {9 * time.Second, 0.1}, {20 * time.Second, 0.55}, {25 * time.Second, 0.775}, {30 * time.Second, 1}, {time.Hour, 1}} {
		if got := g.Ratio(found.Add(test.after)); math.Abs(got-test.want) > 0.05 {
			t.Errorf("after %s: %v, want %v", test.after, got, test.want)
		}
	}
}

func TestAFewErrorsMeanNothing(t *testing.T) {
	g := guard(nil)
	at := begin()
	for range 1000 { // One in two seconds: five in the window.
		g.Ended(at, at, true)
		at = at.Add(2 * time.Second)
	}
	if g.Ratio(at) != 1 {
		t.Error("the target is spared")
	}
}

func TestWhatWasSentBeforeDoesNotCountAgain(t *testing.T) {
	g := guard(nil)
	at := begin()
	load(g, at, 12*time.Second, 1)
	// A thousand requests of before that end in their timeouts now, and a few that are well.
	for s := range 20 {
		now := at.Add(12*time.Second + time.Duration(s)*time.Second)
		for range 1000 {
			g.Ended(at.Add(time.Millisecond), now, true)
		}
		for range 5 {
			g.Ended(now, now, false)
		}
	}
	if r := g.Ratio(at.Add(45 * time.Second)); r != 1 {
		t.Errorf("ratio %v, want 1: the target has healed", r)
	}
}

func TestTheFleetsOpinionCounts(t *testing.T) {
	v := &votes{}
	g := guard(v)
	at := begin()
	load(g, at, 20*time.Second, 0)
	at = at.Add(20 * time.Second)
	v.mu.Lock()
	v.agreed = at
	v.mu.Unlock()
	n := load(g, at, 10*time.Second, 0)
	if n < 50 || n > 170 {
		t.Errorf("%d of 1000 sent, want about 100", n)
	}
	if len(v.own) != 0 {
		t.Error("a vote for what others found")
	}
	load(g, at.Add(10*time.Second), 30*time.Second, 0)
	if r := g.Ratio(at.Add(40 * time.Second)); r != 1 {
		t.Errorf("ratio %v, want 1", r)
	}
	load(g, at.Add(40*time.Second), 10*time.Second, 1)
	if len(v.own) != 1 {
		t.Errorf("voted %d times, want once", len(v.own))
	}
}

func TestWhichSlotsAreSparedIsTheSameEverywhere(t *testing.T) {
	a, b := guard(nil), guard(nil)
	for _, g := range []*backoff.Guard{a, b} {
		load(g, begin(), 12*time.Second, 1)
	}
	at := begin().Add(15 * time.Second)
	spared := 0
	rng := rand.New(rand.NewPCG(7, 7))
	for range 10000 {
		slot := timeline.Slot{Due: at, Hash: rng.Uint64()}
		if a.Spares(slot) != b.Spares(slot) {
			t.Fatal("the replicas differ")
		}
		if a.Spares(slot) {
			spared++
		}
	}
	if spared < 8800 || spared > 9200 {
		t.Errorf("%d of 10000 spared, want about 9000", spared)
	}
}

func TestManyMayUseAGuard(*testing.T) {
	g := guard(&votes{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { load(g, begin(), 30*time.Second, 0.6) })
	}
	all.Wait()
}

func BenchmarkGuard(b *testing.B) {
	g := guard(nil)
	at := begin()
	slot := timeline.Slot{Due: at, Hash: 1}
	b.ReportAllocs()
	for b.Loop() {
		g.Spares(slot)
		g.Ended(at, at, false)
	}
}
