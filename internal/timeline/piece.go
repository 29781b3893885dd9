package timeline

import (
	"math"
	"time"
)

// piece is a stretch of a curve between two knots on which the rate is linear. A
// jump is a piece that starts with another rate than the one before ended with.
type piece struct {
	at       time.Duration
	length   time.Duration
	from, to float64
}

// line returns a piece whose place is decided later.
func line(length time.Duration, from, to float64) piece {
	return piece{length: length, from: from, to: to}
}

// chain lays the pieces end to end, from 0, without those that have no length.
func chain(pieces ...piece) []piece {
	out := make([]piece, 0, len(pieces))
	var at time.Duration
	for _, p := range pieces {
		if p.length > 0 {
			p.at = at
			out = append(out, p)
			at += p.length
		}
	}
	return out
}

func (p piece) end() time.Duration { return p.at + p.length }

// rate returns the rate at an offset from the piece's start, 0 <= offset <= length.
func (p piece) rate(offset time.Duration) float64 {
	if offset == p.length {
		return p.to
	}
	return p.from + mul(p.to-p.from, float64(offset)/float64(p.length))
}

// part returns the part of the piece from an offset on, placed at another time.
func (p piece) part(offset, length, at time.Duration) piece {
	return piece{at: at, length: length, from: p.rate(offset), to: p.rate(offset + length)}
}

// slots returns the integral of the rate over the whole piece. The remainder of the
// product is added, so that it is exact for lengths of whole seconds.
func (p piece) slots() units {
	mean, seconds := (p.from+p.to)/2, p.length.Seconds()
	product := mul(mean, seconds)
	rest := math.FMA(mean, seconds, -product)
	if rest < 0 {
		return unitsOf(product).sub(unitsOf(-rest))
	}
	return unitsOf(product).add(unitsOf(rest))
}

// slotsUntil returns the integral of the rate from the piece's start to an offset.
func (p piece) slotsUntil(offset time.Duration) units {
	if offset == p.length {
		return p.slots()
	}
	return p.part(0, offset, 0).slots()
}

// merge adds two curves of the same length.
func merge(a, b []piece) []piece {
	out := make([]piece, 0, len(a)+len(b))
	var at time.Duration
	for i, j := 0, 0; i < len(a) && j < len(b); {
		length := min(a[i].end(), b[j].end()) - at
		p, q := a[i].part(at-a[i].at, length, at), b[j].part(at-b[j].at, length, at)
		p.from += q.from
		p.to += q.to
		out = append(out, p)
		at += length
		if a[i].end() == at {
			i++
		}
		if b[j].end() == at {
			j++
		}
	}
	return out
}

// clamp returns the curve kept within [low, high]. Where it crosses a limit there
// is a new knot, so that the result follows the clamped lines to the nanosecond.
func clamp(pieces []piece, low, high float64) []piece {
	out := make([]piece, 0, len(pieces))
	for _, p := range pieces {
		first, second := low, high
		if p.from > p.to {
			first, second = high, low
		}
		for _, limit := range [2]float64{first, second} {
			if at := p.crossing(limit); at > 0 {
				head := piece{at: p.at, length: at, from: p.from, to: limit}
				out = append(out, head.clamped(low, high))
				p = piece{at: p.at + at, length: p.length - at, from: limit, to: p.to}
			}
		}
		out = append(out, p.clamped(low, high))
	}
	return out
}

// crossing returns the offset at which the rate passes the limit, 0 if it does not.
func (p piece) crossing(limit float64) time.Duration {
	if (p.from < limit) == (p.to < limit) || p.from == limit || p.to == limit {
		return 0
	}
	at := time.Duration(math.Round(mul(float64(p.length), (limit-p.from)/(p.to-p.from))))
	if at <= 0 || at >= p.length {
		return 0
	}
	return at
}

func (p piece) clamped(low, high float64) piece {
	p.from = min(max(p.from, low), high)
	p.to = min(max(p.to, low), high)
	return p
}
