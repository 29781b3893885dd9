package config

import (
	"time"
)

// maxSumDepth bounds how deep sums may be within sums.
const maxSumDepth = 8

// rate checks a shape and its adjustments. The timeline checks what needs the whole
// curve, such as the peak of a sum. loc is where recordings are read; nil if that is not known.
func (v validator) rate(path string, s *RateShape, depth int, loc *time.Location) {
	if !v.given(path) || v.bad[path] {
		return
	}
	if kinds := s.kinds(); len(kinds) > 1 {
		v.fail(path, "found %s, expected only one shape: write {sum: [...]} to add them", list(kinds, "and"))
		return
	} else if len(kinds) == 0 {
		if v.ok(path) {
			v.fail(path, "found no shape, expected one of steady, ramp, steps, sine, spikes, daily, weekly, sum, replay or follow")
		}
		return
	}
	if low, high := join(path, "min"), join(path, "max"); s.Max != nil && v.ok(low, high) && s.Min > *s.Max {
		v.fail(low, "found %s, expected at most max, which is %v", v.found(low), *s.Max)
	}
	v.shape(path, s, depth, loc)
}

func (v validator) shape(path string, s *RateShape, depth int, loc *time.Location) {
	switch {
	case s.Ramp != nil:
		v.ramp(join(path, "ramp"), s.Ramp)
	case s.Steps != nil:
		v.steps(join(path, "steps"), s.Steps)
	case s.Sine != nil:
		v.sine(join(path, "sine"), *s.Sine)
	case s.Spikes != nil:
		v.spikes(join(path, "spikes"), *s.Spikes)
	case s.Daily != nil:
		v.order(join(path, "daily"), len(s.Daily), func(i int) time.Duration { return time.Duration(s.Daily[i].At) })
	case s.Weekly != nil:
		v.order(join(path, "weekly"), len(s.Weekly), func(i int) time.Duration { return s.Weekly[i].At.offset() })
	case s.Sum != nil:
		v.sum(join(path, "sum"), s.Sum, depth, loc)
	case s.Replay != nil:
		v.replay(join(path, "replay"), s.Replay, loc)
	case s.Follow != nil:
		v.follow(path, s, depth, loc)
	}
}

// period reports whether a period is one that fits the calendar.
func (v validator) period(path string, p Duration) bool {
	d := time.Duration(p)
	switch {
	case !v.ok(path):
	case d > timeline366:
		v.fail(path, "found %s, expected at most 366d", v.found(path))
	case d > durationDay && d%durationDay != 0:
		v.fail(path, "found %s, expected up to a day or a whole number of days", v.found(path))
	default:
		return true
	}
	return false
}

// timeline366 is the longest period.
const timeline366 = 366 * durationDay

// ramp checks a ramp and completes its period.
func (v validator) ramp(path string, r *Ramp) {
	over, every := join(path, "over"), join(path, "every")
	if !v.given(every) {
		r.Every = r.Over
		v.period(over, r.Over)
		return
	}
	if v.period(every, r.Every) && v.ok(over) && r.Over > r.Every {
		v.fail(over, "found %s, expected at most every, which is %v", v.found(over), r.Every)
	}
}

func (v validator) steps(path string, steps []Step) {
	var sum Duration
	for _, s := range steps {
		if sum += min(s.For, Duration(timeline366)+1); sum > Duration(timeline366) {
			break
		}
	}
	if !v.ok(path) {
		return
	}
	switch d := time.Duration(sum); {
	case d > timeline366:
		v.fail(path, "found steps of more than 366d in all, expected less")
	case d > durationDay && d%durationDay != 0:
		v.fail(path, "found steps of %v in all, expected up to a day or a whole number of days", sum)
	}
}

func (v validator) sine(path string, s Sine) {
	amplitude, peak := join(path, "amplitude"), join(path, "peak_at")
	if v.ok(amplitude, join(path, "mean")) && s.Amplitude > s.Mean {
		v.fail(amplitude, "found %s, expected at most mean, which is %v: no rate is below 0", v.found(amplitude), s.Mean)
	}
	if v.period(join(path, "period"), s.Period) && s.PeakAt >= s.Period {
		v.fail(peak, "found %s, expected less than period, which is %v", v.found(peak), s.Period)
	}
}

func (v validator) spikes(path string, s Spikes) {
	lasting, rise := join(path, "lasting"), join(path, "rise")
	if !v.period(join(path, "every"), s.Every) || !v.ok(lasting, rise) {
		return
	}
	switch {
	case s.Lasting > s.Every:
		v.fail(lasting, "found %s, expected at most every, which is %v", v.found(lasting), s.Every)
	case s.Rise > (s.Every-s.Lasting)/2:
		v.fail(rise, "found %s, expected at most %v: lasting and twice rise have to fit into every, which is %v",
			v.found(rise), (s.Every-s.Lasting)/2, s.Every)
	}
}

// order reports points of time that are not in ascending order.
func (v validator) order(path string, n int, at func(int) time.Duration) {
	for i := 1; i < n; i++ {
		here, before := join(element(path, i), "at"), join(element(path, i-1), "at")
		if v.ok(here, before) && at(i) <= at(i-1) {
			v.fail(here, "found %s, expected later than the point before, which is at %s", v.found(here), v.found(before))
		}
	}
}

func (v validator) sum(path string, shapes []RateShape, depth int, loc *time.Location) {
	if depth >= maxSumDepth {
		v.fail(path, "found sums within sums, %d deep, expected less", depth)
		return
	}
	for i := range shapes {
		v.rate(element(path, i), &shapes[i], depth+1, loc)
	}
}
