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
	for {
		var err error
		switch m := j.Next(c); m.Kind {
		case engine.MovePause:
			err = p.Pause(m.Pause)
		case engine.MoveRequest:
			err = playRequest(c, p)
		case engine.MoveFailed:
			err = p.Unsent(c)
		case engine.MoveTogether:
			err = playTogether(j, c, p, m.Lanes)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// playRequest has a call made and waits for its end.
func playRequest(c *protocol.Call, p Player) error {
	ended := make(chan struct{})
	if err := p.Start(c, func() { close(ended) }); err != nil {
		return err
	}
	<-ended
	return p.Ended(c)
}

// playTogether has requests made at once, with the call and others that are like it. It returns when
// all have ended that were started.
func playTogether(j engine.Journey, c *protocol.Call, p Player, lanes int) error {
	ended := make(chan *protocol.Call, lanes)
	busy := 0
	next := func(c *protocol.Call) error {
		for {
			switch j.Next(c).Kind {
			case engine.MoveRequest:
				if err := p.Start(c, func() { ended <- c }); err != nil {
					return err
				}
				busy++
				return nil
			case engine.MoveFailed:
				if err := p.Unsent(c); err != nil {
					return err
				}
			default:
				return nil
			}
		}
	}
	err := next(c)
	for range lanes - 1 {
		if err == nil {
			err = next(&protocol.Call{Request: c.Request, Admit: c.Admit})
		}
	}
	for ; busy > 0; busy-- {
		c := <-ended
		if err == nil {
			err = p.Ended(c)
		}
		if err == nil {
			err = next(c)
		}
	}
	return err
}
