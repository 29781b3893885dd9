package journey

import (
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Player is who has a journey run apart from any rate. Its methods do not overlap, and each of their
// errors ends the journey.
type Player interface {
	// Pause is called for a pause.
	Pause(d time.Duration) error
	// Start makes a call. It has ended called once, by any goroutine, when the call has ended or
	// is not to be waited for any longer; not if it fails.
	Start(c *protocol.Call, ended func()) error
	// Ended is called then, and has the journey take the end of the call.
	Ended(c *protocol.Call) error
	// Unsent is called for a request that cannot be made; the call's result says why.
	Unsent(c *protocol.Call) error
}

// Play runs a journey to its end, or to the player's first error.
func Play(j engine.Journey, c *protocol.Call, p Player) error {
	ended := make(chan struct{}, 1)
	for {
		var err error
		switch m := j.Next(c); m.Kind {
		case engine.MovePause:
			err = p.Pause(m.Pause)
		case engine.MoveRequest:
			if err = p.Start(c, func() { ended <- struct{}{} }); err == nil {
				<-ended
				err = p.Ended(c)
			}
		case engine.MoveFailed:
			err = p.Unsent(c)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}
