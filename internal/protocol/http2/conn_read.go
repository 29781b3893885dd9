package http2

import (
	"errors"
	"os"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// readBuffer is how much is read at once. It holds several frames.
const readBuffer = 64 << 10

// read reads frames until the connection ends, and looks at the time when there are
// none. What comes with one read is handled as a whole: the lock is taken once, replies
// go out in one write, and calls are finished after that, without the lock.
func (c *conn) read() {
	pooled, _ := c.client.buffers.Get().(*[readBuffer]byte)
	defer c.client.buffers.Put(pooled)
	buf := pooled[:]
	have, hidden := 0, false
	c.mu.Lock()
	c.setTimer()
	c.mu.Unlock()
	for ended := false; !ended; {
		n, err := c.net.Read(buf[have:])
		c.now = time.Now()
		c.mu.Lock()
		if n > 0 {
			c.received()
			used, fault := c.handleAll(buf[:have+n])
			have = copy(buf, buf[used:have+n])
			if fault != nil {
				err = fault
			}
		}
		c.endIfDue(err)
		ended = c.closing.ended
		urgent, retired := c.out.urgent, c.closing.retired
		c.mu.Unlock()
		if retired && !hidden {
			hidden = true
			c.origin.hide(c)
		}
		if ended {
			_ = c.net.Close() // It is of no use any more, whatever that says.
			c.origin.remove(c)
		}
		c.deliver(urgent && !ended)
	}
}

// received notes that the server is alive.
func (c *conn) received() {
	if c.liveness.receive(c.now) {
		c.wake(c.now.Add(c.client.health.pingAfter))
	}
}

// endIfDue ends what a read has brought to its end: requests, whose time is up, or the
// connection.
func (c *conn) endIfDue(err error) {
	if c.timed = errors.Is(err, os.ErrDeadlineExceeded); c.timed {
		err = c.checkTime()
	}
	if c.streams.left == 0 {
		c.retire()
	}
	if err == nil && c.closing.retired && c.streams.count() == 0 {
		err = errDone
	}
	if err != nil {
		c.end(err)
	}
}

// checkTime does everything that is due. If the connection must end, it returns the reason.
func (c *conn) checkTime() error {
	for s := c.streams.expired(c.now); s != nil; s = c.streams.expired(c.now) {
		c.resetStream(s, codeCancel, errTimeout)
	}
	if c.closing.writeErr != nil {
		return c.closing.writeErr
	}
	ping, err := c.liveness.check(c.client.health, c.now, c.streams.count())
	if err != nil {
		return err
	}
	if ping {
		c.out.ping(0, make([]byte, pingLen))
	}
	if c.closing.due(c.now) {
		c.retire()
	}
	c.setTimer()
	return nil
}

// setTimer makes the reader look at the time when the next thing is due. Streams that are
// opened later change that only if they have to end sooner.
func (c *conn) setTimer() {
	at := c.liveness.next(c.client.health, c.streams.count())
	at = earlier(at, c.closing.next())
	at = earlier(at, c.streams.deadline())
	c.wakeAt = time.Time{}
	c.wake(at)
}

// end ends the connection and everything on it, for the error or for what it follows
// from.
func (c *conn) end(err error) {
	c.retire()
	goodbye, with, err := c.closing.reason(err)
	if goodbye {
		c.out.goAway(with)
	}
	if c.closing.cause == nil && !c.responded {
		c.origin.endedInVain(c.now, c.streams.opened() > 0)
	}
	if errors.Is(err, errDone) && c.closing.goAway == nil && c.streams.opened() == c.quota {
		c.origin.quota.outlived(c.quota)
	}
	c.write()
	c.closing.ended = true
	c.updateRoom()
	for s := c.streams.byDeadline.first; s != nil; s = c.streams.byDeadline.first {
		harmless := c.responded && !s.touched && s.entry.Idempotent
		if c.closing.cause == nil && mayRepeat(s, harmless, protocol.Retry) {
			s.anew = true
			c.repeat(s)
		} else {
			c.endStream(s, err)
		}
	}
}

// deliver finishes the calls that have ended, starts the jobs that need repeating and those
// for which there may be room now, and writes if that is urgent.
func (c *conn) deliver(urgent bool) {
	c.outcomes.finish()
	if n := c.outcomes.quota; n > 0 {
		c.outcomes.quota = 0
		c.origin.limit(n)
	}
	if c.outcomes.restart() {
		urgent = true
	}
	if c.origin.waits.Load() > 0 {
		c.origin.serve()
		urgent = true
	}
	if urgent {
		c.flush()
		c.client.Flush()
	}
	if c.timed {
		c.origin.refresh()
	}
}

// mayRepeat reports whether a stream's job may be sent once more, as an extra of that kind. A
// job is repeated at most once. Anything written is one more request on the wire: it must be
// harmless, since the server has not looked at the first or since it may look at both (RFC
// 9110, section 9.2.2), and it must be admitted.
func mayRepeat(s *stream, harmless bool, as protocol.Extra) bool {
	return !s.again && (!s.written || harmless && s.call.Admits(as))
}

// repeat ends a stream, whose job is sent again.
func (c *conn) repeat(s *stream) {
	s.again = true
	c.outcomes.repeats = append(c.outcomes.repeats, s.job)
	c.dropStream(s)
}

// endStream ends a stream and its call, which fails for the error if it is not nil.
func (c *conn) endStream(s *stream, err error) {
	r := protocol.Result{Sent: s.began(), Done: c.now, Code: c.client.codes.Text(s.status), Err: err}
	if r.Done.Before(r.Sent) {
		r.Done = time.Now() // It began after the read that was its end.
	}
	switch {
	case err != nil:
		r.Reason = reasonOf(err)
		c.join(s, r.Reason)
	case !s.entry.Expect.Contains(s.status):
		r.Reason, r.Err = protocol.ReasonStatus, httpreq.StatusError(s.status)
	}
	c.outcomes.ended = append(c.outcomes.ended, ending{s.call, r})
	c.dropStream(s)
}

// refuseStream resets a stream because the server violated the protocol on it.
func (c *conn) refuseStream(s *stream, v *violation) { c.resetStream(s, v.code, v) }

// resetStream ends a stream for the error, and sends the server the code.
func (c *conn) resetStream(s *stream, why code, err error) {
	c.out.reset(s.id, why)
	// It takes a while until the server knows, and it may go on until then.
	c.allowance.add(allowedPerResponse)
	c.endStream(s, err)
}

// dropStream takes a stream out of the connection.
func (c *conn) dropStream(s *stream) {
	if !s.written {
		c.out.withdraw(s)
	}
	c.streams.close(s)
	if c.streams.count() == 0 {
		c.liveness.idleSince = c.now
	}
	c.updateRoom()
}
