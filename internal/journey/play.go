package journey

import (
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Player is who has a journey run apart from any rate, one step after the other. Each of its
// errors ends the journey.
type Player interface {
	// Pause is called for a pause.
	Pause(d time.Duration) error
	// Request makes the call, waits for its end and has the journey take that.
	Request(c *protocol.Call) error
	// Unsent is called for a request that cannot be made; the call's result says why.
	Unsent(c *protocol.Call) error
}

// Play runs a journey to its end, or to the player's first error. Each request uses the call.
func Play(j engine.Journey, c *protocol.Call, p Player) error {
	for {
		var err error
		switch m := j.Next(c); m.Kind {
		case engine.MovePause:
			err = p.Pause(m.Pause)
		case engine.MoveRequest:
			err = p.Request(c)
		case engine.MoveFailed:
			err = p.Unsent(c)
		case engine.MoveEnd:
			return nil
		}
		if err != nil {
			return err
		}
	}
}
