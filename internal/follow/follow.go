// Package follow finds out a rate for a scenario, such as production's, by asking for it
// again and again, and writes down what it found as a change of the rate that holds for a
// while. One replica asks for all: the change is spread among them, and takes effect in
// the same second on each.
//
// It decides how a found rate is used: it is scaled, held between limits, smoothed and
// kept from jumping. Nothing is written when nothing was found, so that the last rate holds
// until it expires, and then the file has the last word. All of it is beside the sending path.
package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/override"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

const (
	// longest is how long a response is waited for at most.
	longest = 10 * time.Second
	// look is how often it is looked whether it is time to ask.
	look = time.Second
	// maxAhead is by how much a rate may take effect later and still be another replica's that was
	// asked for at the same time. A rate further ahead comes from a clock that was wrong.
	maxAhead = 5 * time.Second
)

// Ask asks for the rate, in requests per second. Its errors hold no secrets.
type Ask func(ctx context.Context) (float64, error)

// Store keeps found rates: override.Local, or the fleet's.
type Store interface {
	// Change replaces the history of a scenario by what f makes of it, unless that fails. f may
	// be called several times.
	Change(ctx context.Context, scenario string, f func(override.History) (override.History, error)) error
}

// Policy says how found rates are used. Rates are in requests per second.
type Policy struct {
	// Every is how often it is asked, at multiples of it since 1970.
	Every time.Duration
	// Smooth is the time constant with which changes are followed; 0 is at once.
	Smooth time.Duration
	// Hold is how long a rate holds that is not followed by another.
	Hold time.Duration
	// Scale is a factor, and Min and Max bound the found rate times it.
	Scale, Min, Max float64
	// MaxStep bounds by how much the rate changes at a time; 0 is no bound.
	MaxStep float64
	// Otherwise returns the rate of the file at an instant, when nothing holds.
	Otherwise func(time.Time) float64
}

// Options are what a Follower needs.
type Options struct {
	Scenario string
	Policy   Policy
	Ask      Ask
	Store    Store
	// Asks reports whether it is this replica that asks for all, whose ID is Replica.
	Asks    func() bool
	Replica string
	Logger  *slog.Logger
}

// Follower follows the rate of one scenario. Create it with New, then Start it. Its methods
// are safe for concurrent use.
type Follower struct {
	o Options
	// asked is the last multiple of Every that was asked at; it is the loop's.
	asked int64
	// busy is held while a response is awaited, which may be for longer than anybody waits.
	busy chan struct{}

	running sync.WaitGroup

	mu     sync.Mutex
	cancel context.CancelFunc
	closed bool
	// failure is why the last attempt failed; empty if it did not, or another replica asks.
	failure string
}

// New returns a Follower that asks nothing before Start.
func New(o Options) *Follower {
	return &Follower{o: o, asked: math.MinInt64, busy: make(chan struct{}, 1)}
}

// Start begins to ask, until Close. Calls after the first do nothing.
func (f *Follower) Start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	f.running.Go(func() { f.run(ctx) })
}

// Close ends it, and waits for that.
func (f *Follower) Close() {
	f.mu.Lock()
	f.closed = true
	if f.cancel != nil {
		f.cancel()
	}
	f.mu.Unlock()
	f.running.Wait()
}

// Failure returns why this replica has found nothing the last time; empty if it has, or does not
// ask.
func (f *Follower) Failure() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failure
}

func (f *Follower) run(ctx context.Context) {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		f.tick(ctx, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// tick asks if it is this replica's turn and time to: at once when it becomes its turn.
func (f *Follower) tick(ctx context.Context, now time.Time) {
	if !f.o.Asks() {
		f.asked = math.MinInt64
		f.fails("")
		return
	}
	if n := now.UnixNano() / int64(f.o.Policy.Every); n != f.asked {
		f.asked = n
		if err := f.find(ctx); ctx.Err() == nil {
			f.report(err)
		}
	}
}

// find asks for the rate and writes it down.
func (f *Follower) find(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, min(f.o.Policy.Every-look, longest))
	defer cancel()
	found, err := f.ask(asking)
	switch {
	case err != nil:
		return err
	case !(found >= 0) || math.IsInf(found, 1):
		return fmt.Errorf("found the rate %g, expected a number of 0 or more", found)
	}
	now := time.Now()
	err = f.o.Store.Change(ctx, f.o.Scenario, func(h override.History) (override.History, error) { return f.next(h, found, now) })
	if errors.Is(err, errLater) {
		return nil // Another replica has asked meanwhile.
	}
	return err
}

// errBusy is an attempt that has not ended.
var errBusy = errors.New("the attempt before this one has not ended")

// ask asks, and waits no longer than ctx lasts, whatever files or names the asking waits for.
func (f *Follower) ask(ctx context.Context) (float64, error) {
	select {
	case f.busy <- struct{}{}:
	default:
		return 0, errBusy
	}
	type result struct {
		rate float64
		err  error
	}
	done := make(chan result, 1)
	go func() {
		rate, err := f.o.Ask(ctx)
		<-f.busy
		done <- result{rate, err}
	}()
	select {
	case r := <-done:
		return r.rate, r.err
	case <-ctx.Done():
		return 0, fmt.Errorf("no response in time: %w", ctx.Err())
	}
}

// report logs when finding the rate begins to fail and when it ceases to.
func (f *Follower) report(err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	switch before := f.fails(why); {
	case why == before:
	case why != "":
		f.o.Logger.Warn("the rate to follow is not found, the last one holds for a while", "hold_seconds", f.o.Policy.Hold.Seconds(), "err", err)
	default:
		f.o.Logger.Info("the rate to follow is found again")
	}
}

// fails notes why nothing is found, and returns what it was before.
func (f *Follower) fails(why string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.failure
	f.failure = why
	return before
}

// errLater refuses a rate when another one takes effect as late.
var errLater = errors.New("a later rate was found")

// next returns the history with the rate that follows from the found one.
func (f *Follower) next(h override.History, found float64, now time.Time) (override.History, error) {
	from := override.Begin(now)
	c := override.Change{Kind: override.Found, Until: from.Add(f.o.Policy.Hold), Replica: f.o.Replica, Began: from}
	last, holds := h.At(from)
	for _, before := range h {
		switch ahead := before.From.Sub(from); {
		case ahead < 0:
			c.Progress, c.Began = override.Progress(Held(before).At(from)), before.Began
		case ahead <= maxAhead:
			return nil, errLater
		}
	}
	c.Value = f.o.Policy.rate(found, last, holds, from)
	next, _, ok := h.Add(c, now)
	if !ok {
		return nil, errLater
	}
	return next, nil
}

// rate returns the rate that takes effect at an instant: the found one, smoothed and held back by
// the last one if that still holds.
func (p Policy) rate(found float64, last override.Change, holds bool, from time.Time) float64 {
	rate := min(max(found*p.Scale, p.Min), p.Max)
	before := p.Otherwise(from)
	if holds {
		before = min(last.Value, p.Max)
		if p.Smooth > 0 {
			rate = before + (rate-before)*-math.Expm1(-from.Sub(last.From).Seconds()/p.Smooth.Seconds())
		}
	}
	if p.MaxStep > 0 {
		rate = min(max(rate, before-p.MaxStep), before+p.MaxStep)
	}
	return min(max(rate, p.Min), p.Max)
}

// Held returns a rate that was found as a timeline has it.
func Held(c override.Change) timeline.Held {
	return timeline.Held{From: c.From, Until: c.Until, Rate: c.Value, Before: timeline.Progress(c.Progress), Began: c.Began}
}
