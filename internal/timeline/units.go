package timeline

import (
	"math/bits"
)

// units is a number of slots as 64.64 fixed point. Sums and multiples of it are
// exact, so that integrals do not lose accuracy however long the timeline runs and
// the number of slots in consecutive segments adds up to the last one.
type units struct{ whole, part uint64 }

// unitsOf returns x without its bits below 2^-63; 0 <= x < 2^63. The detour by int64 spares
// a branch that no processor could predict.
func unitsOf(x float64) units {
	whole := int64(x)
	part := int64(mul(x-float64(whole), 0x1p63))
	return units{whole: uint64(whole), part: uint64(part) << 1}
}

func (u units) add(v units) units {
	part, carry := bits.Add64(u.part, v.part, 0)
	return units{whole: u.whole + v.whole + carry, part: part}
}

// sub returns u - v; a negative result has its whole in two's complement.
func (u units) sub(v units) units {
	part, borrow := bits.Sub64(u.part, v.part, 0)
	return units{whole: u.whole - v.whole - borrow, part: part}
}

func (u units) times(k uint64) units {
	carry, part := bits.Mul64(u.part, k)
	return units{whole: u.whole*k + carry, part: part}
}

func (u units) less(v units) bool {
	return u.whole < v.whole || u.whole == v.whole && u.part < v.part
}

// float returns the nearest float64, or nearly so.
func (u units) float() float64 {
	return float64(int64(u.whole)) + mul(float64(int64(u.part>>1)), 0x1p-63)
}

// over returns floor(u / v). The quotient is below 2^52.
func (u units) over(v units) uint64 {
	k := uint64(u.float() / v.float())
	for u.less(v.times(k)) {
		k--
	}
	for !u.less(v.times(k + 1)) {
		k++
	}
	return k
}

// points returns how many of the points phase/2^64 + 0, 1, 2, ... lie below u.
func (u units) points(phase uint64) uint64 {
	if phase < u.part {
		return u.whole + 1
	}
	return u.whole
}

// mul returns the rounded product. On some processors the compiler fuses a product
// and a sum into one operation that rounds once; the conversion forbids it, so that
// replicas on different processors compute the same timeline to the last bit.
func mul(a, b float64) float64 { return float64(a * b) }
