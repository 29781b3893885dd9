//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// duration returns the median of what of returns, over the good runs of a cell.
func duration(c *cell, of func(run) time.Duration) string {
	v, _ := over(c, func(r run) float64 { return float64(of(r)) / float64(time.Microsecond) })
	return microseconds(v)
}

// lateness returns the table of when requests leave, at one rate.
func (r *results) lateness(p protocol, at rate) string {
	t := table{head: []string{"", "rate kept", "p50", "p90", "p99", "most", "own schedule p50", "p99"}}
	for _, name := range r.toolsOf(sends, p) {
		c := r.find(sends, p, at, name)
		if c == nil {
			continue
		}
		if len(c.good()) == 0 || c.Skipped != "" {
			t.add(name, r.entry(c, nil), "", "", "", "", "", "")
			continue
		}
		off, _ := over(c, func(r run) float64 { return r.Receiver.Even.Rate/float64(at) - 1 })
		row := []string{name, strings.Replace(fmt.Sprintf("%+.2f %%", 100*off), "-0.00", "+0.00", 1)}
		if !keeps(c) {
			t.add(append(row, "–", "–", "–", "–", "–", "–")...)
			continue
		}
		for _, of := range []func(lateness) time.Duration{
			func(l lateness) time.Duration { return l.P50 }, func(l lateness) time.Duration { return l.P90 },
			func(l lateness) time.Duration { return l.P99 }, func(l lateness) time.Duration { return l.Max },
		} {
			row = append(row, duration(c, func(r run) time.Duration { return of(r.Receiver.Even) }))
		}
		t.add(append(row, own(c)...)...)
	}
	return t.String()
}

// own returns the lateness against a tool's own schedule: as ours reports itself, as
// the receiver has seen it of tools that divide the rate among connections.
func own(c *cell) []string {
	var p50, p99 func(run) time.Duration
	switch first := c.good()[0]; {
	case first.Ledger != nil:
		p50, p99 = func(r run) time.Duration { return r.Ledger.DelayP50 }, func(r run) time.Duration { return r.Ledger.DelayP99 }
	case first.Receiver.Own != nil:
		p50, p99 = func(r run) time.Duration { return r.Receiver.Own.P50 }, func(r run) time.Duration { return r.Receiver.Own.P99 }
	default:
		return []string{"", ""}
	}
	return []string{duration(c, p50), duration(c, p99)}
}

// latencies returns the table of reported latencies beside the true ones, of one kind.
func (r *results) latencies(k kind, p protocol, at rate) string {
	t := table{head: []string{"", "p50", "p99", "response p50", "p99"}}
	if k == stall {
		t.head = []string{"", "p50", "p99", "sent during the stall"}
	}
	// A row for the truth, which is almost the same for all.
	t.add(make([]string, len(t.head))...)
	for _, name := range r.toolsOf(k, p) {
		c := r.find(k, p, at, name)
		if c == nil {
			continue
		}
		if c.Skipped != "" || len(c.good()) == 0 {
			row := make([]string, len(t.head))
			row[0], row[1] = name, r.entry(c, nil)
			t.add(row...)
			continue
		}
		if reportsLatencies(c) {
			t.add(append([]string{name}, reportedLatencies(c)...)...)
			copy(t.rows[0], trueOf(c))
		}
	}
	return t.String() + r.notes(k, p)
}

// reportsLatencies reports whether a tool reports any latencies.
func reportsLatencies(c *cell) bool {
	return slices.ContainsFunc(c.good(), func(r run) bool { return r.Reported.P99 > 0 })
}

// reportedLatencies returns the latencies that a tool reports, and the receiver's figures beside them.
func reportedLatencies(c *cell) []string {
	row := []string{
		duration(c, func(r run) time.Duration { return r.Reported.P50 }),
		duration(c, func(r run) time.Duration { return r.Reported.P99 }),
	}
	if c.Kind == stall {
		part, _ := over(c, func(r run) float64 { return r.Receiver.Stalled })
		return append(row, fmt.Sprintf("%.0f %%", 100*part))
	}
	return append(row,
		duration(c, func(r run) time.Duration { return r.Receiver.Responded.P50 }),
		duration(c, func(r run) time.Duration { return r.Receiver.Responded.P99 }))
}

// trueOf returns the latencies that a tool should report.
func trueOf(c *cell) []string {
	row := []string{
		"**as scripted**",
		"**" + duration(c, func(r run) time.Duration { return r.Receiver.Truth.P50 }) + "**",
		"**" + duration(c, func(r run) time.Duration { return r.Receiver.Truth.P99 }) + "**",
	}
	if c.Kind == stall {
		row = append(row, "**100 %**")
	}
	return row
}
