package timeline

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Sum adds up shapes. Of periods longer than a day the longest must be a multiple
// of the others.
//
//	────────  +  ╱╲╱╲╱╲  =  ╱╲╱╲╱╲
//	                        (higher)
type Sum struct{ Shapes []Shape }

// Adjusted is a shape that is scaled and then kept between Min and Max.
//
//	Max   .──────.
//	     /        \
//	    /          \
//	Min ─           ──
type Adjusted struct {
	Shape Shape
	Scale float64
	// Min and Max are the limits; Max is +Inf for none.
	Min, Max float64
}

var (
	_ Shape = Sum{}
	_ Shape = Adjusted{}
)

// String returns the formula.
func (s Sum) String() string {
	parts := make([]string, len(s.Shapes))
	for i, shape := range s.Shapes {
		parts[i] = fmt.Sprintf("(%v)", shape)
	}
	return strings.Join(parts, " + ")
}

// String returns the formula.
func (a Adjusted) String() string {
	text := fmt.Sprintf("(%v)", a.Shape)
	if a.Scale != 1 {
		text = fmt.Sprintf("%g * %s", a.Scale, text)
	}
	if !math.IsInf(a.Max, 1) {
		text = fmt.Sprintf("min(%g/s, %s)", a.Max, text)
	}
	if a.Min != 0 {
		text = fmt.Sprintf("max(%g/s, %s)", a.Min, text)
	}
	return text
}

func (s Sum) plan() (plan, error) {
	if len(s.Shapes) == 0 {
		return plan{}, errors.New("sum: no shape")
	}
	total := plan{days: 1}
	for i, shape := range s.Shapes {
		if shape == nil {
			return plan{}, fmt.Errorf("sum[%d]: no shape", i)
		}
		p, err := shape.plan()
		if err == nil {
			total, err = total.with(p)
		}
		if err != nil {
			return plan{}, fmt.Errorf("sum[%d]: %w", i, err)
		}
	}
	return total, nil
}

func (a Adjusted) plan() (plan, error) {
	switch {
	case a.Shape == nil:
		return plan{}, errors.New("adjusted: no shape")
	case !(a.Scale >= 0 && a.Scale <= maxParameter):
		return plan{}, fmt.Errorf("scale \"%g\" is not a factor of 0 or more", a.Scale)
	case !(a.Min >= 0 && a.Min <= maxParameter):
		return plan{}, fmt.Errorf("min \"%g/s\" is not a rate of 0 or more", a.Min)
	case !(a.Max >= a.Min):
		return plan{}, fmt.Errorf("max \"%g/s\" is less than min \"%g/s\"", a.Max, a.Min)
	}
	return a.Shape.plan()
}

func (s Sum) draw(l layout) []piece {
	total := s.Shapes[0].draw(l)
	for _, shape := range s.Shapes[1:] {
		total = merge(total, shape.draw(l))
	}
	return total
}

func (a Adjusted) draw(l layout) []piece {
	pieces := a.Shape.draw(l)
	for i := range pieces {
		pieces[i].from = mul(pieces[i].from, a.Scale)
		pieces[i].to = mul(pieces[i].to, a.Scale)
	}
	return clamp(pieces, a.Min, a.Max)
}
