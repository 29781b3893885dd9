package engine

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// stepThreshold is how far the wall clock may stray from the carried one before it
// counts as stepped. Slewing moves both clocks alike; only steps and suspends, in
// which Linux' monotonic clock stands still, take them apart.
const stepThreshold = 5 * time.Millisecond

// reading is a look at the carried clock.
type reading struct {
	// wall is the time of the carried clock, and mono the same moment on the monotonic
	// clock.
	wall, mono time.Time
	// era counts the steps. Between readings of one era the clock went evenly.
	era uint64
}

// on returns the time of r's clock at another moment of the monotonic clock.
func (r reading) on(mono time.Time) time.Time { return r.wall.Add(mono.Sub(r.mono)) }

// observe carries r on to a moment of the monotonic clock, or, if the wall clock has
// left it, begins a new era at the time of the wall clock.
func (r reading) observe(wall, mono time.Time) (now reading, stepped bool) {
	carried := r.on(mono)
	if wall.Sub(carried).Abs() >= stepThreshold {
		return reading{wall: wall, mono: mono, era: r.era + 1}, true
	}
	return reading{wall: carried, mono: mono, era: r.era}, false
}

// clock is the wall clock carried by the monotonic clock. It runs evenly. When the wall
// clock is stepped, it follows and begins a new era. It is safe for concurrent use.
type clock struct {
	// read reads the two clocks. Tests put another one here, to step the wall clock.
	read   func() (wall, mono time.Time)
	anchor atomic.Pointer[reading]
	logger *slog.Logger
}

func newClock(read func() (wall, mono time.Time), logger *slog.Logger) *clock {
	c := &clock{read: read, logger: logger}
	wall, mono := read()
	c.anchor.Store(&reading{wall: wall, mono: mono})
	return c
}

// systemClocks reads the wall clock and the monotonic clock.
func systemClocks() (wall, mono time.Time) {
	now := time.Now()
	return now.Round(0), now
}

// look reads the clock.
func (c *clock) look() reading {
	for {
		// Loaded before the clocks are read: an anchor younger than the reading that it
		// is compared with would look like a step backward.
		anchor := c.anchor.Load()
		now, stepped := anchor.observe(c.read())
		if stepped {
			// The thread may have lost the processor between its readings of the two
			// clocks. Only what shows a second time is a step.
			now, stepped = anchor.observe(c.read())
		}
		if !stepped || c.move(anchor, now) {
			return now
		}
	}
}

// move sets a new anchor. It reports whether nobody else had done so.
func (c *clock) move(anchor *reading, now reading) bool {
	if !c.anchor.CompareAndSwap(anchor, &now) {
		return false
	}
	by := now.wall.Sub(anchor.on(now.mono))
	c.logger.Warn("the wall clock was stepped, or the machine suspended", "by_seconds", by.Seconds())
	return true
}
