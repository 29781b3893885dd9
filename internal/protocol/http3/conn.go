package http3

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// errFull is a connection whose server allows no more streams for now.
var errFull = errors.New("server allows no more streams for now")

// streamID and stream are QUIC's.
type (
	streamID = quic.StreamID
	stream   = *quic.Stream
)

// conn is a connection with the requests on it.
type conn struct {
	origin  *origin
	session *session
	ready   dial.Ready
	// number is its place among those that were made.
	number uint64
	// most is for how many requests it is used, and retireAt until when; zero is without end.
	most     int
	retireAt time.Time
	// done is closed when it is to end.
	done chan struct{}
	// responded says that a whole response has come.
	responded atomic.Bool

	// The rest is guarded by the origin's mu.

	// active is how many requests it has, used how many it has had, and idleSince when the last one
	// ended.
	active, used int
	idleSince    time.Time
	// retired says that it takes no more requests, and full that the server allows none for now.
	retired, full bool
	// spare is a stream that was waited for.
	spare stream
	// streams are those of its requests.
	streams map[streamID]stream
}

// hasRoom reports whether it takes one more request.
func (c *conn) hasRoom(now time.Time) bool {
	if c.retired || c.full || c.used >= c.most || c.session.Context().Err() != nil {
		return false
	}
	return c.retireAt.IsZero() || now.Before(c.retireAt)
}

// open opens a stream. Its error is errFull if the server allows none for now; the connection has room
// again when it does.
func (c *conn) open() (stream, error) {
	o := c.origin
	o.mu.Lock()
	defer o.mu.Unlock()
	s := c.spare
	c.spare = nil
	if s == nil {
		var err error
		if s, err = c.session.OpenStream(); err != nil {
			if _, full := errors.AsType[*quic.StreamLimitReachedError](err); full {
				c.wait()
				err = errFull
			}
			return nil, err
		}
	}
	c.streams[s.StreamID()] = s
	return s, nil
}

// wait waits for the server to allow a stream, in the background.
func (c *conn) wait() {
	if c.full {
		return
	}
	o := c.origin
	c.full, o.learned = true, c.active-1
	o.client.work.Go(func() {
		s, err := c.session.OpenStreamSync(c.session.Context())
		o.mu.Lock()
		defer o.mu.Unlock()
		c.full = false
		if err == nil {
			c.spare, o.learned = s, max(1, o.learned)
		}
		o.serve()
	})
}

// close takes a stream out.
func (c *conn) close(s stream) {
	c.origin.mu.Lock()
	defer c.origin.mu.Unlock()
	delete(c.streams, s.StreamID())
}

// release ends a request.
func (c *conn) release() {
	o := c.origin
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.active--; c.active == 0 {
		c.idleSince = time.Now()
	}
	if c.used >= c.most {
		c.retired = true
	}
	c.endIfDone()
	o.serve()
}

// retire lets no requests begin any more. The connection ends with its last one.
func (c *conn) retire() {
	c.retired = true
	c.endIfDone()
}

func (c *conn) endIfDone() {
	if !c.retired || c.active > 0 {
		return
	}
	select {
	case <-c.done:
	default:
		close(c.done)
		c.origin.remove(c)
	}
}

// watch sees the connection to its end.
func (c *conn) watch() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	done, goingAway := c.done, c.session.goingAway
	for {
		select {
		case <-c.session.Context().Done():
			c.over()
			return
		case <-done:
			done = nil
			_ = c.session.end(codeNone) // It has ended otherwise.
		case <-goingAway:
			goingAway = nil
			c.leave()
		case <-timer.C:
			timer.Reset(c.look(time.Now()))
		}
	}
}

// over takes the end of the connection.
func (c *conn) over() {
	_ = c.ready.Conn.Close() // It is of no use any more, whatever that says.
	c.origin.mu.Lock()
	defer c.origin.mu.Unlock()
	c.origin.remove(c)
	c.retired = true
	c.origin.serve()
}

// leave takes the server's GOAWAY: the requests that it is not going to look at go elsewhere.
func (c *conn) leave() {
	c.origin.mu.Lock()
	defer c.origin.mu.Unlock()
	for id, s := range c.streams {
		if int64(id) >= c.session.goAway.Load() {
			s.CancelRead(quic.StreamErrorCode(codeRejected))
			s.CancelWrite(quic.StreamErrorCode(codeRejected))
		}
	}
	c.retire()
	c.origin.serve()
}

// look ends everything that is due, and returns how long nothing will be.
func (c *conn) look(now time.Time) time.Duration {
	c.origin.mu.Lock()
	defer c.origin.mu.Unlock()
	next := idle
	if c.active == 0 {
		next = c.idleSince.Add(idle).Sub(now)
	}
	if !c.retireAt.IsZero() && !c.retired {
		next = min(next, c.retireAt.Sub(now))
	}
	if next <= 0 {
		c.retire()
		return idle
	}
	return next
}

// facts returns what there is to know of the connection.
func (c *conn) facts(reused bool) protocol.Connection {
	f := c.ready.Facts(reused)
	s := c.session.ConnectionState().TLS
	f.TLS = &s
	return f
}

// reused reports whether it has carried requests before the one that is under way.
func (c *conn) reused() bool {
	c.origin.mu.Lock()
	defer c.origin.mu.Unlock()
	return c.used > 1
}
