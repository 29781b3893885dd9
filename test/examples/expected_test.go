package examples

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// count is how often something happens: its mean and its variance.
type count struct{ mean, variance float64 }

// steps are what a list of steps comes to: how often each request is sent, by name, and how long
// the pauses are at least.
type steps struct {
	requests map[string]count
	pauses   time.Duration
}

// expectation works out what a configuration sends in one slot.
type expectation struct {
	t *testing.T
	// rows are how many rows there are of data, and of lists.
	rows map[string]int
}

// list is all of a list, one after the other.
func (e expectation) list(v any) steps {
	sum := steps{requests: map[string]count{}}
	all, _ := v.([]any)
	for _, one := range all {
		s := e.step(one)
		sum.pauses += s.pauses
		for name, c := range s.requests {
			before := sum.requests[name]
			sum.requests[name] = count{before.mean + c.mean, before.variance + c.variance}
		}
	}
	return sum
}

// step is one step, or a list of them.
func (e expectation) step(v any) steps {
	s, ok := v.(map[string]any)
	switch {
	case !ok:
		return e.list(v)
	case s["pause"] != nil:
		return steps{pauses: shortest(e.t, s["pause"])}
	case s["repeat"] != nil:
		return e.repeated(s)
	case s["choose"] != nil:
		return e.chosen(s["choose"], func(option map[string]any) steps { return e.list(option["steps"]) })
	}
	return steps{requests: map[string]count{fmt.Sprint(s["name"]): {mean: 1}}}
}

// repeated is a sum of as many as are repeated, each drawn anew.
func (e expectation) repeated(s map[string]any) steps {
	from, to := e.times(s)
	size := to - from + 1
	times := count{(from + to) / 2, (size*size - 1) / 12}
	each := e.list(s["steps"])
	all := steps{requests: map[string]count{}, pauses: time.Duration(from * float64(each.pauses))}
	for name, c := range each.requests {
		all.requests[name] = count{times.mean * c.mean, times.mean*c.variance + times.variance*c.mean*c.mean}
	}
	return all
}

// times returns how often steps are repeated.
func (e expectation) times(s map[string]any) (from, to float64) {
	switch n := s["repeat"].(type) {
	case int:
		return float64(n), float64(n)
	case map[string]any:
		return number(n["from"]), number(n["to"])
	}
	each, _ := s["each"].(map[string]any)
	for _, v := range each {
		one, _ := v.(map[string]any)
		if rows := e.rows[fmt.Sprint(one["from"])]; rows > 0 {
			return float64(rows), float64(rows)
		}
	}
	e.t.Fatalf("nobody knows how often %v is repeated", s)
	return 0, 0
}

// chosen is one of the options, by weight.
func (e expectation) chosen(v any, of func(map[string]any) steps) steps {
	options, _ := v.([]any)
	total := 0.0
	for _, o := range options {
		total += weight(o)
	}
	all := steps{requests: map[string]count{}, pauses: math.MaxInt64}
	squares := map[string]float64{}
	for _, o := range options {
		option, _ := o.(map[string]any)
		share, s := weight(o)/total, of(option)
		all.pauses = min(all.pauses, s.pauses)
		for name, c := range s.requests {
			squares[name] += share * (c.variance + c.mean*c.mean)
			all.requests[name] = count{mean: all.requests[name].mean + share*c.mean}
		}
	}
	for name, c := range all.requests {
		c.variance = squares[name] - c.mean*c.mean
		all.requests[name] = c
	}
	return all
}

func weight(option any) float64 {
	o, _ := option.(map[string]any)
	if o["weight"] == nil {
		return 1
	}
	return number(o["weight"])
}

func number(v any) float64 {
	n, _ := v.(int)
	return float64(n)
}

// shortest returns how long a pause is at least.
func shortest(t *testing.T, v any) time.Duration {
	t.Helper()
	if m, ok := v.(map[string]any); ok {
		if v = m["from"]; v == nil {
			return 0
		}
	}
	d, err := time.ParseDuration(fmt.Sprint(v))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// scenario works out what a slot of a scenario comes to, by the labels of requests, and the pauses
// of each journey.
func (e expectation) scenario(sc scenario) (steps, map[string]time.Duration) {
	pauses := map[string]time.Duration{}
	entries := make([]any, len(sc.Requests))
	for i, r := range sc.Requests {
		entries[i] = r
	}
	return e.chosen(entries, func(r map[string]any) steps {
		name := fmt.Sprint(r["name"])
		if r["steps"] == nil {
			return steps{requests: map[string]count{name: {mean: 1}}}
		}
		s := e.list(r["steps"])
		pauses[name] = s.pauses
		labelled := map[string]count{}
		for step, c := range s.requests {
			labelled[name+"/"+step] = c
		}
		return steps{requests: labelled, pauses: s.pauses}
	}), pauses
}

// sigmas is how many standard deviations a rate may be off.
const sigmas = 5

// certain is how many requests have to be expected for none to be a fault: of so many that come at
// random, none at all comes once in 10^8 times.
const certain = 20

// check holds the rates and durations that Prometheus has against what the configuration says, where
// lists have so many rows. Without whole, journeys may end early, which leaves steps out.
func (s *scraped) check(t *testing.T, f file, rows map[string]int, whole bool) {
	t.Helper()
	elapsed := s.last.Sub(s.first).Seconds()
	slots := s.rate(t, "scenario", "traffic_slots_finished_total%s")
	requests := s.rate(t, "scenario, request", "histogram_count(traffic_request_duration_seconds%s)")
	inFlight := s.ask(t, s.last, "sum by (scenario) (traffic_slots_in_flight%s)")
	before := s.ask(t, s.first, "sum by (scenario) (traffic_slots_in_flight%s)")
	durations := s.ask(t, s.last, "sum by (scenario, journey) (histogram_avg(traffic_journey_duration_seconds{outcome='success'} and traffic_journey_duration_seconds%s))")
	e := expectation{t: t, rows: rows}
	for _, sc := range f.Scenarios {
		want, pauses := e.scenario(sc)
		rate := slots[series{Scenario: sc.Name}]
		for name, c := range want.requests {
			got := requests[series{Scenario: sc.Name, Request: name}]
			// Draws vary, and slots that are in flight have sent some of their requests.
			noise := (sigmas*math.Sqrt(rate*elapsed*c.variance) + 1) / elapsed
			low := c.mean*(rate-before[series{Scenario: sc.Name}]/elapsed) - noise
			high := c.mean*(rate+inFlight[series{Scenario: sc.Name}]/elapsed) + noise
			if !whole {
				low = 0
			}
			missing := got == 0 && c.mean*rate*elapsed >= certain
			if got < low || got > high || missing {
				t.Errorf("%s %s: %.2f/s at %.2f slots/s, want from %.2f/s to %.2f/s", sc.Name, name, got, rate, low, high)
			}
		}
		for journey, pause := range pauses {
			if got := durations[series{Scenario: sc.Name, Journey: journey}]; got < pause.Seconds() || got == 0 {
				t.Errorf("%s %s: journeys take %v s, and their pauses %s", sc.Name, journey, got, pause)
			}
		}
	}
	t.Logf("%d rates of requests over %.1f s", len(requests), elapsed)
}
