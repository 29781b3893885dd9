package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/grafana/dskit/services"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

const (
	// silentAfter is how long slots of this replica may be due without one being counted.
	silentAfter = time.Second
	// watchEvery is how often the watchdog looks. It takes two looks to call a scenario
	// silent: the first one after the whole process stood still finds it silent, too.
	watchEvery = silentAfter / 2
)

// watchdog notices scenarios whose sending has stopped: slots are due, by the timeline and
// this replica's share, and none is counted. The ledger cannot show that, as what nobody
// takes is not in it. It is a service.
type watchdog struct {
	services.NamedService

	// scenarios returns those that run.
	scenarios func() map[string]built
	arcs      engine.Arcs
	logger    *slog.Logger
	// pulses are the pulses of the scenarios at the last look, by name.
	pulses map[string]*pulse
	// silent is the name of a scenario that is silent; nil if none is.
	silent atomic.Pointer[string]
}

// pulse is the state of a scenario at a look.
type pulse struct {
	// due is how many slots have been counted, and since when no more were though some of
	// this replica's have been due.
	due   uint64
	since time.Time
	// misses is how many looks in a row have found it silent.
	misses int
}

func newWatchdog(scenarios func() map[string]built, arcs engine.Arcs, logger *slog.Logger) *watchdog {
	w := &watchdog{scenarios: scenarios, arcs: arcs, logger: logger, pulses: map[string]*pulse{}}
	w.NamedService = services.NewTimerService(watchEvery, nil, func(context.Context) error {
		w.look(time.Now())
		return nil
	}, nil).WithName("watchdog")
	return w
}

// check returns an error if a scenario is silent.
func (w *watchdog) check() error {
	if name := w.silent.Load(); name != nil {
		return fmt.Errorf("scenario %q is silent: its slots are due and not sent", *name)
	}
	return nil
}

// look looks at all scenarios.
func (w *watchdog) look(now time.Time) {
	all := w.scenarios()
	maps.DeleteFunc(w.pulses, func(name string, _ *pulse) bool {
		_, runs := all[name]
		return !runs
	})
	var silent *string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if w.feel(name, all[name], now) {
			silent = &name
		}
	}
	w.silent.Store(silent)
}

// feel looks at one scenario and reports whether it is silent.
func (w *watchdog) feel(name string, b built, now time.Time) bool {
	p, known := w.pulses[name]
	due := b.due()
	if !known || p.due != due {
		if known && p.misses > 1 {
			w.logger.Info("a scenario sends again", "scenario", name, "silent_seconds", now.Sub(p.since).Seconds())
		}
		w.pulses[name] = &pulse{due: due, since: now}
		b.rate.silence.Store(0)
		return false
	}
	if p.misses == 0 && !w.owned(b.rate.applied.Load().timeline, p.since, now.Add(-silentAfter)) {
		p.since = later(p.since, now.Add(-silentAfter))
		return false
	}
	if p.misses++; p.misses == 1 {
		return false
	}
	if p.misses == 2 {
		w.logger.Error("a scenario is silent: its slots are due and not sent", "scenario", name, "silent_seconds", now.Sub(p.since).Seconds())
	}
	b.rate.silence.Store(int64(now.Sub(p.since)))
	return true
}

// owned reports whether slots of this replica have been due. Where its share has changed
// meanwhile it does not know, and says no.
func (w *watchdog) owned(t *timeline.Timeline, from, to time.Time) bool {
	arc := w.arcs.Arc(from)
	if !from.Before(to) || arc != w.arcs.Arc(to) {
		return false
	}
	for r := range t.Ranges(from, to) {
		if arc.Count(r.From, r.To) > 0 {
			return true
		}
	}
	return false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
