package timeline

import (
	"errors"
	"fmt"
	"sort"
	"time"
)

// maxRecording bounds how long a recording may be, and with it how many days are looked at.
const maxRecording = 10 * 366 * day

// Recorded is a rate as it was recorded: linear between its points. Before the first and after
// the last one it is Otherwise, or the recording repeats, without a pause: from the last
// point the rate jumps to that of the first.
//
//	      .──.
//	   .─'    `.    .─
//	──'         `──'
//	Start
type Recorded struct {
	// Start is the instant of the first point.
	Start time.Time
	// Points are at least two, in ascending order of time, the first After 0.
	Points []RecordedPoint
	Repeat bool
	// Otherwise is the rate before and after the recording, in slots per second.
	Otherwise float64
}

// RecordedPoint is the rate a time after the first point.
type RecordedPoint struct {
	After time.Duration
	Rate  float64
}

var _ Shape = (*Recorded)(nil)

// String returns what it is: its points are too many.
func (r *Recorded) String() string {
	text := fmt.Sprintf("recording of %v, %d points, from %s", r.length(), len(r.Points), r.Start.UTC().Format(time.RFC3339))
	if r.Repeat {
		return text + ", repeat"
	}
	return fmt.Sprintf("%s, otherwise %g/s", text, r.Otherwise)
}

// length returns the time from the first point to the last.
func (r *Recorded) length() time.Duration { return r.Points[len(r.Points)-1].After }

func (r *Recorded) plan() (plan, error) {
	if len(r.Points) < 2 || r.Points[0].After != 0 {
		return plan{}, errors.New("recording: found fewer than two points, or a first one that is not at the start")
	}
	for i, p := range r.Points {
		if err := checkRates(p.Rate); err != nil {
			return plan{}, fmt.Errorf("recording: point %d: %w", i, err)
		}
		if i > 0 && p.After <= r.Points[i-1].After {
			return plan{}, fmt.Errorf("recording: point %d is not after the one before it", i)
		}
	}
	switch {
	case r.length() < MinPeriod || r.length() > maxRecording:
		return plan{}, fmt.Errorf("recording: its length %q is not between %v and %d days", r.length(), MinPeriod, maxRecording/day)
	case checkRates(r.Otherwise) != nil:
		return plan{}, fmt.Errorf("recording: otherwise: %w", checkRates(r.Otherwise))
	}
	p := plan{days: 1, recorded: len(r.Points), from: r.Start, until: r.Start.Add(r.length())}
	if r.Repeat {
		p.waves = []density{{r.length(), len(r.Points)}}
	}
	return p, nil
}

func (r *Recorded) draw(l layout) []piece {
	var out []piece
	for at := time.Duration(0); at < l.length; {
		p, offset := r.piece(l.start.Add(at).Sub(r.Start))
		take := l.length - at
		if p.length > 0 {
			take = min(take, p.length-offset)
		} else {
			p.length = take
		}
		out = append(out, p.part(offset, take, at))
		at += take
	}
	return out
}

// piece returns the piece at a time after the start, and the offset in it. One without length has
// no end.
func (r *Recorded) piece(t time.Duration) (p piece, offset time.Duration) {
	if r.Repeat {
		t = mod(t, r.length())
	}
	switch i := sort.Search(len(r.Points), func(i int) bool { return r.Points[i].After > t }); i {
	case 0:
		return line(-t, r.Otherwise, r.Otherwise), 0
	case len(r.Points):
		return line(0, r.Otherwise, r.Otherwise), 0
	default:
		a, b := r.Points[i-1], r.Points[i]
		return line(b.After-a.After, a.Rate, b.Rate), t - a.After
	}
}

// record completes and returns a timeline with recordings: its segments have curves of their own,
// of which those of the recorded days are checked.
func (t *Timeline) record(p plan) (*Timeline, error) {
	t.recorded = true
	for g, start, end := t.calendar.group(p.from); start.Before(p.until); {
		if err := newCurve(t.shape.draw(t.calendar.layout(g, start, end))).check(); err != nil {
			return nil, err
		}
		g++
		start, end = end, t.calendar.start(g+1)
	}
	// A recording that repeats may meet other rates of a sum on other days.
	highest := float64(MaxRate)
	if t.options.MaxRate > 0 {
		highest = min(highest, t.options.MaxRate)
	}
	t.shape = Adjusted{Shape: t.shape, Scale: 1, Max: highest}
	return t, nil
}
