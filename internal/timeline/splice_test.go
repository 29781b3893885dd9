package timeline_test

import (
	"math"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

func spliced(tb testing.TB, base *timeline.Timeline, stretches []timeline.Stretch) *timeline.Timeline {
	tb.Helper()
	tl, err := base.Splice(stretches)
	if err != nil {
		tb.Fatal(err)
	}
	return tl
}

// with returns the base with another rate.
func with(tb testing.TB, base *timeline.Timeline, rate float64) *timeline.Timeline {
	tb.Helper()
	tl, err := base.With(timeline.Steady{Rate: rate})
	if err != nil {
		tb.Fatal(err)
	}
	return tl
}

func TestAChangeAtAWholeSecondChangesTheSlotsOfTheSecond(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	base := newTimeline(t, timeline.Options{Name: "x", Shape: timeline.Steady{Rate: 300}})
	tl := spliced(t, base, []timeline.Stretch{{From: noon.Add(10 * time.Second), Until: noon.Add(20 * time.Second), Timeline: with(t, base, 600)}})
	c := tl.Cursor(noon)
	for second := range 30 {
		want := 300
		if second/10 == 1 {
			want = 600
		}
		from := noon.Add(time.Duration(second) * time.Second)
		if n := len(walk(c, from.Add(time.Second))); n != want {
			t.Errorf("a cursor finds %d slots in second %d, want %d", n, second, want)
		}
		if n := tl.Count(from, from.Add(time.Second)); n != uint64(want) {
			t.Errorf("%d slots in second %d, want %d", n, second, want)
		}
	}
}

func TestTheBaseGoesOnAsIfItHadRunBeneathAStretch(t *testing.T) {
	for _, a := range []timeline.Arrivals{timeline.Uniform, timeline.Poisson} {
		base := newTimeline(t, timeline.Options{Name: "x", Shape: business(100), Arrivals: a})
		from, until := start.Add(time.Second/3), start.Add(47*time.Second)
		tl := spliced(t, base, []timeline.Stretch{{From: from, Until: until, Timeline: with(t, base, 7)}})
		want, _ := base.Cursor(until).Next(until.Add(time.Hour))
		c := tl.Cursor(start)
		stretch := walk(c, until)
		if got, _ := c.Next(until.Add(time.Hour)); got != want {
			t.Errorf("%v: after the stretch comes %v, want %v", a, got, want)
		}
		if last := stretch[len(stretch)-1]; last.Segment == want.Segment {
			t.Errorf("%v: slot %d of segment %s in the stretch", a, last.Seq, last.Segment)
		}
	}
}

func TestNothingIsDueInAPause(t *testing.T) {
	for _, a := range []timeline.Arrivals{timeline.Uniform, timeline.Poisson} {
		base := newTimeline(t, timeline.Options{Name: "x", Shape: timeline.Steady{Rate: 50}, Arrivals: a})
		pause, err := base.Scaled(0)
		if err != nil {
			t.Fatal(err)
		}
		// Over two nights, so that silent segments lie in between.
		from, until := start.Add(time.Minute), start.Add(50*time.Hour)
		tl := spliced(t, base, []timeline.Stretch{{From: from, Until: until, Timeline: pause}})
		c := tl.Cursor(start)
		if n, want := len(walk(c, until)), base.Count(start, from); n != int(want) {
			t.Errorf("%v: %d slots until the end of the pause, want %d before its start", a, n, want)
		}
		if n := tl.Count(from, until); n != 0 {
			t.Errorf("%v: %d slots in the pause", a, n)
		}
		if rate := tl.Rate(from); rate != 0 {
			t.Errorf("%v: the rate in the pause is %v", a, rate)
		}
		slot, ok := c.Next(until.Add(time.Minute))
		if want := base.Segment(until); !ok || slot.Segment != want.ID || slot.Seq != want.Count(until) {
			t.Errorf("%v: after the pause comes slot %v, want %d of %s", a, slot, want.Count(until), want.ID)
		}
	}
}

func TestTheStretchDecidesAboutASlotThatIsDueAtItsBorder(t *testing.T) {
	base := newTimeline(t, timeline.Options{Name: "x", Shape: timeline.Steady{Rate: 1}})
	fast := with(t, base, 10)
	own, _ := base.Cursor(start).Next(start.Add(time.Minute))
	theirs, _ := fast.Cursor(start).Next(start.Add(time.Minute))
	hour := time.Hour
	for name, tc := range map[string]struct {
		from, until time.Time
		due         time.Time
		exists      bool
	}{
		"a slot of the base at the start":       {own.Due, own.Due.Add(1), own.Due, false},
		"a slot of the base before the start":   {own.Due.Add(1), own.Due.Add(hour), own.Due, true},
		"a slot of the base at the end":         {own.Due.Add(-hour), own.Due, own.Due, true},
		"a slot of the stretch at the start":    {theirs.Due, theirs.Due.Add(1), theirs.Due, true},
		"a slot of the stretch at the end":      {theirs.Due.Add(-hour), theirs.Due, theirs.Due, false},
		"a slot of the stretch beyond its time": {theirs.Due.Add(1), theirs.Due.Add(hour), theirs.Due, false},
	} {
		t.Run(name, func(t *testing.T) {
			tl := spliced(t, base, []timeline.Stretch{{From: tc.from, Until: tc.until, Timeline: fast}})
			slot, ok := tl.Cursor(tc.due).Next(tc.due.Add(1))
			if n := tl.Count(tc.due, tc.due.Add(1)); ok != tc.exists || n == 1 != tc.exists {
				t.Errorf("slot %v, %v; %d counted", slot, ok, n)
			}
		})
	}
}

func TestSplicesAreLaidOverEachOther(t *testing.T) {
	base := newTimeline(t, timeline.Options{Name: "x", Shape: timeline.Steady{Rate: 1}})
	hour := func(n float64) time.Time { return start.Add(time.Duration(n * float64(time.Hour))) }
	if spliced(t, base, nil) != base {
		t.Error("a timeline with no stretches is another one")
	}
	lower := spliced(t, base, []timeline.Stretch{
		{From: hour(0), Until: hour(1), Timeline: with(t, base, 2)},
		{From: hour(1), Until: hour(3), Timeline: with(t, base, 3)},
	})
	tenfold, err := lower.Scaled(10)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		tl    *timeline.Timeline
		rates [5]float64 // at half past each hour from one before the start on
	}{
		"none":                   {spliced(t, lower, nil), [5]float64{1, 2, 3, 3, 1}},
		"one within":             {spliced(t, lower, []timeline.Stretch{{From: hour(1), Until: hour(2), Timeline: with(t, base, 7)}}), [5]float64{1, 2, 7, 3, 1}},
		"one over a border":      {spliced(t, lower, []timeline.Stretch{{From: hour(0.25), Until: hour(2), Timeline: with(t, base, 7)}}), [5]float64{1, 7, 7, 3, 1}},
		"two":                    {spliced(t, lower, []timeline.Stretch{{From: hour(-1), Until: hour(0), Timeline: with(t, base, 7)}, {From: hour(2), Until: hour(9), Timeline: with(t, base, 8)}}), [5]float64{7, 2, 3, 8, 8}},
		"all of a spliced one":   {spliced(t, base, []timeline.Stretch{{From: hour(-9), Until: hour(9), Timeline: lower}}), [5]float64{1, 2, 3, 3, 1}},
		"a part of another":      {spliced(t, base, []timeline.Stretch{{From: hour(0.25), Until: hour(1.75), Timeline: lower}}), [5]float64{1, 2, 3, 1, 1}},
		"a factor over its time": {spliced(t, lower, []timeline.Stretch{{From: hour(0), Until: hour(2), Timeline: tenfold}}), [5]float64{1, 20, 30, 3, 1}},
		"built from it":          {with(t, lower, 5), [5]float64{5, 5, 5, 5, 5}},
	} {
		for i, want := range tc.rates {
			if got := tc.tl.Rate(hour(float64(i) - 0.5)); got != want {
				t.Errorf("%s: the rate %d hours after the start is %v, want %v", name, i-1, got, want)
			}
		}
	}
}

func TestSpliceReportsMistakesInAStretch(t *testing.T) {
	base := newTimeline(t, timeline.Options{Name: "x", Shape: timeline.Steady{Rate: 1}})
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	good := timeline.Stretch{From: noon, Until: noon.Add(time.Hour), Timeline: with(t, base, 2)}
	for want, stretches := range map[string][]timeline.Stretch{
		"stretches[0]: no timeline": {{From: noon, Until: noon.Add(1)}},
		"stretches[0]: ends at 2026-11-23 12:00:00 +0000 UTC, not after its start at 2026-11-23 12:00:00 +0000 UTC":        {{From: noon, Until: noon, Timeline: base}},
		"stretches[1]: starts at 2026-11-23 12:00:00 +0000 UTC, before the last one ends at 2026-11-23 13:00:00 +0000 UTC": {good, good},
	} {
		if _, err := base.Splice(stretches); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestTheLimitHoldsWhateverIsAskedFor(t *testing.T) {
	shape := timeline.Steps{Steps: []timeline.Step{{Rate: 100, For: time.Hour}, {Rate: 400, For: time.Hour}}}
	limited := newTimeline(t, timeline.Options{Name: "x", Shape: shape, MaxRate: 300})
	free := newTimeline(t, timeline.Options{Name: "x", Shape: shape})
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		base      *timeline.Timeline
		change    func(*timeline.Timeline) (*timeline.Timeline, error)
		low, high float64 // the rates of the two steps, or -1 for an error
	}{
		"twice":          {free, scaled(2), 200, 800},
		"twice, limited": {limited, scaled(2), 200, 300},
		"half":           {limited, scaled(0.5), 50, 200},
		"half of a thousandfold": {limited, func(tl *timeline.Timeline) (*timeline.Timeline, error) {
			return chain(tl, scaled(1000), scaled(0.0005))
		}, 50, 200},
		"nothing":                     {limited, scaled(0), 0, 0},
		"a rate":                      {free, steady(7), 7, 7},
		"a rate above the limit":      {limited, steady(301), 300, 300},
		"beyond the highest, limited": {limited, scaled(1e5), 300, 300},
		"a rate beyond it, limited":   {limited, steady(2e6), 300, 300},
		"beyond the highest":          {free, scaled(1e5), -1, -1},
		"a rate beyond the highest":   {free, steady(2e6), -1, -1},
		"less than nothing":           {limited, scaled(-1), -1, -1},
		"not a number":                {limited, scaled(math.NaN()), -1, -1},
		"a rate below 0":              {limited, steady(-1), -1, -1},
		"no shape":                    {limited, func(tl *timeline.Timeline) (*timeline.Timeline, error) { return tl.With(nil) }, -1, -1},
	} {
		t.Run(name, func(t *testing.T) {
			tl, err := tc.change(tc.base)
			if err != nil || tc.low < 0 {
				if (err != nil) != (tc.low < 0) {
					t.Errorf("error %v", err)
				}
				return
			}
			if low, high := tl.Rate(day), tl.Rate(day.Add(time.Hour)); low != tc.low || high != tc.high {
				t.Errorf("rates %v and %v, want %v and %v", low, high, tc.low, tc.high)
			}
		})
	}
}

func scaled(factor float64) func(*timeline.Timeline) (*timeline.Timeline, error) {
	return func(tl *timeline.Timeline) (*timeline.Timeline, error) { return tl.Scaled(factor) }
}

func steady(rate float64) func(*timeline.Timeline) (*timeline.Timeline, error) {
	return func(tl *timeline.Timeline) (*timeline.Timeline, error) { return tl.With(timeline.Steady{Rate: rate}) }
}

// chain makes one change after the other.
func chain(tl *timeline.Timeline, changes ...func(*timeline.Timeline) (*timeline.Timeline, error)) (*timeline.Timeline, error) {
	var err error
	for _, change := range changes {
		if tl, err = change(tl); err != nil {
			return nil, err
		}
	}
	return tl, nil
}

// A replica that has the shape from its file and one that has it from an operator send
// the same slots.
func TestATimelineIsTheSameHoweverItIsMade(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, limit := range []float64{0, 70} {
		o := timeline.Options{Name: "x", Shape: business(100), Arrivals: timeline.Poisson, Location: berlin, MaxRate: limit}
		base := newTimeline(t, o)
		once, err := base.Scaled(1)
		if err != nil {
			t.Fatal(err)
		}
		o.Shape = timeline.Steady{Rate: 5}
		for name, pair := range map[string][2]*timeline.Timeline{
			"the factor 1": {once, base},
			"a rate":       {with(t, base, 5), newTimeline(t, o)},
		} {
			if a, b := pair[0].Segment(start), pair[1].Segment(start); a.ID != b.ID || !a.Due(1000).Equal(b.Due(1000)) {
				t.Errorf("%s: segments %s and %s", name, a.ID, b.ID)
			}
		}
	}
}

func TestSlotsOfManyTimelinesAreCountedOnce(t *testing.T) {
	base := newTimeline(t, timeline.Options{Name: "x", Shape: timeline.Steady{Rate: 10}, Arrivals: timeline.Poisson})
	var stretches []timeline.Stretch
	for i := range 60 {
		at := start.Add(time.Duration(i) * time.Minute)
		stretches = append(stretches, timeline.Stretch{From: at, Until: at.Add(time.Minute), Timeline: with(t, base, float64(i%3)*20)})
	}
	tl := spliced(t, base, stretches)
	slots := walk(tl.Cursor(start), start.Add(time.Hour))
	ids := map[string]bool{}
	for _, slot := range slots {
		ids[identity(slot.Segment, slot.Seq)] = true
	}
	// 20 minutes each of 0/s, 20/s and 40/s.
	if want := 20 * 60 * 60; len(ids) != len(slots) || len(slots) < want-2000 || len(slots) > want+2000 {
		t.Errorf("%d slots of %d identities, want about %d", len(slots), len(ids), want)
	}
}
