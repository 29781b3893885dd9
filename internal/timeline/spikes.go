package timeline

import (
	"fmt"
	"time"
)

// Spikes leaves a base rate for a peak now and then. The spike starts with the
// period, rises, lasts and falls.
//
//	Peak    ╱───╲         ╱───╲
//	       ╱     ╲       ╱     ╲
//	Base  ╱       ╲─────╱       ╲──
//	     Rise Lasting Rise
//	     ─────Every─────
type Spikes struct {
	Base, Peak float64
	// Every is the period.
	Every time.Duration
	// Lasting is how long the rate stays at Peak.
	Lasting time.Duration
	// Rise is how long each edge takes; 0 makes it sharp.
	Rise time.Duration
}

var _ Shape = Spikes{}

// String returns the formula.
func (s Spikes) String() string {
	return fmt.Sprintf("%g/s, every %v up to %g/s for %v within %v", s.Base, s.Every, s.Peak, s.Lasting, s.Rise)
}

func (s Spikes) plan() (plan, error) {
	if err := checkRates(s.Base, s.Peak); err != nil {
		return plan{}, fmt.Errorf("spikes: %w", err)
	}
	if s.Lasting < 0 || s.Rise < 0 || s.Lasting == 0 && s.Rise == 0 {
		return plan{}, fmt.Errorf("spikes: a spike of %q with edges of %q has no duration", s.Lasting, s.Rise)
	}
	if s.Lasting > s.Every || s.Rise > (s.Every-s.Lasting)/2 {
		return plan{}, fmt.Errorf("spikes: a spike of %q with edges of %q does not fit into the period %q", s.Lasting, s.Rise, s.Every)
	}
	return named("spikes", s.wave())
}

func (s Spikes) wave() wave {
	return wave{period: s.Every, pieces: chain(
		line(s.Rise, s.Base, s.Peak),
		line(s.Lasting, s.Peak, s.Peak),
		line(s.Rise, s.Peak, s.Base),
		line(s.Every-s.Lasting-2*s.Rise, s.Base, s.Base),
	)}
}

func (s Spikes) draw(l layout) []piece { return s.wave().draw(l) }
