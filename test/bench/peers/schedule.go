//go:build linux

package main

import (
	"cmp"
	"slices"
	"time"
)

const (
	// phaseQuantile is the part of the sends that may be earlier than the fitted schedule
	// is, so that a few that were taken from another place do not move all.
	phaseQuantile = 0.01
	// driftBlocks is into how many blocks the sends are cut to find the rate.
	driftBlocks = 20
	// fewest is how many sends of a connection show its schedule.
	fewest = 5
)

// lateness is how far sends were from a schedule, as quantiles.
type lateness struct {
	P50 time.Duration `json:"p50"`
	P90 time.Duration `json:"p90"`
	P99 time.Duration `json:"p99"`
	Max time.Duration `json:"max"`
	// Sends is how many sends were looked at.
	Sends int `json:"sends"`
	// Rate is that of the schedule, in requests a second.
	Rate float64 `json:"rate"`
}

// fitRate returns the rate of the even schedule that sends kept to, close to the one that
// was asked for. Lateness has one side only, so that it looks at the earliest tenth of
// each block; the median of all slopes between two blocks is not moved by a few blocks
// that were late as a whole.
func fitRate(arrivals []int64, asked float64) float64 {
	size := len(arrivals) / driftBlocks
	if size < fewest {
		return asked
	}
	sorted := slices.Sorted(slices.Values(arrivals))
	late := against(sorted, asked)
	var early []time.Duration
	for b := range driftBlocks {
		early = append(early, quantile(slices.Sorted(slices.Values(late[b*size:(b+1)*size])), 0.1))
	}
	var slopes []float64
	for a := range early {
		for b := a + 1; b < driftBlocks; b++ {
			slopes = append(slopes, (early[b]-early[a]).Seconds()/float64((b-a)*size))
		}
	}
	return 1 / (1/asked + median(slopes))
}

// againstEven returns how late sends were against the schedule t0 + k/rate, where k
// counts them in the order of their arrival and t0 is the latest start at which nearly
// all of them are not early. Instants are in nanoseconds, in any order.
func againstEven(arrivals []int64, rate float64) lateness {
	return summarize(residuals(slices.Sorted(slices.Values(arrivals)), rate), rate)
}

// againstOwn returns the same for a tool that divides the rate among its connections,
// each with a schedule of its own. Those with fewer than five sends show too
// little and are left out.
func againstOwn(records []record, rate float64, connections int) lateness {
	by := map[uint32][]int64{}
	for _, r := range records {
		by[r.Conn] = append(by[r.Conn], r.Arrived)
	}
	var all []time.Duration
	for _, arrivals := range by {
		if len(arrivals) >= fewest {
			slices.Sort(arrivals)
			all = append(all, residuals(arrivals, rate/float64(connections))...)
		}
	}
	return summarize(all, rate)
}

// residuals returns the sorted instants minus the schedule.
func residuals(sorted []int64, rate float64) []time.Duration {
	late := against(sorted, rate)
	phase := quantile(slices.Sorted(slices.Values(late)), phaseQuantile)
	for k := range late {
		late[k] -= phase
	}
	return late
}

// against returns how much later the sorted instants are than a schedule that starts
// with the first of them.
func against(sorted []int64, rate float64) []time.Duration {
	late := make([]time.Duration, 0, len(sorted))
	for k, at := range sorted {
		late = append(late, time.Duration(at-sorted[0])-time.Duration(float64(k)/rate*float64(time.Second)))
	}
	return late
}

func summarize(late []time.Duration, rate float64) lateness {
	slices.Sort(late)
	if len(late) == 0 {
		return lateness{}
	}
	return lateness{
		P50: quantile(late, 0.5), P90: quantile(late, 0.9), P99: quantile(late, 0.99), Max: late[len(late)-1],
		Sends: len(late), Rate: rate,
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
