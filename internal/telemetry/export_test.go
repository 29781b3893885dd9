package telemetry

import "time"

// MaxCodes is the limit of codes a request.
const MaxCodes = maxCodes

// Bounds returns the classic buckets' upper bounds.
func Bounds(s ScenarioSpec) []float64 { return s.bounds() }

// Seconds converts as the metrics do.
func Seconds(d time.Duration) float64 { return seconds(d) }

// NewTake returns the choice of a new sampler.
func NewTake(base time.Time, every time.Duration) func(end time.Time, latency time.Duration) bool {
	return (&sampler{base: base, every: every}).sample
}
