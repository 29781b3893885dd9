package engine

import (
	"math/bits"
	"sort"
)

// mix chooses an entry by weight. It holds the sums of the weights up to and with
// each entry.
type mix []uint64

func newMix(entries []Entry) mix {
	m := make(mix, len(entries))
	sum := uint64(0)
	for i, e := range entries {
		sum += uint64(e.Weight)
		m[i] = sum
	}
	return m
}

// entry returns the index of the entry that a slot's hash settles on, the same on
// every replica. Without weights it is 0.
func (m mix) entry(hash uint64) int {
	if len(m) <= 1 || m[len(m)-1] == 0 {
		return 0
	}
	// The hash is a fraction of 2^64: the high word is that fraction of the sum.
	point, _ := bits.Mul64(hash, m[len(m)-1])
	return sort.Search(len(m), func(i int) bool { return m[i] > point })
}

// Choose returns the index of the entry that a slot's hash settles on: the one that a runner
// would send.
func Choose(entries []Entry, hash uint64) int { return newMix(entries).entry(hash) }
