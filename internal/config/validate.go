package config

import (
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// validator checks what the tags cannot say: what values mean and how they go together.
// It builds the timelines, which is the last check of a rate.
type validator struct {
	*report
	c *Config
	// knots are those of the curves of all scenarios so far.
	knots *int
	disk  Disk
}

func (v validator) scenarios(scenarios []Scenario) {
	v.unique("scenarios", len(scenarios), func(i int) string { return scenarios[i].Name })
	for i := range scenarios {
		v.scenario(element("scenarios", i), &scenarios[i])
	}
}

// unique reports names that occur a second time in the list at path.
func (v validator) unique(path string, n int, name func(int) string) {
	first := map[string]int{}
	for i := range n {
		at := join(element(path, i), "name")
		if !v.ok(at) || !v.given(at) {
			continue
		}
		if j, taken := first[name(i)]; taken {
			v.fail(at, "found %s, which is the name of %s already", v.found(at), element(path, j))
			continue
		}
		first[name(i)] = i
	}
}

func (v validator) scenario(path string, s *Scenario) {
	v.slo(path, *s)
	v.backOff(path, *s)
	if at := below(path, "limits.max_slots_per_day"); s.Rate.Follow != nil && v.given(at) {
		v.fail(at, "found beside a rate that is followed, whose slots since midnight a replica that starts later cannot count: lower rate.max instead")
	}
	if at := below(path, "limits.max_rate"); v.given(at) && s.Limits.MaxRate == 0 {
		v.fail(at, "found %s, expected a rate above 0: to pause the scenario write rate: 0/s", v.found(at))
	}
	v.traffic(path, s)
	v.http(path, *s)
	v.compare(path, s)
	s.timeline = v.timeline(path, s)
}

// traffic checks the requests of a scenario.
func (v validator) traffic(path string, s *Scenario) {
	v.requests(path, s)
	v.grpc(path, s)
	v.webSockets(path, s)
	v.signs(path, s)
	v.unused(path, s)
}

func (v validator) slo(path string, s Scenario) {
	if s.SLO == nil {
		return
	}
	objective, latency := below(path, "slo.objective"), below(path, "slo.latency")
	if s.SLO.Objective <= 0 || s.SLO.Objective >= 1 {
		v.fail(objective, "found %s, expected more than 0%% and less than 100%%", v.found(objective))
	}
	if v.ok(latency, join(path, "timeout")) && s.SLO.Latency > s.Timeout {
		v.fail(latency, "found %s, expected at most the timeout of %v", v.found(latency), s.Timeout)
	}
}

func (v validator) backOff(path string, s Scenario) {
	b := s.BackOff
	if b == nil {
		return
	}
	limit, to, over := below(path, "back_off.when_errors_exceed"), below(path, "back_off.to"), below(path, "back_off.over")
	if b.WhenErrorsExceed < 0 || b.WhenErrorsExceed >= 1 {
		v.fail(limit, "found %s, expected at least 0%% and less than 100%%", v.found(limit))
	}
	if b.To < 0 || b.To >= 1 {
		v.fail(to, "found %s, expected at least 0%% and less than 100%%", v.found(to))
	}
	if v.ok(over) && time.Duration(b.Over)%time.Second != 0 {
		v.fail(over, "found %s, expected whole seconds", v.found(over))
	}
}

// timeline returns the scenario's timeline, or nil if the report says why not.
func (v validator) timeline(path string, s *Scenario) *timeline.Timeline {
	rate, zone := join(path, "rate"), join(path, "time_zone")
	location, err := time.LoadLocation(s.TimeZone)
	if err != nil || s.TimeZone == "" || s.TimeZone == "Local" {
		v.fail(zone, "found %s, expected the IANA name of a time zone such as Europe/Berlin", v.found(zone))
		location = nil
	}
	v.rate(rate, &s.Rate, 1, location)
	if !v.ok(rate, zone, join(path, "arrivals"), join(path, "name"), below(path, "limits.max_rate")) || v.bad[path] {
		return nil
	}
	arrivals := timeline.Uniform
	if s.Arrivals == ArrivalsPoisson {
		arrivals = timeline.Poisson
	}
	shape := s.Rate.compile()
	if *v.knots > maxKnots {
		return nil // That has been reported.
	}
	if *v.knots += timeline.Knots(shape); *v.knots > maxKnots {
		v.fail(rate, "the rates up to here have about %d knots in all, expected at most %d: use fewer steps or longer periods", *v.knots, maxKnots)
		return nil
	}
	t, err := timeline.New(timeline.Options{
		Name: s.Name, Shape: shape, Arrivals: arrivals, Location: location, MaxRate: float64(s.Limits.MaxRate),
	})
	if err != nil {
		v.fail(rate, "%v", err)
	}
	return t
}
