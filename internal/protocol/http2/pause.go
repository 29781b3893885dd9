package http2

import (
	"sync/atomic"
	"time"
)

// The pauses after connections that ended before any response: none after the first, and
// then twice as long each time.
const (
	firstPause = 10 * time.Millisecond
	maxPause   = time.Second
)

// pause keeps an origin from making a new connection for each request to a server that ends
// them all before it responds, with GOAWAY for one. Requests wait meanwhile. The zero pause
// pauses nothing. Safe for concurrent use.
type pause struct {
	// vain is how many connections ended so, one after the other, and until when no new ones
	// may be made, in Unix nanoseconds.
	vain  atomic.Int32
	until atomic.Int64
}

// ended takes the end of a connection that had requests and brought no response.
func (p *pause) ended(now time.Time) {
	n := p.vain.Add(1)
	if n < 2 {
		return
	}
	d := maxPause
	if n-2 < 7 {
		d = min(d, firstPause<<(n-2))
	}
	p.until.Store(now.Add(d).UnixNano())
}

// responded takes the first response on a connection.
func (p *pause) responded() {
	if p.vain.Load() != 0 {
		p.vain.Store(0)
		p.until.Store(0)
	}
}

// left returns for how long no new connections may be made.
func (p *pause) left(now time.Time) time.Duration {
	return max(0, time.Duration(p.until.Load()-now.UnixNano()))
}
