//go:build linux

package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// plan is what to measure.
type plan struct {
	settings

	cases []testCase
}

// testCase is one kind of measurement, of all tools that can take it.
type testCase struct {
	kind     kind
	protocol protocol
	rates    []rate
}

// newPlan returns the plan of a size: quick, standard or full.
func newPlan(size string) (plan, error) {
	all := []rate{100, 1000, 5000, 20000, flatOut}
	paced := all[:4]
	p := plan{settings: settings{
		Size: size, Repetitions: 3, Warmup: 600 * time.Millisecond, Window: 3 * time.Second,
		Script: script{P50: time.Millisecond, P99: 3 * time.Millisecond},
	}}
	switch size {
	case "quick":
		p.Repetitions, p.Window = 1, time.Second
		p.cases = []testCase{
			{load, http1, []rate{1000, flatOut}},
			{load, h2c, []rate{flatOut}},
			{load, calls, []rate{5000, flatOut}},
			{sends, http1, []rate{1000}},
			{stall, http1, []rate{1000}},
		}
	case "standard":
		p.cases = []testCase{
			{load, http1, all},
			{load, https1, []rate{1000, flatOut}},
			{load, h2c, []rate{1000, flatOut}},
			{load, calls, []rate{5000, flatOut}},
			{sends, http1, []rate{100, 1000, 10000}},
			{stall, http1, []rate{1000}},
		}
	case "full":
		for _, protocol := range protocols() {
			p.cases = append(p.cases, testCase{load, protocol, all})
		}
		p.cases = append(p.cases,
			testCase{sends, http1, paced},
			testCase{sends, h2c, paced},
			testCase{stall, http1, []rate{1000}},
			testCase{stall, h2c, []rate{1000}},
		)
	default:
		return p, fmt.Errorf("found the size %q, expected quick, standard or full", size)
	}
	return p, nil
}

// stallLasting is for how many seconds a tool sends to a target that stands still
// meanwhile: so long that a hundredth of its requests are more than it may have
// unanswered, since a tool that waits for responses does not see the stall in more.
const stallLasting = 8

// lasting returns for how many seconds a tool is to send: a bit longer than to the end
// of the window, and a whole number, since not all of them understand fractions.
func (p *plan) lasting(k kind) int {
	if k == stall {
		return stallLasting
	}
	const bit = 150 * time.Millisecond
	return int((p.Warmup + p.Window + bit + time.Second - 1) / time.Second)
}

// finish sets what follows from the settings.
func (p *plan) finish() error {
	if p.Repetitions < 1 || p.Window < 100*time.Millisecond {
		return errors.New("there has to be a repetition, with a window of 100ms or more")
	}
	p.Stall = p.Script
	// So long that it holds the 99th percentile, and shorter than what the exporter may
	// have unanswered.
	p.Stall.StallAt, p.Stall.StallFor = stallLasting*time.Second/2, stallLasting*time.Second*6/100
	return nil
}

// cells returns all planned measurements, in the order of the report; those that a
// tool does not take part in have no rate of their own and are left out.
func (p *plan) cells(tools []tool, only *regexp.Regexp) []*cell {
	var all []*cell
	for _, c := range p.cases {
		for _, at := range c.rates {
			for _, t := range tools {
				next := &cell{Kind: c.kind, Protocol: c.protocol, Rate: at, Tool: t.Name()}
				if takesPart(t, c.kind, c.protocol) && only.MatchString(next.String()) {
					all = append(all, next)
				}
			}
		}
	}
	return all
}

// takesPart reports whether a kind of measurement of a tool shows anything new: not all
// variants do, wrk leaves runs with a rate to wrk2, and few make calls of gRPC.
func takesPart(t tool, k kind, p protocol) bool {
	switch t := t.(type) {
	case *h2load:
		return true
	case *ghz:
		return p == calls && k == load
	case *exporter:
		switch {
		case t.bare:
			return k == load
		case t.pacing == "exact":
			return k == sends
		case t.pacing == "coarse":
			return k == load || k == sends
		}
		return true
	case *wrk:
		return p != calls && (t.paced || k == load)
	case *sleeper:
		return k == sends
	}
	return p != calls
}

// order returns the cells as they are run in a repetition: case by case, each with
// another tool first than the repetition before, so that none always has the same
// neighbours in time.
func order(cells []*cell, repetition int) []*cell {
	var all []*cell
	for len(cells) > 0 {
		first := cells[0]
		end := slices.IndexFunc(cells, func(c *cell) bool {
			return c.Kind != first.Kind || c.Protocol != first.Protocol || c.Rate != first.Rate
		})
		if end < 0 {
			end = len(cells)
		}
		turn := repetition * (end/3 + 1) % end
		all = append(append(all, cells[turn:end]...), cells[:turn]...)
		cells = cells[end:]
	}
	return all
}
