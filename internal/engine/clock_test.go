package engine

import (
	"log/slog"
	"sync"
	"testing"
	"time"
)

func TestObserveCarriesTheWallClockAndFollowsItsSteps(t *testing.T) {
	wall := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	mono := time.Now()
	const ms = time.Millisecond
	for name, tc := range map[string]struct {
		mono, wall time.Duration // gone by since the anchor
		want       time.Duration
		stepped    bool
	}{
		"no time":                     {0, 0, 0, false},
		"even":                        {time.Second, time.Second, time.Second, false},
		"ahead by less":               {time.Second, time.Second + 5*ms - 1, time.Second, false},
		"behind by less":              {time.Second, time.Second - 5*ms + 1, time.Second, false},
		"ahead by the threshold":      {time.Second, time.Second + 5*ms, time.Second + 5*ms, true},
		"behind by the threshold":     {time.Second, time.Second - 5*ms, time.Second - 5*ms, true},
		"a step forward":              {time.Second, time.Hour, time.Hour, true},
		"a step backward":             {time.Second, -time.Hour, -time.Hour, true},
		"a suspend of a month":        {time.Second, 720 * time.Hour, 720 * time.Hour, true},
		"a stall with both clocks on": {time.Hour, time.Hour, time.Hour, false},
		"the year 1970 left":          {time.Second, 56 * 365 * 24 * time.Hour, 56 * 365 * 24 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			anchor := reading{wall: wall, mono: mono, era: 7}
			got, stepped := anchor.observe(wall.Add(tc.wall), mono.Add(tc.mono))
			if d := got.wall.Sub(wall); d != tc.want || stepped != tc.stepped {
				t.Errorf("shows %v, stepped %v; want %v, %v", d, stepped, tc.want, tc.stepped)
			}
			if (got.era != anchor.era) != tc.stepped {
				t.Errorf("era %d after %d", got.era, anchor.era)
			}
			if d := got.on(got.mono.Add(time.Second)).Sub(got.wall); d != time.Second {
				t.Errorf("a second later it shows %v more", d)
			}
		})
	}
}

// wallClock reads a wall clock that tests can step.
type wallClock struct {
	mu   sync.Mutex
	skew time.Duration
	// once is added to the next reading only.
	once time.Duration
}

func (w *wallClock) step(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skew += by
}

func (w *wallClock) read() (wall, mono time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	wall = now.Round(0).Add(w.skew + w.once)
	w.once = 0
	return wall, now
}

func TestAStepIsFollowedOnceByAllWhoLook(t *testing.T) {
	var w wallClock
	c := newClock(w.read, slog.New(slog.DiscardHandler))
	w.step(time.Hour)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if r := c.look(); r.era != 1 {
					t.Errorf("era %d", r.era)
				}
			}
		})
	}
	wg.Wait()
	w.step(-time.Minute)
	if r := c.look(); r.era != 2 {
		t.Errorf("era %d after the second step", r.era)
	}
}

func TestAReadingThatWasInterruptedIsNoStep(t *testing.T) {
	var w wallClock
	c := newClock(w.read, slog.New(slog.DiscardHandler))
	w.once = 20 * time.Millisecond
	if r := c.look(); r.era != 0 || time.Since(r.wall) < 0 {
		t.Errorf("era %d, %v ahead", r.era, -time.Since(r.wall))
	}
}
