package timeline_test

import (
	"fmt"
	"math"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

func ExampleTimeline_Cursor() {
	t, err := timeline.New(timeline.Options{
		Name:  "storefront",
		Shape: timeline.Ramp{From: 1, To: 3, Over: 10 * time.Second},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	from := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for c := t.Cursor(from); ; {
		slot, ok := c.Next(from.Add(3 * time.Second))
		if !ok {
			break
		}
		fmt.Println(slot.Seq, slot.Due.Format("15:04:05.000000"))
	}
	// Output:
	// 86400 12:00:00.641335
	// 86401 12:00:01.467199
	// 86402 12:00:02.198935
	// 86403 12:00:02.862866
}

func ExampleTimeline_Count() {
	t, err := timeline.New(timeline.Options{
		Name:     "storefront",
		Shape:    timeline.Steady{Rate: 200},
		Arrivals: timeline.Poisson,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fmt.Println(t.Count(from, from.AddDate(1, 0, 0)))
	// Output: 6307200000
}

func ExampleTimeline_Splice() {
	base, err := timeline.New(timeline.Options{Name: "storefront", Shape: timeline.Steady{Rate: 300}})
	if err != nil {
		fmt.Println(err)
		return
	}
	double, err := base.Scaled(2)
	if err != nil {
		fmt.Println(err)
		return
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	t, err := base.Splice([]timeline.Stretch{
		{From: noon.Add(time.Second), Until: noon.Add(3 * time.Second), Timeline: double},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for r := range t.Ranges(noon, noon.Add(4*time.Second)) {
		fmt.Println(r.Segment, r.From, r.To)
	}
	// Output:
	// 20261122T000000Z-c6b77b6e 12960000 12960300
	// 20261122T000000Z-1f11b98e 25920600 25921800
	// 20261122T000000Z-c6b77b6e 12960900 12961200
}

func ExampleAdjusted() {
	fmt.Println(timeline.Adjusted{
		Shape: timeline.Sum{Shapes: []timeline.Shape{
			timeline.Steady{Rate: 10},
			timeline.Sine{Mean: 100, Amplitude: 50, Period: time.Hour, PeakAt: 15 * time.Minute},
		}},
		Scale: 0.1,
		Max:   math.Inf(1),
	})
	// Output: 0.1 * ((10/s) + (100/s + 50/s * cos(2 pi (t - 15m0s) / 1h0m0s)))
}
