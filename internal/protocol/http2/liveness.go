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

// liveness is when a connection showed signs of life. Make it with newLiveness.
type liveness struct {
	// received is when anything came last, and idleSince when the last stream ended. pinged is
	// when a PING was sent after which nothing has come; zero if there is none.
	received, idleSince, pinged time.Time
}

func newLiveness(now time.Time) liveness { return liveness{received: now, idleSince: now} }

// receive notes that something came. It reports whether a PING was waited for.
func (l *liveness) receive(now time.Time) (waited bool) {
	waited = !l.pinged.IsZero()
	l.received, l.pinged = now, time.Time{}
	return waited
}

// check returns why a connection with so many streams ends, if it does, or whether to send a
// PING (RFC 9113, section 6.7), which it then waits for.
func (l *liveness) check(h health, now time.Time, open int) (ping bool, err error) {
	switch {
	case !l.pinged.IsZero() && !now.Before(l.pinged.Add(h.pingTimeout)):
		return false, errSilent
	case open == 0 && !now.Before(l.idleSince.Add(h.idle)):
		return false, errDone
	case l.pinged.IsZero() && !now.Before(l.received.Add(h.pingAfter)):
		l.pinged = now
		return true, nil
	}
	return false, nil
}

// next returns when to check again.
func (l *liveness) next(h health, open int) time.Time {
	at := l.received.Add(h.pingAfter)
	if !l.pinged.IsZero() {
		at = l.pinged.Add(h.pingTimeout)
	}
	if open == 0 {
		at = earlier(at, l.idleSince.Add(h.idle))
	}
	return at
}

// earlier returns the earlier of two times. A zero time means none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
