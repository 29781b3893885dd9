package http2

import (
	"sync"
	"time"
)

// dirt are the connections that Flush has to look at. The zero dirt is empty. Safe for
// concurrent use.
type dirt struct {
	mu    sync.Mutex
	conns []*conn
}

// add adds a connection.
func (d *dirt) add(c *conn) {
	d.mu.Lock()
	d.conns = append(d.conns, c)
	d.mu.Unlock()
}

// next takes a connection out; nil if there is none.
func (d *dirt) next() *conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.conns)
	if n == 0 {
		return nil
	}
	c := d.conns[n-1]
	d.conns[n-1] = nil
	d.conns = d.conns[:n-1]
	return c
}

// flush writes what is in the buffer, without waiting for the network. What is left of
// bodies a goroutine writes.
func (c *conn) flush() {
	c.mu.Lock()
	c.dirty, c.urgent = false, false
	if c.write() && !c.pouring {
		c.pouring = true
		c.client.work.Go(c.pour)
	}
	c.mu.Unlock()
}

// pour writes bodies until they are written, or nobody takes more of them for now.
func (c *conn) pour() {
	c.mu.Lock()
	for c.write() {
		// Others may want to open streams.
		c.mu.Unlock()
		c.mu.Lock()
	}
	c.pouring = false
	c.mu.Unlock()
}

// resume goes on when the network takes more.
func (c *conn) resume() {
	c.mu.Lock()
	c.stalled = false
	c.mu.Unlock()
	c.flush()
}

// write writes the buffer and what it can of bodies, and likewise what others add
// meanwhile. It reports whether more of bodies could be written after that. It is called with the lock, which it releases
// while it writes. The moment before the write is when the requests in it are sent.
func (c *conn) write() (more bool) {
	if c.writing || c.stalled || c.over() {
		return false
	}
	c.writing = true
	for !more && !c.stalled && !c.over() {
		if more = c.pump(); len(c.out) == 0 {
			break
		}
		p := c.take()
		c.mu.Unlock()
		_, err := c.net.Write(p)
		c.mu.Lock()
		if cap(p) <= keepOut {
			c.spare = p[:0]
		}
		if err != nil {
			c.broken(err)
			break
		}
		c.stalled = c.ready.Conn.Unwritten()
	}
	c.writing = false
	c.room()
	return more && !c.stalled && !c.over()
}

// take takes the buffer to be written now.
func (c *conn) take() []byte {
	p := c.out
	c.out, c.spare = c.spare[:0], nil
	if len(c.heads) > 0 {
		now := time.Now()
		for _, s := range c.heads {
			s.written = true
			if s.sent.IsZero() {
				s.sent = now
			}
		}
		clear(c.heads)
		c.heads = c.heads[:0]
	}
	return p
}

// graceOfReads is how long a connection that cannot be written may still be read: it
// may hold the reason, or answers.
const graceOfReads = 250 * time.Millisecond

// broken takes an error of a write. What the server said before is still to be read,
// and ends with an error of its own.
func (c *conn) broken(err error) {
	c.writeErr = err
	c.room()
	c.wake(time.Now().Add(graceOfReads))
}

// pump moves as much of bodies into the buffer as it holds and as the server takes, the
// oldest first, and reports whether the server would take more.
func (c *conn) pump() bool {
	for s := c.bodies.first; s != nil && c.window > 0; {
		next := s.links[byBody].next
		for len(s.body) > 0 {
			n := int(min(int64(len(s.body)), int64(c.peer.maxFrame), c.window, s.window))
			if n <= 0 {
				break
			}
			if len(c.out) >= writeAt {
				return true
			}
			c.data(s, n)
		}
		if len(s.body) == 0 {
			c.bodies.remove(s)
		}
		s = next
	}
	return false
}

// data appends a DATA with the next n bytes of a stream's body.
func (c *conn) data(s *stream, n int) {
	flags := byte(0)
	if n == len(s.body) {
		flags = flagEndStream
	}
	c.out = appendHeader(c.out, n, frameData, flags, s.id)
	c.out = append(c.out, s.body[:n]...)
	s.body = s.body[n:]
	s.window -= int64(n)
	c.window -= int64(n)
	c.patience.earn(earnData)
}
