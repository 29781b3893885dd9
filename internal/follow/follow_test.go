package follow

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/override"
)

// source is a source of rates. It finds the rate that it is set to.
type source struct {
	mu    sync.Mutex
	rate  float64
	err   error
	hangs bool
	asked []time.Time
}

func (s *source) ask(ctx context.Context) (float64, error) {
	s.mu.Lock()
	rate, err, hangs := s.rate, s.err, s.hangs
	s.asked = append(s.asked, time.Now())
	s.mu.Unlock()
	if hangs {
		<-ctx.Done()
	}
	return rate, err
}

// finds sets the rate to find.
func (s *source) finds(rate float64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rate, s.err = rate, err
}

// times returns when it was asked.
func (s *source) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func policy() Policy {
	return Policy{
		Every: 10 * time.Second, Hold: time.Minute, Scale: 1, Max: 1000,
		Otherwise: func(time.Time) float64 { return 5 },
	}
}

// replica is a Follower with its surroundings.
type replica struct {
	*Follower
	source *source
	asks   atomic.Bool
}

func newReplica(name string, p Policy, store Store) *replica {
	r := &replica{source: &source{}}
	r.asks.Store(true)
	r.Follower = New(Options{
		Scenario: "s", Policy: p, Ask: r.source.ask, Store: store, Asks: r.asks.Load, Replica: name,
		Logger: slog.New(slog.DiscardHandler),
	})
	return r
}

// rateIn returns the rate that holds after a time from now.
func rateIn(store *override.Local, d time.Duration) float64 {
	c, ok := store.Book()["s"].At(time.Now().Add(d))
	if !ok {
		return math.NaN()
	}
	return c.Value
}

// alone runs one replica in virtual time.
func alone(t *testing.T, p Policy, test func(r *replica, store *override.Local)) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		store := override.NewLocal()
		r := newReplica("a", p, store)
		defer r.Close()
		test(r, store)
	})
}

func TestWhatIsFoundTakesEffectSecondsLaterAndHolds(t *testing.T) {
	alone(t, policy(), func(r *replica, store *override.Local) {
		r.source.finds(30, nil)
		r.Start()
		synctest.Wait()
		if now, soon := rateIn(store, 0), rateIn(store, 3*time.Second); !math.IsNaN(now) || soon != 30 {
			t.Errorf("the rate is %g now and %g soon, want 30 soon", now, soon)
		}
		time.Sleep(5 * time.Second)
		r.source.finds(40, nil)
		time.Sleep(10 * time.Second)
		if now := rateIn(store, 0); now != 40 {
			t.Errorf("the rate is %g after a period, want 40", now)
		}
		r.source.finds(0, errors.New("away"))
		time.Sleep(50 * time.Second)
		if now := rateIn(store, 0); now != 40 {
			t.Errorf("the rate is %g while it holds, want 40", now)
		}
		if r.Failure() != "away" {
			t.Errorf("failure %q", r.Failure())
		}
		time.Sleep(20 * time.Second)
		if now := rateIn(store, 0); !math.IsNaN(now) {
			t.Errorf("the rate is %g long after it was found, want none", now)
		}
		r.source.finds(40, nil)
		time.Sleep(15 * time.Second)
		if now := rateIn(store, 0); now != 40 || r.Failure() != "" {
			t.Errorf("the rate is %g when there is one again, failure %q", now, r.Failure())
		}
	})
}

func TestItAsksAtMultiplesOfThePeriodAndOnlyWhenItIsItsTurn(t *testing.T) {
	alone(t, policy(), func(r *replica, _ *override.Local) {
		time.Sleep(3 * time.Second) // Virtual time begins at a multiple.
		r.asks.Store(false)
		r.Start()
		time.Sleep(20 * time.Second)
		if len(r.source.times()) != 0 {
			t.Fatal("it asks though another replica does")
		}
		r.asks.Store(true)
		time.Sleep(30 * time.Second)
		if n := len(r.source.times()); n != 4 {
			t.Fatalf("asked %d times in 30 s, want once at once and at three multiples of 10 s", n)
		}
		for _, at := range r.source.times()[1:] {
			if late := at.Sub(at.Truncate(10 * time.Second)); late >= time.Second {
				t.Errorf("asked %v after a multiple of the period", late)
			}
		}
	})
}

func TestWhatCannotBeARateIsNotFollowed(t *testing.T) {
	for _, rate := range []float64{math.NaN(), math.Inf(1), -1} {
		alone(t, policy(), func(r *replica, store *override.Local) {
			r.source.finds(rate, nil)
			r.Start()
			time.Sleep(5 * time.Second)
			if now := rateIn(store, 0); !math.IsNaN(now) || r.Failure() == "" {
				t.Errorf("found %g: the rate is %g, failure %q", rate, now, r.Failure())
			}
		})
	}
}

func TestAResponseIsNotWaitedForForever(t *testing.T) {
	alone(t, policy(), func(r *replica, _ *override.Local) {
		r.source.hangs, r.source.err = true, context.DeadlineExceeded
		r.Start()
		time.Sleep(35 * time.Second)
		if n := len(r.source.times()); n != 4 || r.Failure() == "" {
			t.Errorf("asked %d times in 35 s, failure %q, want 4", n, r.Failure())
		}
	})
}

// What files and names are looked up for may not heed the end of a context.
func TestWhatDoesNotEndIsNotAskedAgainAndHoldsUpNoStop(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		r := newReplica("a", policy(), override.NewLocal())
		release := make(chan struct{})
		var calls atomic.Int64
		r.o.Ask = func(context.Context) (float64, error) {
			calls.Add(1)
			<-release
			return 1, nil
		}
		r.Start()
		time.Sleep(35 * time.Second)
		r.Close()
		if calls.Load() != 1 || r.Failure() != errBusy.Error() {
			t.Errorf("asked %d times, failure %q", calls.Load(), r.Failure())
		}
		close(release)
	})
}

func TestARateIsAdjusted(t *testing.T) {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	last := override.Change{From: at.Add(-10 * time.Second), Value: 100}
	for name, tc := range map[string]struct {
		change func(*Policy)
		found  float64
		holds  bool
		want   float64
	}{
		"as it is":                         {func(*Policy) {}, 70, true, 70},
		"scaled":                           {func(p *Policy) { p.Scale = 0.1 }, 70, true, 7},
		"raised to min":                    {func(p *Policy) { p.Scale, p.Min = 0.1, 9 }, 70, true, 9},
		"cut to max":                       {func(p *Policy) { p.Max = 50 }, 70, true, 50},
		"smoothed by its time constant":    {func(p *Policy) { p.Smooth = 10 * time.Second }, 200, true, 200 - 100/math.E},
		"smoothed over a longer time":      {func(p *Policy) { p.Smooth = 1000 * time.Second }, 0, true, 100 * math.Exp(-0.01)},
		"at once when nothing holds":       {func(p *Policy) { p.Smooth = 10 * time.Second }, 200, false, 200},
		"a jump up":                        {func(p *Policy) { p.MaxStep = 30 }, 700, true, 130},
		"a jump down":                      {func(p *Policy) { p.MaxStep = 30 }, 0, true, 70},
		"a step":                           {func(p *Policy) { p.MaxStep = 30 }, 120, true, 120},
		"a jump from the rate of the file": {func(p *Policy) { p.MaxStep = 30 }, 700, false, 35},
		"a jump from beyond max":           {func(p *Policy) { p.MaxStep, p.Max = 30, 50 }, 700, true, 50},
		"a jump from below min":            {func(p *Policy) { p.MaxStep, p.Min = 1, 50 }, 700, false, 50},
	} {
		p := policy()
		tc.change(&p)
		if got := p.rate(tc.found, last, tc.holds, at); math.Abs(got-tc.want) > 1e-9 {
			t.Errorf("%s: %g, want %g", name, got, tc.want)
		}
	}
}

func TestAnotherReplicaGoesOnWhereTheFirstHasEnded(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		store := override.NewLocal()
		p := policy()
		p.Smooth = 10 * time.Second
		a, b := newReplica("a", p, store), newReplica("b", p, store)
		defer b.Close()
		a.source.finds(100, nil)
		b.source.finds(200, nil)
		b.asks.Store(false)
		a.Start()
		b.Start()
		time.Sleep(15 * time.Second)
		before, _ := store.Book()["s"].At(time.Now())
		a.Close()
		b.asks.Store(true)
		time.Sleep(6 * time.Second)
		after, _ := store.Book()["s"].At(time.Now())
		if after.Replica != "b" || !after.Began.Equal(before.Began) || !(after.Value > 100 && after.Value < 200) {
			t.Errorf("after %+v comes %+v", before, after)
		}
		if want := Held(before).At(after.From); want != Held(after).Before || want.Slots == 0 {
			t.Errorf("%+v slots before it, want %+v", Held(after).Before, want)
		}
	})
}

func TestTwoThatAskAtOnceAreOne(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		store := override.NewLocal()
		a, b := newReplica("a", policy(), store), newReplica("b", policy(), store)
		defer a.Close()
		defer b.Close()
		a.source.finds(100, nil)
		b.source.finds(200, nil)
		a.Start()
		b.Start()
		time.Sleep(5 * time.Second)
		if n := len(store.Book()["s"]); n != 1 || a.Failure()+b.Failure() != "" {
			t.Errorf("%d rates are written, failures %q and %q", n, a.Failure(), b.Failure())
		}
	})
}

func TestARateOfAClockThatWasAheadIsReplaced(t *testing.T) {
	alone(t, policy(), func(r *replica, store *override.Local) {
		at := time.Now().Add(time.Hour)
		err := store.Change(t.Context(), "s", func(h override.History) (override.History, error) {
			h, _, _ = h.Add(override.Change{Kind: override.Found, Value: 77, Until: override.Begin(at).Add(time.Minute), Began: override.Begin(at)}, at)
			return h, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		r.source.finds(30, nil)
		r.Start()
		time.Sleep(5 * time.Second)
		if now := rateIn(store, 0); now != 30 {
			t.Errorf("the rate is %g, want 30", now)
		}
		time.Sleep(time.Hour)
		if now := rateIn(store, 0); now != 30 {
			t.Errorf("the rate is %g after an hour, want 30", now)
		}
	})
}
