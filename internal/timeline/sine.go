package timeline

import (
	"fmt"
	"time"
)

// Sine swings about a mean: Mean + Amplitude * cos(2 pi (t - PeakAt) / Period). It
// is drawn with 64 straight lines a period, whose integral over a period is that
// of the curve, Mean * Period.
//
//	     PeakAt
//	    .-~~~-.            .-~~
//	  .'       `.        .'
//	Mean         \      /
//	               `-..-'
//	───────Period───────
type Sine struct {
	Mean, Amplitude float64
	Period, PeakAt  time.Duration
}

var _ Shape = Sine{}

// sineKnots is the number of knots a period.
const sineKnots = 64

// String returns the formula.
func (s Sine) String() string {
	return fmt.Sprintf("%g/s + %g/s * cos(2 pi (t - %v) / %v)", s.Mean, s.Amplitude, s.PeakAt, s.Period)
}

// plan lets the amplitude be greater than the mean: Adjusted may clamp the rate to
// 0. Where it does not, the negative rate is found when the curve is drawn.
func (s Sine) plan() (plan, error) {
	if err := checkRates(s.Mean, s.Amplitude); err != nil {
		return plan{}, fmt.Errorf("sine: %w", err)
	}
	if s.PeakAt < 0 || s.PeakAt > MaxPeriod {
		return plan{}, fmt.Errorf("sine: peak at %q is not between 0s and %d days", s.PeakAt, MaxPeriod/day)
	}
	return named("sine", s.wave())
}

func (s Sine) wave() wave {
	knots := make([]knot, sineKnots)
	for k := range knots {
		at := s.Period/sineKnots*time.Duration(k) + s.Period%sineKnots*time.Duration(k)/sineKnots
		knots[k] = knot{at: at, rate: s.Mean + mul(s.Amplitude, cosine(k))}
	}
	w := loop(s.Period, knots)
	w.shift = s.PeakAt
	return w
}

func (s Sine) draw(l layout) []piece { return s.wave().draw(l) }

// cosine returns cos(2 pi k / 64). The numbers are written down because math.Cos
// may differ in the last bit from one kind of processor to the other.
func cosine(k int) float64 {
	quarter := [...]float64{
		1, 0.9951847266721969, 0.9807852804032304, 0.9569403357322088,
		0.9238795325112867, 0.881921264348355, 0.8314696123025452, 0.773010453362737,
		0.7071067811865476, 0.6343932841636455, 0.5555702330196022, 0.47139673682599764,
		0.3826834323650898, 0.29028467725446233, 0.19509032201612825, 0.0980171403295606,
		0,
	}
	k = min(k, sineKnots-k)
	if k > sineKnots/4 {
		return -quarter[sineKnots/2-k]
	}
	return quarter[k]
}
