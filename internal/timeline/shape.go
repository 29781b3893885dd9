package timeline

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"time"
)

const (
	// MaxRate is the highest rate that a timeline has, in slots per second.
	MaxRate = 1e6
	// MinPeriod is the shortest period of a shape.
	MinPeriod = time.Millisecond
	// MaxPeriod is the longest period of a shape.
	MaxPeriod = 366 * day
	// MaxKnots is the highest number of knots that a curve has.
	MaxKnots = 100_000

	// maxEstimate is up to how many knots a curve is drawn to see how many they are.
	maxEstimate = 4 * MaxKnots

	day  = 24 * time.Hour
	week = 7 * day
	// maxParameter bounds the rates and factors in shapes, which may be scaled or
	// clamped to less than MaxRate, so that computing with them does not overflow.
	maxParameter = 1e12
)

// Shape is a rate over time, in slots per second. Shapes are small values; New reports an
// invalid one.
//
// A shape with a period starts over at each local midnight, or, when the period is
// longer than a day, at the local midnight at which a group of as many days starts
// (groups are counted so that a week starts on Monday). A period that is running
// then is cut short: each day is like every other, whatever the period.
type Shape interface {
	// String returns the shape's formula, for people.
	String() string
	// plan checks the shape and returns the facts needed to draw it.
	plan() (plan, error)
	// draw returns the shape as pieces that cover the layout without a gap.
	draw(l layout) []piece
}

// plan holds the facts about a shape that must be known before it is drawn.
type plan struct {
	// days is the number of whole days in a segment: the longest period, at least 1.
	days int
	// clock says that the shape follows local time, not elapsed time.
	clock bool
	waves []density
	// recorded is the number of points of recordings, which lie between from and until.
	recorded    int
	from, until time.Time
}

// density is the number of knots that a wave has in each period.
type density struct {
	period time.Duration
	knots  int
}

// with returns the plan for two shapes at once.
func (p plan) with(q plan) (plan, error) {
	if p.days%q.days != 0 && q.days%p.days != 0 {
		return plan{}, fmt.Errorf("periods of %d and %d days do not fit: the longer must be a multiple of the shorter", p.days, q.days)
	}
	both := plan{
		days:     max(p.days, q.days),
		clock:    p.clock || q.clock,
		waves:    slices.Concat(p.waves, q.waves),
		recorded: p.recorded + q.recorded,
		from:     p.from, until: p.until,
	}
	if p.recorded == 0 || q.recorded > 0 && q.from.Before(p.from) {
		both.from = q.from
	}
	if q.until.After(p.until) {
		both.until = q.until
	}
	return both, nil
}

// cycle returns the common period of all waves, or 0 if they have none of up to a
// day, so that every segment has to be drawn as a whole.
func (p plan) cycle() time.Duration {
	if p.clock || p.days > 1 || p.recorded > 0 {
		return 0
	}
	if len(p.waves) == 0 {
		return day
	}
	cycle := int64(1)
	for _, w := range p.waves {
		factor := int64(w.period) / gcd(cycle, int64(w.period))
		if cycle > int64(day)/factor {
			return 0
		}
		cycle *= factor
	}
	return time.Duration(cycle)
}

// knots returns about how many knots a curve of that length has.
func (p plan) knots(length time.Duration) int {
	n := 0
	for _, w := range p.waves {
		n += w.knots * int((length+w.period-1)/w.period)
	}
	return n
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// wave is the periodic curve that the simple shapes are made of.
type wave struct {
	period time.Duration
	// shift is the time at which a period of the pieces starts.
	shift time.Duration
	// clock says that the wave runs by local time.
	clock  bool
	pieces []piece
}

// loop returns the wave of linear pieces through the knots, which are sorted, and
// round the end of the period back to the first one.
func loop(period time.Duration, knots []knot) wave {
	pieces := make([]piece, 0, len(knots))
	for i, k := range knots {
		next := knots[0]
		next.at += period
		if i+1 < len(knots) {
			next = knots[i+1]
		}
		pieces = append(pieces, line(next.at-k.at, k.rate, next.rate))
	}
	return wave{period: period, shift: knots[0].at, pieces: chain(pieces...)}
}

type knot struct {
	at   time.Duration
	rate float64
}

// days returns the number of days after which the wave starts over.
func (w wave) days() int { return int(max(1, w.period/day)) }

func (w wave) plan() (plan, error) {
	switch {
	case w.period < MinPeriod || w.period > MaxPeriod:
		return plan{}, fmt.Errorf("period %q is not between %v and %d days", w.period, MinPeriod, MaxPeriod/day)
	case w.period > day && w.period%day != 0:
		return plan{}, fmt.Errorf("period %q is longer than a day but not a number of whole days", w.period)
	}
	return plan{days: w.days(), clock: w.clock, waves: []density{{w.period, len(w.pieces)}}}, nil
}

func (w wave) draw(l layout) []piece {
	var out []piece
	if w.clock {
		for _, s := range l.stretches {
			out = w.trace(out, s.at, s.length, s.local)
		}
		return out
	}
	last := len(l.days) - 1
	for i := 0; i < last; i += w.days() {
		start, end := l.days[i], l.days[min(i+w.days(), last)]
		out = w.trace(out, start, end-start, 0)
	}
	return out
}

// trace appends what the wave does for length from its time on, placed at a time.
func (w wave) trace(out []piece, at, length, from time.Duration) []piece {
	from = mod(from-w.shift, w.period)
	i := sort.Search(len(w.pieces), func(i int) bool { return w.pieces[i].end() > from })
	for length > 0 {
		p := w.pieces[i]
		take := min(p.end()-from, length)
		out = append(out, p.part(from-p.at, take, at))
		at, length, from = at+take, length-take, from+take
		if i++; i == len(w.pieces) {
			i, from = 0, 0
		}
	}
	return out
}

// mod returns a modulo b, from 0 to b.
func mod(a, b time.Duration) time.Duration {
	if a %= b; a < 0 {
		a += b
	}
	return a
}

// checkRates returns an error if one of them is not a rate.
func checkRates(rates ...float64) error {
	for _, r := range rates {
		if !(r >= 0 && r <= maxParameter) {
			return fmt.Errorf("%q is not a rate of 0 or more", perSecond(r))
		}
	}
	return nil
}

// named returns the wave's plan, its error with the name of the shape.
func named(name string, w wave) (plan, error) {
	p, err := w.plan()
	if err != nil {
		return plan{}, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// perSecond writes a rate as the configuration does, without an exponent.
func perSecond(rate float64) string { return strconv.FormatFloat(rate, 'f', -1, 64) + "/s" }
