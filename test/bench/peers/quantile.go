//go:build linux

package main

import (
	"cmp"
	"slices"
)

// quantile returns the q-quantile of sorted values, interpolated linearly between two
// neighbours; 0 of none.
func quantile[T ~int64 | ~float64](sorted []T, q float64) T {
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	low := min(int(at), len(sorted)-1)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + T((at-float64(low))*float64(sorted[high]-sorted[low]))
}

// median returns the median of values in any order; 0 of none.
func median[T ~int64 | ~float64](values []T) T {
	return quantile(slices.Sorted(slices.Values(values)), 0.5)
}

// spread returns how far apart the values are, as a part of their median.
func spread(values []float64) float64 {
	m := median(values)
	if m == 0 {
		return 0
	}
	return (slices.Max(values) - slices.Min(values)) / m
}

// collect returns what f makes of each element.
func collect[A, B any](of []A, f func(A) B) []B {
	all := make([]B, 0, len(of))
	for _, a := range of {
		all = append(all, f(a))
	}
	return all
}

// clamp returns v, or the bound that it is beyond.
func clamp[T cmp.Ordered](v, low, high T) T { return max(low, min(high, v)) }
