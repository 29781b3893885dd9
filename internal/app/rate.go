package app

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/backoff"
	"github.com/traffic-exporter/traffic_exporter/internal/override"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// scenarioRate is what a scenario's rate is made of: the timeline of the file, the rates that
// were found for one that follows, and the changes that are laid over both. It is safe for
// concurrent use, but for lay.
type scenarioRate struct {
	base *timeline.Timeline
	// found are the rates that were found; nil for a scenario that follows none.
	found *foundRates
	// guard is nil if the target is never spared.
	guard   *backoff.Guard
	applied atomic.Pointer[appliedRate]
	// silence is for how many nanoseconds slots have been due and none was counted.
	silence atomic.Int64
}

// rateChanges are the changes of a scenario's rate.
type rateChanges struct {
	// overrides are operators', and found those that were found for a rate that is followed.
	overrides, found override.History
}

// appliedRate is the rate as it runs.
type appliedRate struct {
	rateChanges
	// file is the rate without overrides, and timeline the one with them.
	file, timeline *timeline.Timeline
}

// name identifies the changes that are in it.
func (a *appliedRate) name() string {
	var name strings.Builder
	for _, c := range a.overrides {
		fmt.Fprintf(&name, " %s %g %d %d", c.Kind, c.Value, c.From.Unix(), c.Until.Unix())
	}
	if n := len(a.found); n > 0 {
		fmt.Fprintf(&name, " %d", a.found[n-1].From.Unix())
	}
	return name.String()
}

// newRate returns the rate of a scenario; found is nil if it follows none.
func newRate(base *timeline.Timeline, found *foundRates, guard *backoff.Guard) *scenarioRate {
	r := &scenarioRate{base: base, found: found, guard: guard}
	r.applied.Store(&appliedRate{file: base, timeline: base})
	return r
}

// lay lays the changes over the timeline of the file, and returns the result: the same
// as before if the changes are.
func (r *scenarioRate) lay(c rateChanges, logger *slog.Logger) *timeline.Timeline {
	if r.found == nil {
		c.found = nil // The file has ceased to follow.
	}
	old := r.applied.Load()
	if c.overrides.Equal(old.overrides) && c.found.Equal(old.found) {
		return old.timeline
	}
	next := &appliedRate{rateChanges: c, file: r.base}
	if r.found != nil {
		next.file = r.found.lay(r.base, c.found, logger)
	}
	next.timeline = splice(next.file, c.overrides, logger)
	r.applied.Store(next)
	return next.timeline
}

// splice returns the timeline with the changes in it. Those that cannot be have no
// effect: the replica that took them in has refused them, so that they can only come
// from one with another configuration.
func splice(file *timeline.Timeline, h override.History, logger *slog.Logger) *timeline.Timeline {
	var stretches []timeline.Stretch
	for _, s := range h.Stretches() {
		t, err := changed(file, s.Change)
		if err != nil {
			logger.Warn("an override of the rate cannot be applied", "err", err)
			continue
		}
		stretches = append(stretches, timeline.Stretch{From: s.From, Until: s.Until, Timeline: t})
	}
	t, err := file.Splice(stretches)
	if err != nil {
		logger.Error("overrides of the rate cannot be applied", "err", err)
		return file
	}
	return t
}

// changed returns the timeline that a change makes of the file's.
func changed(file *timeline.Timeline, c override.Change) (*timeline.Timeline, error) {
	switch c.Kind {
	case override.Rate:
		return file.With(timeline.Steady{Rate: c.Value})
	case override.Factor:
		return file.Scaled(c.Value)
	default:
		return nil, fmt.Errorf("unknown change %q", c.Kind)
	}
}

// now returns the rate that the whole fleet should send.
func (r *scenarioRate) now() float64 { return r.applied.Load().timeline.Rate(time.Now()) }

// left returns how many of the slots that are sent on a day at most are due at this instant or later.
func (r *scenarioRate) left(most uint64, now time.Time) float64 {
	line := r.applied.Load().timeline
	midnight, _ := line.Day(now)
	return float64(most - min(most, line.Count(midnight, now)))
}

// backOff returns the share of the rate that is sent now.
func (r *scenarioRate) backOff() float64 {
	if r.guard == nil {
		return 1
	}
	return r.guard.Ratio(time.Now())
}

// silentFor returns for how many seconds slots have been due and none was counted.
func (r *scenarioRate) silentFor() float64 { return time.Duration(r.silence.Load()).Seconds() }

// isOverridden reports whether a change is in effect.
func (r *scenarioRate) isOverridden() bool {
	_, active := r.applied.Load().overrides.At(time.Now())
	return active
}

// latest returns the change that was written last if it is in effect or will be.
func (r *scenarioRate) latest(now time.Time) (c override.Change, active, ok bool) {
	h := r.applied.Load().overrides
	if n := len(h); n > 0 && h[n-1].From.After(now) {
		return h[n-1], false, true
	}
	c, ok = h.At(now)
	return c, ok, ok
}

// isCapped reports whether the ceiling holds a change back.
func isCapped(c override.Change, file *timeline.Timeline, maxRate float64, now time.Time) bool {
	if maxRate == 0 {
		return false
	}
	if c.Kind == override.Rate {
		return c.Value > maxRate
	}
	at := now
	if c.From.After(now) {
		at = c.From
	}
	t, err := changed(file, c)
	return err == nil && t.Rate(at) >= maxRate
}
