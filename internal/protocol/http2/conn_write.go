package http2

import (
	"sync"
	"time"
)

// graceOfReads is how long a connection that cannot be written may still be read: it
// may hold the reason, or responses.
const graceOfReads = 250 * time.Millisecond

// writer is who writes a connection now. The zero writer is nobody.
type writer struct {
	// queued says that Flush is going to look at the connection.
	queued bool
	// writing says that somebody writes, and inBackground that a goroutine does that until
	// all bodies are written.
	writing, inBackground bool
	// stalled says that the network takes no more for now.
	stalled bool
}

// may reports whether the outbox can be written.
func (w *writer) may() bool { return !w.writing && !w.stalled }

// flushQueue is the connections that Flush has to look at. The zero flushQueue is empty.
// Safe for concurrent use.
type flushQueue struct {
	mu    sync.Mutex
	conns []*conn
}

// add adds a connection.
func (q *flushQueue) add(c *conn) {
	q.mu.Lock()
	q.conns = append(q.conns, c)
	q.mu.Unlock()
}

// next takes a connection out; nil if there is none.
func (q *flushQueue) next() *conn {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.conns)
	if n == 0 {
		return nil
	}
	c := q.conns[n-1]
	q.conns[n-1] = nil
	q.conns = q.conns[:n-1]
	return c
}

// flush writes the outbox without waiting for the network. A goroutine writes the rest of
// bodies.
func (c *conn) flush() {
	c.mu.Lock()
	c.writer.queued, c.out.urgent = false, false
	if c.write() && !c.writer.inBackground {
		c.writer.inBackground = true
		c.client.work.Go(c.writeBodies)
	}
	c.mu.Unlock()
}

// writeBodies writes bodies until they are written, or nobody takes more of them for now.
func (c *conn) writeBodies() {
	c.mu.Lock()
	for c.write() {
		// Others may want to open streams.
		c.mu.Unlock()
		c.mu.Lock()
	}
	c.writer.inBackground = false
	c.mu.Unlock()
}

// resume goes on when the network takes more.
func (c *conn) resume() {
	c.mu.Lock()
	c.writer.stalled = false
	c.mu.Unlock()
	c.flush()
}

// write writes the outbox with what it can of bodies, and then what others have added
// meanwhile. It reports whether more of bodies could be written after that. It is called
// with the lock, which it releases while it writes. The moment before the write is when the
// requests in it are sent.
func (c *conn) write() (more bool) {
	if !c.writer.may() || c.closing.over() {
		return false
	}
	c.writer.writing = true
	for !more && !c.writer.stalled && !c.closing.over() {
		if more = c.fillBodies(); len(c.out.buf) == 0 {
			break
		}
		p := c.out.drain(time.Now)
		c.mu.Unlock()
		_, err := c.net.Write(p)
		c.mu.Lock()
		c.out.recycle(p)
		if err != nil {
			c.writeFailed(err)
			break
		}
		c.writer.stalled = c.ready.Conn.Unwritten()
	}
	c.writer.writing = false
	c.updateRoom()
	return more && !c.writer.stalled && !c.closing.over()
}

// writeFailed takes an error of a write. What the server said before is still to be read,
// and ends with an error of its own.
func (c *conn) writeFailed(err error) {
	c.closing.writeErr = err
	c.updateRoom()
	c.wake(time.Now().Add(graceOfReads))
}

// fillBodies moves as much of bodies into the outbox as it holds and as the server takes,
// the one that has to end first before the others, and reports whether the server would take
// more.
func (c *conn) fillBodies() (more bool) {
	for s := c.streams.sending.first; s != nil && c.flow.window > 0; {
		next := s.links[bySending].next
		for s.body.Len() > 0 && s.window > 0 && c.flow.window > 0 {
			if c.out.full() {
				return true
			}
			n := c.flow.take(&s.window, s.body.Len())
			c.out.data(s.id, &s.body, n)
			c.streams.sent(s)
			if n >= smallData {
				c.allowance.add(allowedPerData) // Windows may be updated for it.
			}
		}
		s = next
	}
	return false
}
