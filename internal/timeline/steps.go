package timeline

import (
	"fmt"
	"strings"
	"time"
)

// Steps holds one rate after the other and starts over after the last.
//
//	         ┌───┐
//	     ┌───┘   │   ┌──
//	─────┘       └───┘
type Steps struct{ Steps []Step }

// Step is one rate for a while.
type Step struct {
	Rate float64
	For  time.Duration
}

var _ Shape = Steps{}

// String returns the formula.
func (s Steps) String() string {
	var b strings.Builder
	for _, step := range s.Steps {
		fmt.Fprintf(&b, "%g/s for %v, ", step.Rate, step.For)
	}
	return b.String() + "repeat"
}

func (s Steps) plan() (plan, error) {
	if len(s.Steps) == 0 {
		return plan{}, fmt.Errorf("steps: no step")
	}
	var period time.Duration
	for i, step := range s.Steps {
		if err := checkRates(step.Rate); err != nil {
			return plan{}, fmt.Errorf("steps[%d]: %w", i, err)
		}
		if step.For <= 0 || step.For > MaxPeriod-period {
			return plan{}, fmt.Errorf("steps[%d]: duration %q is not positive, or makes the period longer than %d days", i, step.For, MaxPeriod/day)
		}
		period += step.For
	}
	return named("steps", s.wave())
}

func (s Steps) wave() wave {
	pieces := make([]piece, 0, len(s.Steps))
	for _, step := range s.Steps {
		pieces = append(pieces, line(step.For, step.Rate, step.Rate))
	}
	w := wave{pieces: chain(pieces...)}
	w.period = w.pieces[len(w.pieces)-1].end()
	return w
}

func (s Steps) draw(l layout) []piece { return s.wave().draw(l) }
