package timeline

import (
	"fmt"
	"hash/fnv"
	"math"
)

// Arrivals is how slots follow each other at a given rate.
type Arrivals uint8

const (
	// Uniform arrivals are evenly spaced: each comes 1/rate after the last.
	Uniform Arrivals = iota
	// Poisson arrivals come at random, as from many users who know nothing of each
	// other: the time between two is exponentially distributed. Their number per
	// 1,024 slots and per segment is that of uniform arrivals.
	Poisson
)

// String returns the name as it stands in the configuration.
func (a Arrivals) String() string {
	switch a {
	case Uniform:
		return "uniform"
	case Poisson:
		return "poisson"
	default:
		return fmt.Sprintf("arrivals(%d)", uint8(a))
	}
}

// blockSize is the number of slots in a block of Poisson arrivals, and the part of the
// integral that it covers. The last block of a segment takes the rest: up to twice as much.
const blockSize = 1024

// block holds the random points of one block. The zero block is empty.
type block struct {
	number uint64
	// points are the places of the slots after the start of the block.
	points [2*blockSize - 1]float64
	n      int
}

// fill draws n points in order in [0, width): the arrivals of a Poisson process,
// given their number, which are the sums of n of n + 1 exponential gaps, scaled. No
// gap is smaller than gap.
func (b *block) fill(seed uint64, n int, width, gap float64) {
	b.n = n
	gaps := float64(n + 1)
	gap = min(gap, width/(2*gaps))
	var sum float64
	for i := range n {
		sum += exponential(seed, i)
		b.points[i] = sum
	}
	sum += exponential(seed, n)
	scale := (width - mul(gaps, gap)) / sum
	for i := range n {
		b.points[i] = mul(float64(i+1), gap) + mul(b.points[i], scale)
	}
}

// exponential returns the i-th exponentially distributed number of a seed.
func exponential(seed uint64, i int) float64 {
	bits := splitMix64(seed + uint64(i)*0x9E3779B97F4A7C15)
	return -ln(mul(float64(int64(bits>>11+1)), 0x1p-53))
}

// splitMix64 is the finalizer of splitmix64 (Stafford's mixer 13): each bit of x changes
// each bit of the result with a probability of about one half.
func splitMix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// hashName returns well-mixed bits of a scenario's name.
func hashName(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return splitMix64(h.Sum64())
}

// ln is the natural logarithm of a normal number x > 0, to 2e-11, which is more
// than a random gap needs, and the same to the last bit on every processor, which
// math.Log is not. It sums the series of ln(m) = 2 artanh((m-1)/(m+1)).
func ln(x float64) float64 {
	// x = m * 2^k, with m between sqrt(1/2) and sqrt(2).
	const one, root = 0x3FF0000000000000, 0x3FE6A09E667F3BCD
	bits := math.Float64bits(x) + one - root
	k := float64(int(bits>>52) - 1023)
	m := math.Float64frombits(bits&(1<<52-1) + root)

	s := (m - 1) / (m + 1)
	q := mul(s, s)
	q2 := mul(q, q)
	low := 1 + mul(q, 1.0/3) + mul(q2, 1.0/5+mul(q, 1.0/7))
	high := 1.0/9 + mul(q, 1.0/11)
	return mul(k, math.Ln2) + mul(2*s, low+mul(mul(q2, q2), high))
}
