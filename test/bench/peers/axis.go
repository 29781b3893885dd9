//go:build linux

package main

import "math"

// axis maps values to pixels on a logarithmic scale.
type axis struct {
	// low and high are the ends, in values; from and to where they are, in pixels.
	low, high float64
	from, to  float64
}

// newAxis returns an axis that holds all values, which are positive, and ends at 1, 2 or
// 5 times powers of ten.
func newAxis(values []float64, from, to float64) axis {
	low, high := math.Inf(1), 0.0
	for _, v := range values {
		if v > 0 && !math.IsInf(v, 1) {
			low, high = min(low, v), max(high, v)
		}
	}
	if high == 0 {
		low, high = 1, 10
	}
	a := axis{low: step(low, false), high: step(high, true), from: from, to: to}
	if a.low == a.high {
		a.high *= 10
	}
	return a
}

// step returns the next of 1, 2 and 5 times the powers of ten, in one direction.
func step(v float64, up bool) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	steps := []float64{1, 2, 5, 10}
	best := power
	for _, s := range steps {
		// A value that is on a step but for rounding is on it.
		if up && s*power >= v*(1-1e-9) {
			return s * power
		}
		if s*power <= v*(1+1e-9) {
			best = s * power
		}
	}
	return best
}

// at returns the pixel of a value; one beyond an end is at that end.
func (a axis) at(v float64) float64 {
	v = clamp(v, a.low, a.high)
	return a.from + (a.to-a.from)*math.Log(v/a.low)/math.Log(a.high/a.low)
}

// ticks returns the values to mark: 1, 2 and 5 times the powers of ten, or the powers
// alone where that would be many.
func (a axis) ticks() []float64 {
	steps := []float64{1, 2, 5}
	if a.high/a.low > 2000 {
		steps = steps[:1]
	}
	var all []float64
	for power := math.Floor(math.Log10(a.low)); power <= math.Ceil(math.Log10(a.high)); power++ {
		for _, s := range steps {
			if v := s * math.Pow(10, power); v >= a.low*(1-1e-9) && v <= a.high*(1+1e-9) {
				all = append(all, v)
			}
		}
	}
	return all
}
