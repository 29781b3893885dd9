package script

import "math/bits"

// stream is a sequence of well-mixed bits: SplitMix64 (Steele, Lea and Flood, "Fast
// splittable pseudorandom number generators", 2014). What it gives for a seed must never
// change: slots are reproduced by it.
type stream uint64

// newStream returns the bits of a name in a slot, for the nth time that they are asked for.
func newStream(slot, name uint64, nth uint32) stream {
	return stream(splitMix64(slot ^ splitMix64(name+uint64(nth)*0x9E3779B97F4A7C15)))
}

// next returns 64 bits.
func (s *stream) next() uint64 {
	*s += 0x9E3779B97F4A7C15
	return splitMix64(uint64(*s))
}

// skip leaves out n times 64 bits.
func (s *stream) skip(n uint64) { *s += stream(n * 0x9E3779B97F4A7C15) }

// below returns a number from 0 to n-1, each as likely (Lemire, "Fast random integer
// generation in an interval", 2019); n of 0 stands for 2^64.
func (s *stream) below(n uint64) uint64 {
	if n == 0 {
		return s.next()
	}
	high, low := bits.Mul64(s.next(), n)
	for threshold := -n % n; low < threshold; {
		high, low = bits.Mul64(s.next(), n)
	}
	return high
}

// fraction returns a number of at least 0 and less than 1.
func (s *stream) fraction() float64 { return float64(s.next()>>11) / (1 << 53) }

// weighted returns an index by the sums of the weights up to and with each.
func (s *stream) weighted(sums []uint64) int {
	at := s.below(sums[len(sums)-1])
	low, high := 0, len(sums)-1
	for low < high {
		if mid := (low + high) / 2; sums[mid] > at {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// sumsOf returns the sums of weights up to and with each.
func sumsOf[W ~int | ~uint32 | ~uint64](weights []W) []uint64 {
	sums := make([]uint64, len(weights))
	sum := uint64(0)
	for i, w := range weights {
		sum += uint64(w)
		sums[i] = sum
	}
	return sums
}

// splitMix64 is the finalizer of SplitMix64.
func splitMix64(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// hashName returns the FNV-1a hash of a name.
func hashName(name string) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range []byte(name) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
