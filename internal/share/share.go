// Package share finds the member of a fleet that owns a slot, from nothing but the
// slot's sequence number and the list of live members. It keeps no state, reads no
// clock and talks to nobody: every replica that has the same view computes the
// same owner.
//
// Slot k falls on the point u(k) = k * 0x9E3779B97F4A7C15 mod 2^64 of a circle: the
// golden-ratio rotation, whose points are the most evenly spread of any rotation
// (Knuth, The Art of Computer Programming, vol. 3, section 6.4, theorem S). The
// members, sorted by ID, cut the circle into arcs as wide as their weights; the
// arc that u(k) falls in names the owner. For any weights each member is within a
// few slots of its exact share at all times, and its slots are evenly spread.
package share

import (
	"cmp"
	"math/bits"
	"slices"
	"sort"
)

// golden is 2^64 divided by the golden ratio, rounded to odd.
const golden = 0x9E3779B97F4A7C15

// Member is one replica in a fleet.
type Member struct {
	// ID is unique in the fleet. Members are laid out in the order of their IDs.
	ID string
	// Weight is the member's part relative to the others'. A member of weight 0 is
	// live but owns nothing.
	Weight uint32
}

// View is the list of live members, ready to name owners. The zero View has no
// members and owns nothing: in doubt nothing is sent. A View is immutable and safe
// for concurrent use.
type View struct {
	members []Member
	// owners are the members with a weight, and arcs the arc of each, by start.
	owners []Member
	arcs   []Arc
}

// NewView returns the view of these members, in any order. Of several members with
// one ID the first counts.
func NewView(members []Member) View { return NewPartialView(members, 0) }

// NewPartialView returns a view in which nobody owns more than its weight of a total: of
// the arc that NewView gives it each member owns as much from its start on, and nobody
// owns the rest. So a slot has the same owner whatever the total is, or none. A total of
// less than the members' weights changes nothing.
func NewPartialView(members []Member, total uint64) View {
	sorted := slices.Clone(members)
	slices.SortStableFunc(sorted, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	sorted = slices.CompactFunc(sorted, func(a, b Member) bool { return a.ID == b.ID })

	v := View{members: sorted}
	var all uint64
	for _, m := range sorted {
		if m.Weight > 0 {
			v.owners = append(v.owners, m)
			all += uint64(m.Weight)
		}
	}
	var before uint64
	for _, m := range v.owners {
		after := before + uint64(m.Weight)
		a := Arc{start: cut(before, all), last: cut(after, all) - 1, some: true}
		if total > all {
			a.last = a.start + cut(uint64(m.Weight), total) - 1
		}
		v.arcs = append(v.arcs, a)
		before = after
	}
	return v
}

// Members returns the members in the order of their IDs. Do not modify it.
func (v View) Members() []Member { return v.members }

// Owner returns the member that owns the slot, and whether there is one.
func (v View) Owner(seq uint64) (Member, bool) {
	if len(v.arcs) == 0 {
		return Member{}, false
	}
	// The first arc starts at 0, so one before the first that starts beyond u exists.
	u := seq * golden
	i := sort.Search(len(v.arcs), func(i int) bool { return v.arcs[i].start > u }) - 1
	if u > v.arcs[i].last {
		return Member{}, false
	}
	return v.owners[i], true
}

// Arc returns the part of the circle that the member owns: the empty Arc if it is
// not in the view or has no weight.
func (v View) Arc(id string) Arc {
	i, found := slices.BinarySearchFunc(v.owners, id, func(m Member, id string) int {
		return cmp.Compare(m.ID, id)
	})
	if !found {
		return Arc{}
	}
	return v.arcs[i]
}

// Arc is the share of the slots that one member owns. The zero Arc owns nothing.
// An Arc is a small value, safe to copy and to use concurrently.
type Arc struct {
	start uint64
	// last is the last point of the arc, inclusive, so that the whole circle fits.
	last uint64
	some bool
}

// Whole is the Arc of a replica on its own: it owns every slot.
func Whole() Arc { return Arc{last: ^uint64(0), some: true} }

// cut returns part/total of the circle, rounded down. The whole circle wraps to 0,
// so that cut(total, total) - 1 is its last point.
func cut(part, total uint64) uint64 {
	if part == total {
		return 0
	}
	q, _ := bits.Div64(part, 0, total)
	return q
}

// Intersect returns the arc of the slots that belong to both.
func (a Arc) Intersect(b Arc) Arc {
	both := Arc{start: max(a.start, b.start), last: min(a.last, b.last), some: a.some && b.some}
	if !both.some || both.start > both.last {
		return Arc{}
	}
	return both
}

// Owns reports whether the slot belongs to the arc.
func (a Arc) Owns(seq uint64) bool {
	u := seq * golden
	return a.some && a.start <= u && u <= a.last
}

// Ratio is the arc's exact share of all slots, from 0 to 1.
func (a Arc) Ratio() float64 {
	if !a.some {
		return 0
	}
	return (float64(a.last-a.start) + 1) / (1 << 64)
}

// Count returns how many of the slots with from <= seq < to belong to the arc, in a
// time that grows with the logarithm of their number only (at most about a hundred
// divisions).
//
// With M = 2^64, offset = u(from) - start and width = last - start + 1, the k-th of them
// belongs to the arc if (k*golden + offset) mod M < width. Exactly then
// floor((k*golden + offset)/M) is one greater than floor((k*golden + offset - width)/M).
// floorSum takes its offset modulo M, so that each term comes out one too great where
// offset - width is negative.
func (a Arc) Count(from, to uint64) uint64 {
	if !a.some || from >= to {
		return 0
	}
	n, offset, width := to-from, from*golden-a.start, a.last-a.start+1
	if width == 0 { // The whole circle.
		return n
	}
	count := floorSum(n, offset) - floorSum(n, offset-width)
	if offset < width {
		count += n
	}
	return count
}

// floorSum returns the sum over 0 <= k < n of floor((k*golden + b) / 2^64), modulo
// 2^64, by the Euclid-like reduction of Graham, Knuth and Patashnik (Concrete
// Mathematics, section 3.5).
func floorSum(n, b uint64) uint64 {
	// The first step by hand: its modulus 2^64 does not fit a word. floor(y/2^64)
	// of y = golden*n + b is the high word.
	hi, lo := bits.Mul64(golden, n)
	lo, carry := bits.Add64(lo, b, 0)
	n, b = hi+carry, lo
	if n == 0 {
		return 0
	}
	// Now swap modulus and slope: slope 2^64, modulus golden.
	m := uint64(golden)
	q, a := bits.Div64(1, 0, m) // 2^64 = q*golden + a
	sum := triangle(n) * q
	for {
		if a >= m {
			sum += triangle(n) * (a / m)
			a %= m
		}
		if b >= m {
			sum += n * (b / m)
			b %= m
		}
		hi, lo := bits.Mul64(a, n)
		lo, carry := bits.Add64(lo, b, 0)
		hi += carry
		if hi == 0 && lo < m {
			return sum
		}
		n, b = bits.Div64(hi, lo, m)
		m, a = a, m
	}
}

// triangle returns n(n-1)/2 modulo 2^64.
func triangle(n uint64) uint64 {
	if n%2 == 0 {
		return n / 2 * (n - 1)
	}
	return (n - 1) / 2 * n
}
