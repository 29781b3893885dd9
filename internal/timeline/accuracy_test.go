package timeline_test

import (
	"fmt"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// Slot m since the beginning of the count, Monday 1969-12-29, is due at (m + theta)
// / rate, in whatever segment it is. The oracle computes that in fractions.
func TestDueTimesAreAccurateForDecades(t *testing.T) {
	for _, rate := range []float64{1e6, 999_999.9, 123_456.789, 1e4, 333.3333, 1, 0.1, 1.5 / 86400, 1.0 / 86400} {
		tl := newTimeline(t, timeline.Options{Name: "oracle", Shape: timeline.Steady{Rate: rate}})
		r := newRandom(42)
		for range 50 {
			at := start.AddDate(r.IntN(40), 0, r.IntN(365)).Add(r.between(0, 24*time.Hour, 1))
			slot, ok := tl.Cursor(at).Next(at.AddDate(1, 0, 0))
			if !ok {
				t.Fatalf("no slot after %v", at)
			}
			if off := oracle(tl, rate, slot.Due); math.Abs(off) > 2e-9 {
				t.Errorf("at %g/s the slot due at %v is off by %g s", rate, slot.Due, off)
			}
		}
	}
}

// oracle returns how far the due time is from the nearest exact one, in seconds.
func oracle(tl *timeline.Timeline, rate float64, due time.Time) float64 {
	origin := time.Date(1969, 12, 29, 0, 0, 0, 0, time.UTC)
	seconds := new(big.Rat).Add(
		big.NewRat(due.Unix()-origin.Unix(), 1),
		big.NewRat(int64(due.Nanosecond()), 1e9),
	)
	exact := new(big.Rat).SetFloat64(rate)
	theta := new(big.Rat).SetFrac(new(big.Int).SetUint64(tl.Theta()), new(big.Int).Lsh(big.NewInt(1), 64))
	m := new(big.Rat).Sub(new(big.Rat).Mul(seconds, exact), theta)
	// Round m to the nearest whole number.
	m.Add(m, big.NewRat(1, 2))
	whole := new(big.Int).Div(m.Num(), m.Denom())
	due1 := new(big.Rat).Quo(new(big.Rat).Add(new(big.Rat).SetInt(whole), theta), exact)
	off, _ := new(big.Rat).Sub(seconds, due1).Float64()
	return off
}

func TestLowRatesAreRightInTheLongRun(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, a := range []timeline.Arrivals{timeline.Uniform, timeline.Poisson} {
		for perDay, want := range map[float64]uint64{1.5: 1500, 1: 1000, 0.001: 1, 0.3: 300, 1e5 / 3: 33_333_333} {
			for _, name := range []string{"a", "b", "c"} {
				tl := newTimeline(t, timeline.Options{Name: name, Shape: timeline.Steady{Rate: perDay / 86400}, Arrivals: a})
				got := tl.Count(from, from.AddDate(0, 0, 1000))
				if got+1 < want || got > want+1 {
					t.Errorf("%v: %d slots in 1000 days at %g a day, want %d", a, got, perDay, want)
				}
			}
		}
	}
}

func TestUniformArrivalsAreEvenAcrossMidnight(t *testing.T) {
	for _, rate := range []float64{1.0 / 7, 0.3, 2.7, 1234.5} {
		c := newTimeline(t, timeline.Options{Name: "even", Shape: timeline.Steady{Rate: rate}}).Cursor(time.Date(2026, 11, 23, 23, 50, 0, 0, time.UTC))
		far := start.AddDate(1, 0, 0)
		last, _ := c.Next(far)
		for range 5000 {
			slot, _ := c.Next(far)
			if gap := slot.Due.Sub(last.Due).Seconds(); math.Abs(gap-1/rate) > 2e-9 {
				t.Fatalf("at %g/s slot %d of %s comes %v after the last", rate, slot.Seq, slot.Segment, slot.Due.Sub(last.Due))
			}
			last = slot
		}
	}
}

// Sums up the rate in small steps, which knows nothing of knots and parabolas.
func TestCountIsTheSumOfTheRate(t *testing.T) {
	for seed := range uint64(100) {
		r := newRandom(seed)
		shape := r.shape(1e4)
		tl, err := timeline.New(timeline.Options{Name: "sum", Shape: shape, Location: zone(t, zones()[seed%uint64(len(zones()))])})
		if err != nil {
			continue
		}
		const steps = 1000
		from, step := r.instant(), r.between(time.Millisecond, 10*time.Second, 1)
		var sum, jumps float64
		for i := range steps {
			at := from.Add(time.Duration(i) * step)
			left, mid, right := tl.Rate(at), tl.Rate(at.Add(step/2)), tl.Rate(at.Add(step))
			sum += mid * step.Seconds()
			jumps += (math.Abs(mid-left) + math.Abs(right-mid)) * step.Seconds() / 2
		}
		got := float64(tl.Count(from, from.Add(steps*step)))
		if math.Abs(got-sum) > 2+jumps {
			t.Errorf("%v: %g slots in %v from %v, the sum of the rate is %g", shape, got, steps*step, from, sum)
		}
	}
}

func TestCountOfAYear(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"UTC", "Europe/Berlin"} {
		tl := newTimeline(t, timeline.Options{Shape: timeline.Steady{Rate: 1e6}, Arrivals: timeline.Poisson, Location: zone(t, name)})
		const want = 365 * 86400 * 1_000_000
		// The year starts and ends within a day, in Berlin also within a block.
		if got := tl.Count(from, from.AddDate(1, 0, 0)); got+300 < want || got > want+300 {
			t.Errorf("%s: %d slots in a year, want about %d", name, got, int64(want))
		}
	}
}

func TestHashesChooseFairlyAndIndependentlyOfOwnership(t *testing.T) {
	c := newTimeline(t, timeline.Options{Name: "mix", Shape: timeline.Steady{Rate: 1000}}).Cursor(start)
	far := start.AddDate(1, 0, 0)
	// Rows are tenths of the golden-ratio circle, by which slots are owned; columns
	// are tenths of the hash, by which the mix is chosen.
	const n = 200_000
	var table [10][10]float64
	for range n {
		slot, _ := c.Next(far)
		table[tenth(slot.Seq*0x9E3779B97F4A7C15)][tenth(slot.Hash)]++
	}
	var chi2 float64
	for _, row := range table {
		for _, count := range row {
			chi2 += (count - n/100) * (count - n/100) / (n / 100)
		}
	}
	// 99 degrees of freedom: beyond 149 by chance once in a thousand.
	if chi2 > 149 {
		t.Errorf("chi-square %g: %v", chi2, table)
	}
}

func tenth(x uint64) uint64 { return x / (math.MaxUint64/10 + 1) }

func TestScenariosOfOneRateDoNotFireTogether(t *testing.T) {
	const n = 100
	var bins [10]int
	for i := range n {
		tl := newTimeline(t, timeline.Options{Name: fmt.Sprintf("scenario-%d", i), Shape: timeline.Steady{Rate: 1}})
		slot, _ := tl.Cursor(start.Truncate(time.Second)).Next(start.Add(2 * time.Second))
		bins[slot.Due.Nanosecond()/1e8]++
	}
	for _, count := range bins {
		if count == 0 || count > 25 {
			t.Fatalf("scenarios by tenths of a second: %v", bins)
		}
	}
}
