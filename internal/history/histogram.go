package history

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	// subBits is the power of two of the buckets in each doubling of the duration, so that a
	// quantile is off by 3 % at most.
	subBits = 4
	// maxBits bounds durations to 2^maxBits µs, a little more than two minutes; longer ones are
	// in the last bucket.
	maxBits = 27
	// numBuckets is the size of a histogram.
	numBuckets = (maxBits - subBits + 1) << subBits
)

// histogram counts durations in log-linear buckets, as HdrHistogram does: 16 in each doubling.
// Counts wrap around, which differences of them do not mind. Safe for concurrent use.
type histogram [numBuckets]atomic.Uint32

// counts are the buckets at one time, or their increases between two.
type counts [numBuckets]uint32

// bucket returns the index of the bucket of a duration.
func bucket(d time.Duration) int {
	us := uint64(max(0, d) / time.Microsecond)
	if us < 1<<subBits {
		return int(us)
	}
	shift := bits.Len64(us) - subBits - 1
	return min(numBuckets-1, (shift+1)<<subBits+int(us>>shift)-1<<subBits)
}

// bounds returns from where to where a bucket reaches, in seconds.
func bounds(i int) (from, to float64) {
	if i < 1<<subBits {
		return float64(i) * 1e-6, float64(i+1) * 1e-6
	}
	shift := i>>subBits - 1
	low := uint64(1<<subBits+i&(1<<subBits-1)) << shift
	return float64(low) * 1e-6, float64(low+1<<shift) * 1e-6
}

func (h *histogram) observe(d time.Duration) { h[bucket(d)].Add(1) }

// read returns the counts now.
func (h *histogram) read(into *counts) {
	for i := range h {
		into[i] = h[i].Load()
	}
}

// minus returns the increases since an earlier time.
func (c *counts) minus(before *counts) *counts {
	var out counts
	for i := range c {
		out[i] = c[i] - before[i]
	}
	return &out
}

// total returns how many durations there are.
func (c *counts) total() uint64 {
	var n uint64
	for _, k := range c {
		n += uint64(k)
	}
	return n
}

// quantile returns a quantile in seconds; NaN of nothing.
func (c *counts) quantile(q float64) float64 { return quantile(c[:], q) }

// quantile returns a quantile of a histogram in seconds, linear within its bucket; NaN of nothing.
func quantile[N uint32 | float64](buckets []N, q float64) float64 {
	rank := 0.0
	for _, n := range buckets {
		rank += q * float64(n)
	}
	if rank == 0 {
		return math.NaN()
	}
	highest := 0.0
	for i, n := range buckets {
		if n == 0 {
			continue
		}
		from, to := bounds(i)
		if float64(n) >= rank {
			return from + (to-from)*rank/float64(n)
		}
		rank -= float64(n)
		highest = to
	}
	return highest // The rest of the rank is a rounding error.
}
