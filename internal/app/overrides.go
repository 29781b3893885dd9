package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/override"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

const (
	// longestOverride bounds for how long a rate may be overridden: a permanent change belongs
	// in the file.
	longestOverride = 31 * 24 * time.Hour
	// highestFactor bounds the factors of overrides.
	highestFactor = 1e6
	// confirmBeyond is how many times the file's peak of the day people have to confirm, and
	// refuseBeyond how many times are refused without max_rate.
	confirmBeyond, refuseBeyond = 3, 10
)

// overrideStore is where changes of the rate are kept: this process, or the fleet.
type overrideStore interface {
	// Book returns all changes that are known, and News receives when there are more.
	Book() override.Book
	News() <-chan struct{}
	// Change replaces the history of a scenario by what f makes of it.
	Change(ctx context.Context, scenario string, f func(override.History) (override.History, error)) error
}

// controller changes rates on behalf of people, and reports them.
type controller struct {
	reloader *reloader
	store    overrideStore
	// replica is this replica's ID.
	replica string
	// ratio returns this replica's part of the rate.
	ratio func() float64
}

func refuse(status int, format string, args ...any) error {
	return &web.Refusal{Status: status, Message: fmt.Sprintf(format, args...)}
}

// Set overrides the rate of a scenario.
func (c *controller) Set(ctx context.Context, scenario string, o web.OverrideRequest) (web.ScenarioStatus, error) {
	now := time.Now()
	sc, rate, err := c.find(scenario)
	if err != nil {
		return web.ScenarioStatus{}, err
	}
	change, p, err := c.foresee(sc, rate, o, now)
	if err != nil {
		return web.ScenarioStatus{}, err
	}
	if p.Refused && !o.Force {
		return web.ScenarioStatus{}, refuse(http.StatusUnprocessableEntity,
			"scenario %q: a peak of %s is more than %d times the file's of %s today, and there is no max_rate: set limits.max_rate, or force it", scenario,
			perSecond(p.Peak), refuseBeyond, perSecond(p.FilePeak))
	}
	return c.write(ctx, sc, change, now)
}

// Preview reports the effect that Set would have.
func (c *controller) Preview(scenario string, o web.OverrideRequest) (web.OverridePreview, error) {
	sc, rate, err := c.find(scenario)
	if err != nil {
		return web.OverridePreview{}, err
	}
	_, p, err := c.foresee(sc, rate, o, time.Now())
	return p, err
}

// foresee returns the change that a request asks for, and what it would lead to.
func (c *controller) foresee(sc config.Scenario, rate *scenarioRate, o web.OverrideRequest, now time.Time) (override.Change, web.OverridePreview, error) {
	change, err := c.change(o, now)
	var t *timeline.Timeline
	if err == nil {
		t, err = changed(rate.applied.Load().file, change)
	}
	if err != nil {
		return change, web.OverridePreview{}, refuse(http.StatusUnprocessableEntity, "scenario %q: %v", sc.Name, err)
	}
	from, until, _ := midnights(sc.TimeZone, now)
	p := web.OverridePreview{Scenario: sc.Name, MaxRate: float64(sc.Limits.MaxRate), From: override.Begin(now), Until: change.Until}
	p.FilePeak, _ = rate.applied.Load().file.Peak(from, until)
	p.Peak, _ = t.Peak(p.From, p.Until)
	p.Confirm = p.Peak > confirmBeyond*p.FilePeak
	p.Refused = p.MaxRate == 0 && p.Peak > refuseBeyond*p.FilePeak
	return change, p, nil
}

// Clear ends the override of a scenario.
func (c *controller) Clear(ctx context.Context, scenario string, o web.ClearRequest) (web.ScenarioStatus, error) {
	now := time.Now()
	sc, rate, err := c.find(scenario)
	if err != nil {
		return web.ScenarioStatus{}, err
	}
	if last, _, ok := rate.latest(now); !ok || last.Kind == override.Clear {
		return web.ScenarioStatus{}, refuse(http.StatusNotFound, "scenario %q has no override to clear", scenario)
	}
	return c.write(ctx, sc, override.Change{Kind: override.Clear, Reason: o.Reason, By: o.By, Replica: c.replica}, now)
}

// find returns a scenario and its rate.
func (c *controller) find(name string) (config.Scenario, *scenarioRate, error) {
	cfg := c.reloader.current()
	for _, sc := range cfg.Scenarios {
		if sc.Name == name {
			if r := c.reloader.rate(name); r != nil {
				return sc, r, nil
			}
		}
	}
	return config.Scenario{}, nil, refuse(http.StatusNotFound, "%v", noScenario(cfg, name))
}

// change returns what a request asks for.
func (c *controller) change(o web.OverrideRequest, now time.Time) (override.Change, error) {
	change := override.Change{Kind: override.Factor, Reason: o.Reason, By: o.By, Replica: c.replica}
	if o.Factor != nil {
		change.Value = *o.Factor
	} else {
		var r config.Rate
		if err := r.UnmarshalText([]byte(o.Rate)); err != nil {
			return change, fmt.Errorf("rate: found %q, %w", o.Rate, err)
		}
		change.Kind, change.Value = override.Rate, float64(r)
	}
	if !(change.Value >= 0) || math.IsInf(change.Value, 1) {
		return change, fmt.Errorf("%s: found %g, expected 0 or more", change.Kind, change.Value)
	}
	if change.Kind == override.Factor && change.Value > highestFactor {
		return change, fmt.Errorf("factor: found %g, expected at most %g", change.Value, highestFactor)
	}
	var err error
	change.Until, err = expiry(o, now)
	return change, err
}

// expiry returns the whole second in which a change expires. A duration counts from
// when the change takes effect.
func expiry(o web.OverrideRequest, now time.Time) (time.Time, error) {
	from, until := override.Begin(now), o.Until
	if o.For != "" {
		var d config.Duration
		if err := d.UnmarshalText([]byte(o.For)); err != nil {
			return until, fmt.Errorf("for: found %q, %w", o.For, err)
		}
		if d <= 0 {
			return until, fmt.Errorf("for: found %q, expected more than 0s", o.For)
		}
		until = from.Add(time.Duration(d))
	}
	if rounded := until.UTC().Truncate(time.Second); !rounded.Equal(until) {
		until = rounded.Add(time.Second)
	}
	switch {
	case !until.After(now):
		return until, fmt.Errorf("until: found %s, which is past", o.Until.Format(time.RFC3339))
	case !until.After(from):
		return until, fmt.Errorf("until: found %s, expected a time after %s, when the override takes effect", o.Until.Format(time.RFC3339), from.Format(time.RFC3339))
	case until.Sub(from) > longestOverride:
		return until, fmt.Errorf("it would expire in %d days, expected at most %d: write a rate that should stay into the file",
			int(until.Sub(from).Hours()/24), int(longestOverride.Hours()/24))
	}
	return until.UTC(), nil
}

// write writes a change and returns the scenario with it.
func (c *controller) write(ctx context.Context, sc config.Scenario, change override.Change, now time.Time) (web.ScenarioStatus, error) {
	err := c.store.Change(ctx, sc.Name, func(h override.History) (override.History, error) {
		next, _, ok := h.Add(change, now)
		if !ok {
			return nil, refuse(http.StatusTooManyRequests, "scenario %q: %d changes wait for their effect already, try again in a few seconds", sc.Name, override.Keep-1)
		}
		return next, nil
	})
	if err != nil {
		if _, refused := errors.AsType[*web.Refusal](err); refused {
			return web.ScenarioStatus{}, err
		}
		return web.ScenarioStatus{}, refuse(http.StatusServiceUnavailable, "scenario %q: %v", sc.Name, err)
	}
	c.reloader.applyOverrides()
	return c.status(sc, c.reloader.rate(sc.Name), now), nil
}

// Scenarios returns the scenarios as they run.
func (c *controller) Scenarios() []web.ScenarioStatus {
	now := time.Now()
	all := []web.ScenarioStatus{}
	for _, sc := range c.reloader.current().Scenarios {
		all = append(all, c.status(sc, c.reloader.rate(sc.Name), now))
	}
	return all
}

func (c *controller) status(sc config.Scenario, r *scenarioRate, now time.Time) web.ScenarioStatus {
	s := web.ScenarioStatus{Name: sc.Name, MaxRate: float64(sc.Limits.MaxRate)}
	if r == nil {
		return s // A reload is on its way.
	}
	file := r.applied.Load().file
	s.FileRate, s.TargetRate = file.Rate(now), r.now()
	s.ShareRate, s.BackOffRatio = s.TargetRate*c.ratio(), r.backOff()
	s.Follow = c.followStatus(sc, r, now)
	change, active, ok := r.latest(now)
	if !ok {
		return s
	}
	o := &web.OverrideStatus{
		Clear: change.Kind == override.Clear, From: change.From, Until: change.Until, Active: active,
		Capped: isCapped(change, file, s.MaxRate, now), Reason: change.Reason, By: change.By,
		Written: change.Written, Replica: change.Replica,
	}
	switch change.Kind {
	case override.Rate:
		o.Rate = &change.Value
	case override.Factor:
		o.Factor = &change.Value
	default: // A clear has neither.
	}
	s.Override = o
	return s
}
