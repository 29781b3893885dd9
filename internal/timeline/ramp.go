package timeline

import (
	"fmt"
	"time"
)

// Ramp goes from one rate to another, stays there and starts over.
//
//	To        ╱──────╱──────
//	        ╱ |    ╱
//	From  ╱   |  ╱
//	      Over
//	      ───Every──
type Ramp struct {
	From, To float64
	// Over is how long the way from From to To takes.
	Over time.Duration
	// Every is the period; 0 stands for Over, which makes a saw tooth.
	Every time.Duration
}

var _ Shape = Ramp{}

// String returns the formula.
func (r Ramp) String() string {
	return fmt.Sprintf("%g/s + %g/s * min(1, t / %v), t mod %v", r.From, r.To-r.From, r.Over, r.period())
}

func (r Ramp) period() time.Duration {
	if r.Every == 0 {
		return r.Over
	}
	return r.Every
}

func (r Ramp) plan() (plan, error) {
	if err := checkRates(r.From, r.To); err != nil {
		return plan{}, fmt.Errorf("ramp: %w", err)
	}
	if r.Over <= 0 || r.Over > r.period() {
		return plan{}, fmt.Errorf("ramp: over %q is not between 0s and the period %q", r.Over, r.period())
	}
	return named("ramp", r.wave())
}

func (r Ramp) wave() wave {
	return wave{period: r.period(), pieces: chain(
		line(r.Over, r.From, r.To),
		line(r.period()-r.Over, r.To, r.To),
	)}
}

func (r Ramp) draw(l layout) []piece { return r.wave().draw(l) }
