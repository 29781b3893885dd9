//go:build linux

package main

import (
	"cmp"
	"slices"
	"time"
)

// phaseQuantile is the part of the sends that may be earlier than the fitted schedule
// is, so that a few that were taken from another place do not move all.
const phaseQuantile = 0.01

// lateness is how far sends were from a schedule, as quantiles.
type lateness struct {
	P50 time.Duration `json:"p50"`
	P90 time.Duration `json:"p90"`
	P99 time.Duration `json:"p99"`
	Max time.Duration `json:"max"`
	// Sends is how many sends were looked at.
	Sends int `json:"sends"`
}

// againstEven returns how late sends were against the schedule t0 + k/rate, where k
// counts them in the order of their arrival and t0 is the latest start at which nearly
// all of them are not early. Instants are in nanoseconds, in any order.
//
// What a tool leaves out or falls behind by is not forgiven: the sends after it are
// late by the whole of it.
func againstEven(arrivals []int64, rate float64) lateness {
	return summarize(residuals(slices.Sorted(slices.Values(arrivals)), rate))
}

// againstOwn returns the same for a tool that divides the rate among its connections,
// each of which keeps a schedule of its own. Those with fewer than five sends tell too
// little and are left out.
func againstOwn(records []record, rate float64, connections int) lateness {
	by := map[uint32][]int64{}
	for _, r := range records {
		by[r.Conn] = append(by[r.Conn], r.Arrived)
	}
	var all []time.Duration
	for _, arrivals := range by {
		if len(arrivals) < 5 {
			continue
		}
		slices.Sort(arrivals)
		all = append(all, residuals(arrivals, rate/float64(connections))...)
	}
	return summarize(all)
}

// residuals returns what is left of the sorted instants after the schedule is taken off.
func residuals(sorted []int64, rate float64) []time.Duration {
	if len(sorted) == 0 {
		return nil
	}
	late := make([]time.Duration, 0, len(sorted))
	for k, at := range sorted {
		late = append(late, time.Duration(at-sorted[0])-time.Duration(float64(k)/rate*float64(time.Second)))
	}
	phase := quantile(slices.Sorted(slices.Values(late)), phaseQuantile)
	for k := range late {
		late[k] -= phase
	}
	return late
}

func summarize(late []time.Duration) lateness {
	slices.Sort(late)
	if len(late) == 0 {
		return lateness{}
	}
	return lateness{
		P50: quantile(late, 0.5), P90: quantile(late, 0.9), P99: quantile(late, 0.99), Max: late[len(late)-1],
		Sends: len(late),
	}
}

// within returns the records of requests that arrived from one instant, in nanoseconds,
// until before another, in the order of their arrival.
func within(records []record, from, to int64) []record {
	var in []record
	for _, r := range records {
		if r.Arrived >= from && r.Arrived < to {
			in = append(in, r)
		}
	}
	slices.SortFunc(in, func(a, b record) int { return cmp.Compare(a.Arrived, b.Arrived) })
	return in
}

// arrivals returns when the requests arrived.
func arrivals(records []record) []int64 {
	return collect(records, func(r record) int64 { return r.Arrived })
}
