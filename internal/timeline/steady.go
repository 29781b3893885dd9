package timeline

import "fmt"

// Steady is one rate all the time.
//
//	Rate ────────────────
type Steady struct{ Rate float64 }

var _ Shape = Steady{}

// String returns the formula.
func (s Steady) String() string { return fmt.Sprintf("%g/s", s.Rate) }

func (s Steady) plan() (plan, error) {
	if err := checkRates(s.Rate); err != nil {
		return plan{}, fmt.Errorf("steady: %w", err)
	}
	// Without knots of its own it fits any period.
	return plan{days: 1}, nil
}

func (s Steady) draw(l layout) []piece { return chain(line(l.length, s.Rate, s.Rate)) }
