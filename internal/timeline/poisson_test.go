package timeline_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// The Kolmogorov-Smirnov test: the gaps between the slots, in units of the integral
// of the rate, are exponentially distributed with mean 1, whatever the rate does
// (the time-rescaling theorem). Integrals here are done by hand.
func TestPoissonGapsAreExponential(t *testing.T) {
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		shape    timeline.Shape
		integral func(seconds float64) float64
	}{
		"steady": {
			timeline.Steady{Rate: 10},
			func(t float64) float64 { return 10 * t },
		},
		"very fast": {
			timeline.Steady{Rate: 1e6},
			func(t float64) float64 { return 1e6 * t },
		},
		"ramp": {
			timeline.Ramp{From: 0, To: 20, Over: 24 * time.Hour},
			func(t float64) float64 { return 20 * t * t / 2 / 86400 },
		},
		"day and night": {
			timeline.Daily{Points: []timeline.DayPoint{{At: 0, Rate: 1}, {At: 12 * time.Hour, Rate: 19}}},
			func(t float64) float64 {
				rise := func(t float64) float64 { return t + 18*t*t/2/43200 }
				if t <= 43200 {
					return rise(t)
				}
				return 2*rise(43200) - rise(86400-t)
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tl := newTimeline(t, timeline.Options{Name: "ks", Shape: test.shape, Arrivals: timeline.Poisson})
			c := tl.Cursor(midnight)
			const n = 200_000
			gaps, last := make([]float64, n), 0.0
			for i := range gaps {
				slot, ok := c.Next(midnight.AddDate(0, 0, 1))
				if !ok {
					t.Fatalf("%d slots in a day", i)
				}
				x := test.integral(slot.Due.Sub(midnight).Seconds())
				gaps[i], last = x-last, x
			}
			isExponential(t, gaps)
			isUncorrelated(t, gaps)
		})
	}
}

// isExponential fails for alpha = 0.01.
func isExponential(t *testing.T, gaps []float64) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(gaps))
	n, distance := float64(len(sorted)), 0.0
	for i, gap := range sorted {
		law := 1 - math.Exp(-gap)
		distance = max(distance, math.Abs(law-float64(i)/n), math.Abs(law-float64(i+1)/n))
	}
	if limit := 1.628 / math.Sqrt(n); distance > limit {
		t.Errorf("the distribution of the gaps is %g off the exponential, more than %g", distance, limit)
	}
}

// isUncorrelated fails if a gap predicts something of the next one, for alpha = 0.01. That
// the gaps in a block of 1,024 add up to a fixed sum correlates them a little.
func isUncorrelated(t *testing.T, gaps []float64) {
	t.Helper()
	var sum float64
	for i := 1; i < len(gaps); i++ {
		sum += (gaps[i] - 1) * (gaps[i-1] - 1)
	}
	n := float64(len(gaps))
	if r := sum / n; math.Abs(r+1.0/1024) > 2.576/math.Sqrt(n) {
		t.Errorf("the correlation of successive gaps is %g", r)
	}
}

func TestPoissonCountsPerSecondVaryAsMuchAsTheirMean(t *testing.T) {
	tl := newTimeline(t, timeline.Options{Name: "var", Shape: timeline.Steady{Rate: 20}, Arrivals: timeline.Poisson})
	c := tl.Cursor(start)
	const n = 20_000
	var sum, squares float64
	for i := range n {
		k := 0.0
		for _, due := c.Next(start.Add(time.Duration(i+1) * time.Second)); due; k++ {
			_, due = c.Next(start.Add(time.Duration(i+1) * time.Second))
		}
		sum += k
		squares += k * k
	}
	mean := sum / n
	// Blocks of fixed size take 20/1024 off the variance.
	if ratio := (squares/n - mean*mean) / mean; math.Abs(ratio-1) > 0.05 {
		t.Errorf("variance over mean is %g", ratio)
	}
}

func TestPoissonBlocksHaveTheirNumberOfSlots(t *testing.T) {
	s := newTimeline(t, timeline.Options{Name: "blocks", Shape: timeline.Steady{Rate: 1}, Arrivals: timeline.Poisson}).Segment(start)
	for block := range s.Len() / 1024 {
		from, to := s.Start.Add(time.Duration(block*1024)*time.Second), s.Start.Add(time.Duration(block*1024+1024)*time.Second)
		if n := s.Count(to) - s.Count(from); n != 1024 && to.Add(1024*time.Second).Before(s.End) {
			t.Errorf("block %d has %d slots", block, n)
		}
	}
}

func TestSlotsOfSegmentsAndScenariosAreUnrelated(t *testing.T) {
	o := timeline.Options{Name: "one", Shape: timeline.Steady{Rate: 1}, Arrivals: timeline.Poisson}
	today := newTimeline(t, o).Segment(start)
	tomorrow := newTimeline(t, o).Segment(start.AddDate(0, 0, 1))
	o.Name = "two"
	other := newTimeline(t, o).Segment(start)
	for k := range uint64(100) {
		offset := today.Due(k).Sub(today.Start)
		if offset == tomorrow.Due(k).Sub(tomorrow.Start) || offset == other.Due(k).Sub(other.Start) {
			t.Errorf("slot %d is due %v after the start in two of them", k, offset)
		}
	}
}

func TestLnIsTheLogarithm(t *testing.T) {
	r := newRandom(1)
	for range 100_000 {
		x := math.Ldexp(1+r.Float64(), -r.IntN(54))
		if got, want := timeline.Ln(x), math.Log(x); math.Abs(got-want) > 2e-11 {
			t.Fatalf("ln(%g) = %g, want %g", x, got, want)
		}
	}
	if got := timeline.Ln(1); got != 0 {
		t.Errorf("ln(1) = %g", got)
	}
}
