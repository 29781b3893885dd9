// Package engine sends the slots of scenarios at their due times, open loop: a slow
// response never delays the next request. It has one runner for each scenario. The runner
// asks the timeline for the slots and the fleet for this replica's share of them, hands
// each slot to the scenario's client when it is due, and reports its outcome to the
// recorder.
//
// It does not know the configuration, the protocols, the metrics, or how the fleet agrees
// on the owner of a slot. It keeps no queue and never catches up: a slot that cannot be
// sent in time is dropped and counted.
package engine

import (
	"context"
	"log/slog"
	"sync"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Options are the dependencies of an engine, besides its scenarios.
type Options struct {
	// Arcs reports which slots are this replica's; nil stands for Alone.
	Arcs Arcs
	// Logger logs steps of the clock and stalls; nil discards.
	Logger *slog.Logger
}

// Engine runs scenarios. Create it with New. Its methods are safe for concurrent use.
type Engine struct {
	arcs  Arcs
	clock *clock
	// waiter makes the waiter of a scenario's pacer. In virtual time tests put another one
	// here, as a waiter that waits for the kernel or spins never returns there.
	waiter func(Pacing) waiter

	mu sync.Mutex
	// running are the runners that take slots, by the names of their scenarios, and
	// live those and the ones that drain.
	running map[string]*runner
	live    map[*runner]struct{}
	stopped bool
	// draining are the goroutines that wait for runners to drain.
	draining sync.WaitGroup
}

// New returns an engine that runs nothing yet.
func New(o Options) *Engine {
	if o.Arcs == nil {
		o.Arcs = Alone{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Engine{
		arcs:    o.Arcs,
		clock:   newClock(systemClocks, o.Logger),
		waiter:  newWaiter,
		running: map[string]*runner{},
		live:    map[*runner]struct{}{},
	}
}

// Apply makes the engine run these scenarios, whose names differ, and no others.
//
// A scenario that is the same in all parts is not touched. One whose timeline alone is another
// goes on with that, within its limits. Of any other, the slots due before one instant, now, are
// the old one's and those due at or after it the new one's: none is sent twice and none is lost. What the old one has in flight
// ends in the background. A scenario that is no longer there takes no more slots, and
// a new one starts now. A client is closed when the last scenario that uses it has
// ended. After Stop, Apply does nothing.
func (e *Engine) Apply(scenarios []Scenario) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return
	}
	now := e.clock.look()
	next := make(map[string]*runner, len(scenarios))
	for i := range scenarios {
		sc := scenarios[i]
		old := e.running[sc.Name]
		delete(e.running, sc.Name)
		switch {
		case old == nil:
			next[sc.Name] = e.start(sc, now)
		case old.sc.equal(&sc):
			next[sc.Name] = old
			old.follow(sc.Timeline)
		default:
			e.retire(old)
			next[sc.Name] = e.start(sc, old.pacer.awaitHalt())
		}
	}
	for _, old := range e.running {
		e.retire(old)
	}
	e.running = next
}

// Admit reports whether one more request of a scenario that is none of its slots' may be put on
// the wire now, such as one of a login, and counts it towards max_rate. It is false for a
// scenario that does not run.
func (e *Engine) Admit(scenario string) bool {
	e.mu.Lock()
	r := e.running[scenario]
	e.mu.Unlock()
	if r == nil || r.cut.Load() {
		return false
	}
	now := r.pacer.clock.look()
	return r.gate.step(now.mono.Sub(r.begun), r.pacer.arcs.Arc(now.wall).Ratio())
}

// start runs a scenario from a moment on.
func (e *Engine) start(sc Scenario, from reading) *runner {
	r := newRunner(sc, e.arcs, e.clock, e.waiter(sc.Pacing), from)
	e.live[r] = struct{}{}
	r.start()
	return r
}

// retire halts a runner and sees to the rest in the background.
func (e *Engine) retire(r *runner) {
	r.pacer.ask()
	e.draining.Go(func() {
		r.drain()
		e.release(r)
	})
}

// release forgets a runner that has drained, and closes its client if no other runner
// has the same.
func (e *Engine) release(r *runner) {
	e.mu.Lock()
	delete(e.live, r)
	last := !e.uses(r.sc.Client) && !r.cut.Load()
	e.mu.Unlock()
	if last {
		r.sc.Client.Close()
	}
}

func (e *Engine) uses(c protocol.Client) bool {
	for r := range e.live {
		if r.sc.Client == c {
			return true
		}
	}
	return false
}

// Stop takes no more slots and waits for the requests in flight, and for the journeys that end
// within their scenario's grace; the others end as canceled. When ctx ends first
// it cancels them, which ends them as canceled, waits for that, and returns the cause.
// All clients are closed then and nothing of the engine is running. It may be
// called again.
func (e *Engine) Stop(ctx context.Context) error {
	e.mu.Lock()
	e.stopped = true
	for _, r := range e.running {
		e.retire(r)
	}
	clear(e.running)
	var gone []*lane
	for r := range e.live {
		gone = append(gone, r.pauses.end(r.sc.Limits.Grace)...)
	}
	e.mu.Unlock()
	leaveAll(gone)

	done := make(chan struct{})
	go func() {
		defer close(done)
		e.draining.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	e.cut()
	<-done
	return context.Cause(ctx)
}

// leaveAll ends journeys that would wait for too long.
func leaveAll(gone []*lane) {
	for _, l := range gone {
		l.quit(JourneyCanceled)
	}
}

// cut closes all clients, which ends the requests in flight, and has nothing more sent.
func (e *Engine) cut() {
	e.mu.Lock()
	clients := map[protocol.Client]struct{}{}
	var gone []*lane
	for r := range e.live {
		r.cut.Store(true)
		gone = append(gone, r.pauses.end(-1)...)
		clients[r.sc.Client] = struct{}{}
	}
	e.mu.Unlock()
	leaveAll(gone)
	for c := range clients {
		c.Close()
	}
}
