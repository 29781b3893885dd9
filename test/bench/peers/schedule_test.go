//go:build linux

package main

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// even returns the sends of a tool that keeps a rate, each as late as late says.
func even(n int, rate float64, late func(k int) time.Duration) []int64 {
	const start = 1_800_000_000_000_000_000
	all := make([]int64, 0, n)
	for k := range n {
		all = append(all, start+int64(float64(k)/rate*1e9)+int64(late(k)))
	}
	return all
}

// near fails unless a duration is close to another one.
func near(t *testing.T, what string, got, want, by time.Duration) {
	t.Helper()
	if (got - want).Abs() > by {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestAPerfectScheduleIsNotLate(t *testing.T) {
	got := againstEven(even(5000, 1000, func(int) time.Duration { return 0 }), 1000)
	if got.Max > time.Microsecond || got.Sends != 5000 {
		t.Errorf("found %+v, want all of 5000 sends in time", got)
	}
}

func TestAConstantDelayIsTakenForThePhase(t *testing.T) {
	got := againstEven(even(5000, 1000, func(int) time.Duration { return 7 * time.Millisecond }), 1000)
	near(t, "the latest", got.Max, 0, time.Microsecond)
}

func TestLatenessIsMeasuredFromTheEarliest(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	got := againstEven(even(20000, 1000, func(int) time.Duration {
		return time.Duration(random.Float64() * float64(100*time.Microsecond))
	}), 1000)
	near(t, "the median", got.P50, 49*time.Microsecond, 2*time.Microsecond)
	near(t, "the 99th percentile", got.P99, 98*time.Microsecond, 2*time.Microsecond)
}

func TestOneEarlyStrayDoesNotMoveTheSchedule(t *testing.T) {
	got := againstEven(even(5000, 1000, func(k int) time.Duration {
		if k == 2500 {
			return -500 * time.Microsecond
		}
		return 0
	}), 1000)
	near(t, "the median", got.P50, 0, time.Microsecond)
}

func TestWholeMillisecondsAreHalfAMillisecondLate(t *testing.T) {
	// As of pacing that rounds 10,000 a second up to whole milliseconds.
	got := againstEven(even(20000, 10000, func(k int) time.Duration {
		return time.Duration((10-k%10)%10) * 100 * time.Microsecond
	}), 10000)
	near(t, "the median", got.P50, 450*time.Microsecond, 60*time.Microsecond)
	near(t, "the latest", got.Max, 900*time.Microsecond, time.Microsecond)
}

func TestOrderOfArrivalsDoesNotMatter(t *testing.T) {
	all := even(1000, 1000, func(k int) time.Duration { return time.Duration(k%3) * time.Microsecond })
	want := againstEven(all, 1000)
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if got := againstEven(all, 1000); got != want {
		t.Errorf("shuffled: found %+v, want %+v", got, want)
	}
}

func TestFitRate(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	jitter := func(int) time.Duration { return time.Duration(random.ExpFloat64() * float64(200*time.Microsecond)) }
	for _, kept := range []float64{1000, 987.5, 1000.4} {
		got := fitRate(even(3000, kept, jitter), 1000)
		if math.Abs(got/kept-1) > 1e-4 {
			t.Errorf("found the rate %v, want %v", got, kept)
		}
	}
}

func TestFitRateIsNotMovedByAStall(t *testing.T) {
	got := fitRate(even(3000, 1000, func(k int) time.Duration {
		if k >= 1500 && k < 1700 {
			return time.Duration(1700-k) * time.Millisecond
		}
		return 0
	}), 1000)
	if math.Abs(got/1000-1) > 1e-4 {
		t.Errorf("found the rate %v, want 1000", got)
	}
}

func TestFitRateOfAFewSendsIsThatWhichWasAskedFor(t *testing.T) {
	if got := fitRate(even(50, 90, func(int) time.Duration { return 0 }), 100); got != 100 {
		t.Errorf("found the rate %v, want 100", got)
	}
}

func TestConnectionsHaveTheirOwnSchedules(t *testing.T) {
	var records []record
	for c := range uint32(10) {
		// All of them send at once, which as a whole is far from even.
		for _, at := range even(100, 10, func(int) time.Duration { return time.Duration(c) * 50 * time.Microsecond }) {
			records = append(records, record{Conn: c, Arrived: at})
		}
	}
	if got := againstOwn(records, 100, 10); got.Max > time.Microsecond || got.Sends != 1000 {
		t.Errorf("against their own: found %+v, want all of 1000 sends in time", got)
	}
	if got := againstEven(arrivals(records), 100); got.P50 < 10*time.Millisecond {
		t.Errorf("against an even one: found %+v, want them late", got)
	}
}

func TestConnectionsWithFewSendsAreLeftOut(t *testing.T) {
	if got := againstOwn([]record{{Conn: 1, Arrived: 1}, {Conn: 1, Arrived: 2}}, 10, 1); got.Sends != 0 {
		t.Errorf("found %d sends, want none", got.Sends)
	}
}

func TestWithinIsHalfOpen(t *testing.T) {
	got := within([]record{{Arrived: 30}, {Arrived: 10}, {Arrived: 20}}, 10, 30)
	if len(got) != 2 || got[0].Arrived != 10 || got[1].Arrived != 20 {
		t.Errorf("found %v, want those of 10 and 20", got)
	}
}
