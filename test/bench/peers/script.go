//go:build linux

package main

import (
	"slices"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/demo"
)

// golden is the fractional part of the golden ratio, of 2^64: its multiples fill the
// circle evenly.
const golden = 0x9E3779B97F4A7C15

// script is how long the receiver takes to respond.
type script struct {
	// P50 and P99 are quantiles of the log-normal law that the responses follow.
	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
	// From StallAt after the first request on, the receiver does not respond for StallFor.
	StallAt  time.Duration `json:"stall_at"`
	StallFor time.Duration `json:"stall_for"`
}

// latency returns how long the n-th response takes. Any stretch of responses follows the
// law almost exactly.
func (s script) latency(n uint64) time.Duration {
	p := (float64(n*golden>>12) + 0.5) / (1 << 52)
	return demo.Law{P50: s.P50, P99: s.P99}.Quantile(p)
}

// respondedAt returns when, after the first request, the response to the n-th one is due, which
// arrived at an instant.
func (s script) respondedAt(n uint64, arrived time.Duration) time.Duration {
	at := arrived + s.latency(n)
	if at >= s.StallAt && at < s.StallAt+s.StallFor {
		return s.StallAt + s.StallFor
	}
	return at
}

// truth is how long responses take, as quantiles.
type truth struct {
	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
}

// truth returns what users who come evenly at the rate would have waited.
func (s script) truth(rate float64, lasting time.Duration) truth {
	var waits []time.Duration
	for n := uint64(0); ; n++ {
		due := time.Duration(float64(n) / rate * float64(time.Second))
		if due >= lasting {
			break
		}
		waits = append(waits, s.respondedAt(n, due)-due)
	}
	return newTruth(waits)
}

func newTruth(waits []time.Duration) truth {
	slices.Sort(waits)
	return truth{P50: quantile(waits, 0.5), P99: quantile(waits, 0.99)}
}
