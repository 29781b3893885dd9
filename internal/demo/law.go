package demo

import (
	"math"
	"time"
)

// The steps of even sequences: the fractional parts of the golden ratio and of the
// square root of 2, of 2^64. Their multiples fill the circle more evenly than random
// numbers would, and independently of each other.
const (
	golden = 0x9E3779B97F4A7C15
	root2  = 0x6A09E667F3BCC909
)

// z99 is the 99th percentile of the standard normal law.
const z99 = 2.3263478740408408

// Law is a log-normal law of latencies, given by two of its quantiles. No latency is
// longer than a minute.
type Law struct {
	P50, P99 time.Duration
}

// sigma is the standard deviation of the latency's logarithm.
func (l Law) sigma() float64 { return math.Log(l.P99.Seconds()/l.P50.Seconds()) / z99 }

// Quantile returns the latency that the share p of the responses, 0 < p < 1, stay below.
func (l Law) Quantile(p float64) time.Duration {
	if l.P50 <= 0 || l.P99 <= l.P50 {
		return l.P50
	}
	z := math.Sqrt2 * math.Erfinv(2*p-1)
	return time.Duration(min(float64(l.P50)*math.Exp(l.sigma()*z), float64(maxLatency)))
}

// CDF returns the share of the responses that take at most d.
func (l Law) CDF(d time.Duration) float64 {
	switch {
	case d <= 0:
		return 0
	case d >= maxLatency:
		return 1
	case l.P50 <= 0 || l.P99 <= l.P50:
		if d >= l.P50 {
			return 1
		}
		return 0
	}
	z := math.Log(d.Seconds()/l.P50.Seconds()) / l.sigma()
	return (1 + math.Erf(z/math.Sqrt2)) / 2
}

// draw returns the n-th number of the even sequence of this step, in (0, 1).
func draw(n, step uint64) float64 { return (float64(n*step>>12) + 0.5) / (1 << 52) }
