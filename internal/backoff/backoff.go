// Package backoff spares a target that fails: when too many of a scenario's requests
// fail, most of its slots are left out for a while, and then fewer and fewer.
//
// Each replica judges by its own requests and notifies the others when it finds the target
// failing. It spares the target when it found so itself, or when more than half of the
// fleet did: a replica that fails for reasons of its own does not slow the others down.
// How many slots are left out follows from the policy and one instant, the last at
// which that was found, and which ones from the slots, so that nothing else has to be
// agreed on. Whose slots they are does not change.
package backoff

import (
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// enough is how many requests must have ended before their errors mean something.
const enough = 10

// Policy says when a target is spared and how.
type Policy struct {
	// Limit is the part of the requests, from 0 to 1, that may fail over a time of Over,
	// which is in whole seconds.
	Limit float64
	Over  time.Duration
	// To is the share of the slots that is sent once more have failed. After Over it grows
	// for a time of Recover, evenly, until all are sent.
	To      float64
	Recover time.Duration
}

// Votes is how replicas exchange their findings. Implementations are safe for
// concurrent use and quick.
type Votes interface {
	// Vote notifies the others that this replica found the target failing at an instant.
	Vote(scenario string, at time.Time)
	// Agreed returns the last instant for which more than half of the fleet, by weight, has
	// found the target failing then or later; zero if there is none.
	Agreed(scenario string) time.Time
}

// Guard spares the target of one scenario. Create it with New. Safe for concurrent use.
type Guard struct {
	scenario string
	policy   Policy
	votes    Votes
	logger   *slog.Logger

	// found is the last instant at which the target was found failing, in Unix
	// nanoseconds; 0 if never.
	found atomic.Int64
	// second is the one up to which the window was judged, in Unix time.
	second atomic.Int64

	mu     sync.Mutex // guards the window
	window window
	// sparing says that it has been logged.
	sparing bool
}

// New returns a guard that has found nothing yet. Nil votes are for a replica on its own.
func New(scenario string, p Policy, votes Votes, logger *slog.Logger) *Guard {
	return &Guard{
		scenario: scenario, policy: p, votes: votes, logger: logger,
		window: newWindow(int(p.Over / time.Second)),
	}
}

// Policy returns the guard's policy.
func (g *Guard) Policy() Policy { return g.policy }

// Ended counts a request that was sent and has ended at these instants. Of those that
// were sent before the target was last found failing it has had its opinion.
func (g *Guard) Ended(sent, done time.Time, failed bool) {
	g.judge(done)
	if sent.UnixNano() < g.found.Load() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.window.add(done.Unix(), failed)
}

// Ratio returns the share of the slots that is sent at an instant.
func (g *Guard) Ratio(at time.Time) float64 {
	found := g.found.Load()
	if found == 0 {
		return 1
	}
	since := time.Duration(at.UnixNano() - found)
	switch climbed := since - g.policy.Over; {
	case climbed < 0:
		return g.policy.To
	case climbed >= g.policy.Recover:
		return 1
	default:
		return g.policy.To + (1-g.policy.To)*climbed.Seconds()/g.policy.Recover.Seconds()
	}
}

// Spares reports whether a slot whose time has come is left out.
func (g *Guard) Spares(slot timeline.Slot) bool {
	g.judge(slot.Due)
	if g.found.Load() == 0 {
		return false
	}
	return timeline.Draw(slot.Hash, 0) >= g.Ratio(slot.Due)
}

// judge looks at the requests that ended before the second of now, once a second.
func (g *Guard) judge(now time.Time) {
	second := now.Unix()
	if g.second.Load() >= second {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.second.Load() >= second {
		return
	}
	g.second.Store(second)
	g.learn(now)
	g.logChange(now)
}

// learn finds out whether the target is failing: from the others, or by itself.
func (g *Guard) learn(now time.Time) {
	last := time.Unix(0, g.found.Load())
	if g.votes != nil {
		if agreed := g.votes.Agreed(g.scenario); agreed.After(last) {
			g.find(agreed)
			return
		}
	}
	if now.Sub(last) < g.policy.Over {
		return // Too few requests are sent yet to judge by.
	}
	ended, failed := g.window.sum(now.Unix())
	if ended < enough || float64(failed) <= g.policy.Limit*float64(ended) {
		return
	}
	g.find(now)
	if g.votes != nil {
		g.votes.Vote(g.scenario, now)
	}
}

// find begins to spare the target, or to spare it anew.
func (g *Guard) find(at time.Time) {
	g.found.Store(at.UnixNano())
	g.window.clear()
}

// logChange logs when the target begins to be spared, and when it no longer is.
func (g *Guard) logChange(now time.Time) {
	sparing := g.Ratio(now) < 1
	switch {
	case sparing && !g.sparing:
		g.logger.Warn("too many requests failed, the target is spared", "scenario", g.scenario, "ratio", g.policy.To)
	case !sparing && g.sparing:
		g.logger.Info("the target is no longer spared", "scenario", g.scenario)
	}
	g.sparing = sparing
}

// window counts requests by the second in which they ended. Not safe for concurrent use.
type window struct {
	seconds []count
}

// count is what ended in one second.
type count struct {
	second        int64
	ended, failed uint64
}

// newWindow returns a window of so many seconds, and the one that has not ended.
func newWindow(seconds int) window {
	w := window{seconds: make([]count, seconds+1)}
	w.clear()
	return w
}

func (w *window) clear() {
	for i := range w.seconds {
		w.seconds[i] = count{second: math.MinInt64}
	}
}

// add counts a request, unless it is older than the window because its end was reported
// late.
func (w *window) add(second int64, failed bool) {
	c := &w.seconds[uint64(second)%uint64(len(w.seconds))]
	if c.second > second {
		return
	}
	if c.second < second {
		*c = count{second: second}
	}
	c.ended++
	if failed {
		c.failed++
	}
}

// sum returns what ended in the window's seconds before this one.
func (w *window) sum(second int64) (ended, failed uint64) {
	for _, c := range w.seconds {
		if c.second < second && c.second > second-int64(len(w.seconds)) {
			ended += c.ended
			failed += c.failed
		}
	}
	return ended, failed
}
