package http2

import "time"

// health is how connections are looked after.
type health struct {
	// pingAfter is the silence after which a server is asked for a sign of life, and
	// pingTimeout how long it has to give one.
	pingAfter, pingTimeout time.Duration
	// idle closes connections that nobody used for so long.
	idle time.Duration
}

func defaultHealth() health {
	return health{pingAfter: 10 * time.Second, pingTimeout: 5 * time.Second, idle: 90 * time.Second}
}

// tick deals with what is due, and returns why the connection ends if it does.
func (c *conn) tick() error {
	for s := c.streamsByDeadline.first; s != nil && !c.now.Before(s.deadline); s = c.streamsByDeadline.first {
		c.reset(s, codeCancel, errTimeout)
	}
	h := c.client.health
	switch {
	case c.writeErr != nil:
		return c.writeErr
	case !c.pinged.IsZero() && !c.now.Before(c.pinged.Add(h.pingTimeout)):
		return errSilent
	case c.streams.n == 0 && !c.now.Before(c.idleSince.Add(h.idle)):
		return errDone
	case c.pinged.IsZero() && !c.now.Before(c.heard.Add(h.pingAfter)):
		c.out = appendPing(c.out, 0, make([]byte, 8))
		c.pinged, c.urgent = c.now, true
	}
	if !c.retireAt.IsZero() && !c.now.Before(c.retireAt) {
		c.retire()
	}
	c.arm()
	return nil
}

// arm makes the reader look at the time when the next thing is due. Streams that are
// opened later have no need to change that, unless there were none: theirs is no sooner.
func (c *conn) arm() {
	h := c.client.health
	next := c.heard.Add(h.pingAfter)
	if !c.pinged.IsZero() {
		next = c.pinged.Add(h.pingTimeout)
	}
	sooner := func(at time.Time) {
		if at.Before(next) {
			next = at
		}
	}
	if !c.retired && !c.retireAt.IsZero() {
		sooner(c.retireAt)
	}
	if s := c.streamsByDeadline.first; s != nil {
		sooner(s.deadline)
	} else {
		sooner(c.idleSince.Add(h.idle))
	}
	c.wakeAt = time.Time{}
	c.wake(next)
}
