package timeline_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// chainOf returns rates that hold one after the other, each for a time, from noon on.
func chainOf(noon time.Time, lasts func() time.Duration, rates ...float64) []timeline.Held {
	var all []timeline.Held
	h := timeline.Held{From: noon, Began: noon}
	for _, rate := range rates {
		h.Rate = rate
		next := h.From.Add(lasts())
		h.Until = next.Add(10 * time.Minute)
		all = append(all, h)
		h.Before, h.From = h.At(next), next
	}
	return all
}

// held splices a chain into a timeline.
func held(tb testing.TB, base *timeline.Timeline, all []timeline.Held) *timeline.Timeline {
	tb.Helper()
	var stretches []timeline.Stretch
	for i, h := range all {
		tl, err := base.Held(h)
		if err != nil {
			tb.Fatal(err)
		}
		until := h.Until
		if i+1 < len(all) {
			until = all[i+1].From
		}
		stretches = append(stretches, timeline.Stretch{From: h.From, Until: until, Timeline: tl})
	}
	return spliced(tb, base, stretches)
}

func TestHeldRatesCountOnFromEachOther(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, arrivals := range []timeline.Arrivals{timeline.Uniform, timeline.Poisson} {
		base := newTimeline(t, timeline.Options{Name: "x", Shape: timeline.Steady{Rate: 1}, Arrivals: arrivals})
		rates := make([]float64, 50)
		for i := range rates {
			rates[i] = []float64{0, 0.013, 0.7, 33.3, 120}[rng.IntN(5)]
		}
		all := chainOf(noon, func() time.Duration { return time.Duration(1+rng.IntN(60)) * time.Second }, rates...)
		tl := held(t, base, all)
		last := all[len(all)-1]
		until := last.From.Add(time.Minute)
		slots := walk(tl.Cursor(noon), until)
		for i, slot := range slots {
			if i > 0 && slot.Seq != slots[i-1].Seq+1 {
				t.Fatalf("%v: slot %d comes after slot %d", arrivals, slot.Seq, slots[i-1].Seq)
			}
			if i > 0 && !slot.Due.After(slots[i-1].Due) {
				t.Fatalf("%v: slot %d is due at %v, the one before it at %v", arrivals, slot.Seq, slot.Due, slots[i-1].Due)
			}
			if seg := tl.Segment(slot.Due); seg.ID != slot.Segment || seg.Slot(slot.Seq) != slot {
				t.Fatalf("%v: slot %v is %v by its segment", arrivals, slot, seg.Slot(slot.Seq))
			}
		}
		want := float64(last.At(until).Slots)
		if arrivals == timeline.Uniform && math.Abs(float64(len(slots))-want) > 1 {
			t.Errorf("%d slots, want %g", len(slots), want)
		}
		if arrivals == timeline.Poisson && math.Abs(float64(len(slots))-want) > 32 {
			t.Errorf("%d slots at random, want about %g", len(slots), want) // They come in blocks of 1024.
		}
		if slots[0].Seq != 0 || tl.Count(noon, until) != uint64(len(slots)) {
			t.Errorf("%v: %d slots are counted of %d, from %d on", arrivals, tl.Count(noon, until), len(slots), slots[0].Seq)
		}
	}
}

func TestAHeldRateChangesTheSlotsOfTheSecond(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	base := newTimeline(t, timeline.Options{Name: "x", Shape: timeline.Steady{Rate: 5}})
	ten := func() time.Duration { return 10 * time.Second }
	tl := held(t, base, chainOf(noon, ten, 300, 600, 0, 40))
	for second := range 700 {
		want := uint64(40)
		switch {
		case second < 30:
			want = []uint64{300, 600, 0}[second/10]
		case second >= 40+600: // The last one has expired.
			want = 5
		}
		from := noon.Add(time.Duration(second) * time.Second)
		if n := tl.Count(from, from.Add(time.Second)); n != want {
			t.Fatalf("%d slots in second %d, want %d", n, second, want)
		}
	}
	if n := tl.Integral(noon, noon.Add(40*time.Second)); n != 300*10+600*10+40*10 {
		t.Errorf("the integral is %v", n)
	}
	if rate, at := tl.Peak(noon, noon.Add(time.Hour)); rate != 600 || !at.Equal(noon.Add(10*time.Second)) {
		t.Errorf("peak %v at %v", rate, at)
	}
}

func TestAHeldRateIsScaledAndLimited(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	base := newTimeline(t, timeline.Options{Name: "x", Shape: timeline.Steady{Rate: 5}, MaxRate: 100})
	tl := held(t, base, chainOf(noon, func() time.Duration { return time.Minute }, 30, 120))
	for factor, want := range map[float64][2]float64{1: {30, 100}, 2: {60, 100}, 0.5: {15, 60}, 0: {0, 0}} {
		scaled, err := tl.Scaled(factor)
		if err != nil {
			t.Fatal(err)
		}
		for i, rate := range want {
			if got := scaled.Rate(noon.Add(time.Duration(i)*time.Minute + 1)); got != rate {
				t.Errorf("times %g: the rate is %g, want %g", factor, got, rate)
			}
		}
		slots := walk(scaled.Cursor(noon), noon.Add(time.Minute+time.Second))
		for i, slot := range slots {
			if i > 0 && slot.Seq != slots[i-1].Seq+1 {
				t.Errorf("times %g: slot %d comes after slot %d", factor, slot.Seq, slots[i-1].Seq)
			}
		}
	}
}

func TestHeldReportsMistakes(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	base := newTimeline(t, timeline.Options{Name: "x", Shape: timeline.Steady{Rate: 5}})
	for want, h := range map[string]timeline.Held{
		`"-1/s" is not a rate`:    {From: noon, Until: noon.Add(1), Rate: -1},
		`"NaN/s" is not a rate`:   {From: noon, Until: noon.Add(1), Rate: math.NaN()},
		`"+Inf/s" is not a rate`:  {From: noon, Until: noon.Add(1), Rate: math.Inf(1)},
		"expected a time of up":   {From: noon, Until: noon, Rate: 1},
		"of up to 31 days":        {From: noon, Until: noon.Add(32 * 24 * time.Hour), Rate: 1},
		"slots before it are too": {From: noon, Until: noon.Add(1), Rate: 1, Before: timeline.Progress{Slots: 1 << 52}},
	} {
		if _, err := base.Held(h); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestSegmentsOfHeldRatesAreDistinct(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	base := newTimeline(t, timeline.Options{Name: "x", Shape: timeline.Steady{Rate: 5}})
	h := timeline.Held{From: noon, Until: noon.Add(time.Hour), Rate: 1, Began: noon}
	other, before := h, h
	other.Rate, before.Before.Part = 2, 1<<40
	ids := map[string]bool{}
	for _, h := range []timeline.Held{h, other, before} {
		tl, err := base.Held(h)
		if err != nil {
			t.Fatal(err)
		}
		ids[tl.Segment(noon).ID] = true
	}
	if len(ids) != 3 {
		t.Errorf("segments %v", ids)
	}
}

func ExampleHeld() {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	h := timeline.Held{From: noon, Until: noon.Add(10 * time.Minute), Rate: 1.5}
	fmt.Println(h.At(noon.Add(time.Minute)).Slots)
	// Output: 90
}
