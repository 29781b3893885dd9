//go:build linux

package main

import (
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	sorted := []time.Duration{0, 10, 20, 30, 40}
	for q, want := range map[float64]time.Duration{0: 0, 0.25: 10, 0.5: 20, 0.625: 25, 1: 40} {
		if got := quantile(sorted, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := quantile([]time.Duration(nil), 0.5); got != 0 {
		t.Errorf("of none it is %v, want 0", got)
	}
}

func TestMedianAndSpread(t *testing.T) {
	values := []float64{30, 10, 20}
	if got := median(values); got != 20 {
		t.Errorf("the median is %v, want 20", got)
	}
	if got := spread(values); got != 1 {
		t.Errorf("the spread is %v, want 1", got)
	}
	if values[0] != 30 {
		t.Error("the values have been sorted in place")
	}
}
