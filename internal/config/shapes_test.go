package config_test

import (
	"math"
	"testing"
	"time"
)

// TestShapesBecomeTheTimelinesThatTheyDescribe looks at the rate at moments at which
// it is known.
func TestShapesBecomeTheTimelinesThatTheyDescribe(t *testing.T) {
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	rates := map[string]map[time.Duration]float64{}
	at := func(name string, after time.Duration, rate float64) {
		if rates[name] == nil {
			rates[name] = map[time.Duration]float64{}
		}
		rates[name][after] = rate
	}
	at("steady", time.Hour, 1.5)
	at("paused", time.Hour, 0)
	at("rarely", time.Hour, 1.5/86400)
	at("fast", time.Hour, 1e6)
	at("clamped", time.Hour, 500)
	at("ramp", 5*time.Minute, 55)
	at("ramp", 15*time.Minute, 55)
	at("ramp-with-pause", 5*time.Minute, 50)
	at("ramp-with-pause", 30*time.Minute, 100)
	at("steps", 5*time.Minute, 20)
	at("steps", 12*time.Minute, 80)
	at("sine", 15*time.Minute, 150)
	at("sine", 45*time.Minute, 50)
	at("spikes", 30*time.Second, 200)
	at("spikes", 5*time.Second, 105)
	at("spikes", 30*time.Minute, 10)
	at("sharp-spikes", 30*time.Minute, 200)
	at("daily", 23*time.Hour, 10)                // Midnight in Berlin.
	at("daily", 8*time.Hour+30*time.Second, 100) // Nine there.
	at("one-point", 20*time.Hour, 10)
	at("weekly", 9*time.Hour, 100)
	at("weekly", 5*24*time.Hour, 20)
	at("sum", 0, 0.1*(200+100+1))
	at("sum", 5*time.Minute, 0.1*(200+20+1))

	for _, s := range load(t, "testdata/good-shapes.yaml").Scenarios {
		for after, want := range rates[s.Name] {
			if got := s.Timeline().Rate(monday.Add(after)); math.Abs(got-want) > 1e-9*want {
				t.Errorf("%s after %v: got %v/s, want %v/s", s.Name, after, got, want)
			}
		}
		if rates[s.Name] == nil && s.Name != "two-days" {
			t.Errorf("scenario %q is not looked at", s.Name)
		}
	}
}

func TestArrivalsAreThoseOfTheScenario(t *testing.T) {
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	gaps := func(arrivals string) map[time.Duration]bool {
		c := parse(t, with("arrivals: "+arrivals)).Scenarios[0].Timeline().Cursor(day)
		found := map[time.Duration]bool{}
		var last time.Time
		for range 10 {
			slot, ok := c.Next(day.Add(time.Hour))
			if !ok {
				t.Fatal("no slot in an hour")
			}
			if !last.IsZero() {
				found[slot.Due.Sub(last).Round(time.Microsecond)] = true
			}
			last = slot.Due
		}
		return found
	}
	if got := gaps("uniform"); len(got) != 1 || !got[time.Second] {
		t.Errorf("uniform gaps %v", got)
	}
	if got := gaps("poisson"); len(got) < 5 {
		t.Errorf("poisson gaps %v", got)
	}
}
