package http2

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// readBuffer is how much is read at once. It holds several frames.
const readBuffer = 64 << 10

// read reads frames until the connection ends, and looks at the time when there are
// none. What comes with one read is dealt with as a whole: the lock is taken once,
// replies go out in one write, and calls are finished after that, without the lock.
func (c *conn) read() {
	pooled, _ := c.client.buffers.Get().(*[readBuffer]byte)
	defer c.client.buffers.Put(pooled)
	buf := pooled[:]
	have, hidden := 0, false
	c.mu.Lock()
	c.arm()
	c.mu.Unlock()
	for dead := false; !dead; {
		n, err := c.net.Read(buf[have:])
		c.now = time.Now()
		c.mu.Lock()
		if n > 0 {
			c.hear()
			done, fault := c.frames(buf[:have+n])
			have = copy(buf, buf[done:have+n])
			if fault != nil {
				err = fault
			}
		}
		c.turn(err)
		dead = c.dead
		urgent, retired := c.urgent, c.retired
		c.mu.Unlock()
		if retired && !hidden {
			hidden = true
			c.origin.hide(c)
		}
		if dead {
			c.bury()
		}
		c.deliver(urgent && !dead)
	}
}

// hear notes that the server is alive.
func (c *conn) hear() {
	c.heard = c.now
	if !c.pinged.IsZero() {
		c.pinged = time.Time{}
		c.wake(c.now.Add(c.client.health.pingAfter))
	}
}

// turn ends what a read has brought to its end: requests, whose time is up, or the
// connection.
func (c *conn) turn(err error) {
	c.ticked = errors.Is(err, os.ErrDeadlineExceeded)
	if c.ticked {
		err = c.tick()
	}
	if c.left == 0 {
		c.retire()
	}
	if err == nil && c.retired && c.streams.n == 0 {
		err = errDone
	}
	if err != nil {
		c.die(err)
	}
}

// die ends the connection and everything on it, for the error or for what it follows
// from.
func (c *conn) die(err error) {
	c.retire()
	fault, _ := errors.AsType[*violation](err)
	switch {
	case c.cause != nil:
		err = c.cause
	case fault != nil:
		c.out = appendGoAway(c.out, fault.code)
	case errors.Is(err, errDone):
		c.out = appendGoAway(c.out, codeNone)
	case c.goAway != nil && (c.goAway.code != codeNone || errors.Is(err, io.EOF)):
		err = c.goAway
	}
	if c.cause == nil && !c.used && c.nextID > 1 {
		c.origin.pause.ended(c.now)
	}
	c.write()
	c.dead = true
	c.room()
	for s := c.streamsByDeadline.first; s != nil; s = c.streamsByDeadline.first {
		if c.cause == nil && c.mayRepeat(s) {
			s.after = c.now
			c.repeat(s)
		} else {
			c.end(s, err)
		}
	}
}

// bury lets the rest of the world know that the connection is gone.
func (c *conn) bury() {
	_ = c.net.Close() // It is of no use any more, whatever that says.
	c.origin.forget(c)
}

// deliver finishes the calls that have ended, starts jobs that are to be repeated and
// those for which there may be room now, and writes if that is urgent.
func (c *conn) deliver(urgent bool) {
	for i := range c.ended {
		e := &c.ended[i]
		e.call.Finish(e.result)
		*e = ending{}
	}
	c.ended = c.ended[:0]
	for i := range c.repeats {
		c.repeats[i].entry.origin.start(&c.repeats[i])
		c.repeats[i] = job{}
		urgent = true
	}
	c.repeats = c.repeats[:0]
	if c.origin.waits.Load() > 0 {
		c.origin.serve()
		urgent = true
	}
	if urgent {
		c.flush()
		c.client.Flush()
	}
	if c.ticked {
		c.origin.refresh()
	}
}

// mayRepeat reports whether a stream's job can be sent again now that its connection
// is gone: nothing of it was sent, or it does no harm, and the connection has worked
// before.
func (c *conn) mayRepeat(s *stream) bool {
	return c.mayMove(s, c.used && !s.heard && s.entry.Idempotent)
}

// mayMove reports whether a stream's job can be sent once more, which is done once at most.
// What was written may have been seen by the server, unless untouched says that it was not,
// and is one more request on the wire.
func (c *conn) mayMove(s *stream, untouched bool) bool {
	return !s.again && (!s.written || untouched && s.call.Admits(protocol.Retry))
}

// repeat ends a stream, whose job is sent again.
func (c *conn) repeat(s *stream) {
	s.again = true
	c.repeats = append(c.repeats, s.job)
	c.drop(s)
}

// end ends a stream and its call, which fails for the error if it is not nil.
func (c *conn) end(s *stream, err error) {
	r := protocol.Result{Sent: s.began(), Done: c.now, Code: c.client.codes.Text(s.status), Err: err}
	if r.Done.Before(r.Sent) {
		r.Done = time.Now() // It began after the read that was its end.
	}
	switch {
	case err != nil:
		r.Reason = reasonOf(err)
	case !s.entry.Expect.Contains(s.status):
		r.Reason, r.Err = protocol.ReasonStatus, httpreq.StatusError(s.status)
	}
	c.ended = append(c.ended, ending{s.call, r})
	c.drop(s)
}

// fault ends a stream for what the server did to it, and tells the server.
func (c *conn) fault(s *stream, v *violation) {
	c.reset(s, v.code, v)
}

// reset ends a stream for the error, and tells the server.
func (c *conn) reset(s *stream, why code, err error) {
	c.out = appendNumber(c.out, frameReset, s.id, uint32(why))
	c.urgent = true
	// The server has not heard of it yet, and may go on for a while.
	c.patience.earn(earnAnswer)
	c.end(s, err)
}

// drop takes a stream out of the connection.
func (c *conn) drop(s *stream) {
	c.streamsByDeadline.remove(s)
	if len(s.body) > 0 {
		c.bodies.remove(s)
	}
	if !s.written {
		c.behead(s)
	}
	c.streams.close(s)
	if c.streams.n == 0 {
		c.idleSince = c.now
	}
	c.room()
}

// behead takes a stream out of those whose heads are in the buffer. The head stays
// there: what comes after it is coded on top of it.
func (c *conn) behead(s *stream) {
	for i, other := range c.heads {
		if other == s {
			last := len(c.heads) - 1
			c.heads[i], c.heads[last] = c.heads[last], nil
			c.heads = c.heads[:last]
			return
		}
	}
}
