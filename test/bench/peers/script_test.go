//go:build linux

package main

import (
	"testing"
	"time"
)

func TestTruthFollowsTheLaw(t *testing.T) {
	got := script{P50: time.Millisecond, P99: 3 * time.Millisecond}.truth(1000, 10*time.Second)
	near(t, "the median", got.P50, time.Millisecond, 10*time.Microsecond)
	near(t, "the 99th percentile", got.P99, 3*time.Millisecond, 50*time.Microsecond)
}

func TestTruthOfAStallIsWhatEveryoneDueInItWaits(t *testing.T) {
	// Of 10 s a stall of 0.6 s is 6 %, so that 1 % waits longer than 5/6 of it.
	s := script{P50: time.Microsecond, P99: 2 * time.Microsecond, StallAt: 5 * time.Second, StallFor: 600 * time.Millisecond}
	got := s.truth(1000, 10*time.Second)
	near(t, "the 99th percentile", got.P99, 500*time.Millisecond, 2*time.Millisecond)
	near(t, "the median", got.P50, time.Microsecond, 100*time.Nanosecond)
}

func TestResponsesDueInAStallAreSentAtItsEnd(t *testing.T) {
	s := script{StallAt: time.Second, StallFor: time.Second}
	for arrived, want := range map[time.Duration]time.Duration{
		999 * time.Millisecond:  999 * time.Millisecond,
		time.Second:             2 * time.Second,
		1999 * time.Millisecond: 2 * time.Second,
		2 * time.Second:         2 * time.Second,
	} {
		if got := s.respondedAt(0, arrived); got != want {
			t.Errorf("arrived at %v: answered at %v, want %v", arrived, got, want)
		}
	}
}
