package history

import (
	"maps"
	"math"
	"slices"
)

// Series are columns of points at regular times, oldest first. A value that is not there is NaN.
type Series struct {
	// From is the Unix time of the first point in seconds, and Step the seconds that each stands
	// for.
	From, Step int64
	// Len is the number of points.
	Len     int
	Columns map[string][]float32
}

// ring keeps the last points of some columns. A column takes no memory before it has a value.
type ring struct {
	step int64
	size int
	// next is the number of the point after the last, as its time divided by the step, and first
	// that of the oldest.
	first, next int64
	columns     map[string][]float32
}

func newRing(step int64, size int) *ring {
	return &ring{step: step, size: size, columns: map[string][]float32{}}
}

// add adds the point of a time. Points between the last one and this one are missing; a time
// before the last point, as after a step of the clock, begins anew.
func (r *ring) add(unix int64, values map[string]float64) {
	at := unix / r.step
	if at < r.next || at-r.next >= int64(r.size) {
		clear(r.columns)
		r.first, r.next = at, at
	}
	for ; r.next <= at; r.next++ {
		for _, c := range r.columns {
			c[r.index(r.next)] = float32(math.NaN())
		}
	}
	r.first = max(r.first, r.next-int64(r.size))
	for name, v := range values {
		c, ok := r.columns[name]
		if !ok {
			c = slices.Repeat([]float32{float32(math.NaN())}, r.size)
			r.columns[name] = c
		}
		c[r.index(at)] = float32(v)
	}
}

func (r *ring) index(point int64) int { return int(point % int64(r.size)) }

// since returns the points that begin at or after a time.
func (r *ring) since(unix int64) Series {
	from := max(r.first, (unix+r.step-1)/r.step)
	n := int(max(0, r.next-from))
	s := Series{From: from * r.step, Step: r.step, Len: n, Columns: make(map[string][]float32, len(r.columns))}
	for name, c := range r.columns {
		out := make([]float32, n)
		for i := range out {
			out[i] = c[r.index(from+int64(i))]
		}
		s.Columns[name] = out
	}
	return s
}

// resize keeps the newest points that fit another size.
func (r *ring) resize(size int) *ring {
	if r.size == size {
		return r
	}
	next := newRing(r.step, size)
	kept := r.since((r.next - int64(size)) * r.step)
	names := slices.Collect(maps.Keys(kept.Columns))
	for i := range kept.Len {
		values := make(map[string]float64, len(names))
		for _, name := range names {
			if v := float64(kept.Columns[name][i]); !math.IsNaN(v) {
				values[name] = v
			}
		}
		next.add(kept.From+int64(i)*kept.Step, values)
	}
	return next
}
