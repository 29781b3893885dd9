package http2

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

const (
	// streamWindow is how much of a body the server may send ahead, and connWindow how
	// much of all bodies together.
	streamWindow = 1 << 20
	connWindow   = 1 << 30
)

// conn is a connection. A goroutine that starts a request writes its head into the
// connection's outbox; Flush sends the outbox in one write. One goroutine reads, and it
// alone ends streams and the connection itself. Its parts know nothing of each other.
type conn struct {
	client *Client
	origin *origin
	// net is what frames go through: the connection as it is, or TLS over it.
	net net.Conn
	// ready is how it was made.
	ready dial.Ready
	// number counts the connections of the origin, in the order in which they were made.
	number uint64

	// free is how many streams may be opened now, and busy how many are open, for those
	// who look for a connection.
	free, busy atomic.Int32
	// trying says that it has had all requests that the quota promises.
	trying atomic.Bool

	mu      sync.Mutex
	streams streamSet
	// quota is how many requests it was made with to have; zero if that has become fewer. trial
	// is how many of them, the last ones, the server may refuse.
	quota, trial int
	peer         peerSettings
	flow         sendFlow
	headers      headerEncoder
	out          outbox
	writer       writer
	closing      closing
	// wakeAt is when the reader is to look at the time.
	wakeAt time.Time

	// The rest is the reading goroutine's, with the lock or without.

	frames     frameReader
	hpack      decoder
	head       head
	allowance  allowance
	unreturned unreturned
	liveness   liveness
	outcomes   outcomes
	// responded says that a whole response has come.
	responded bool
	// now is when the bytes came that are being read, and timed says that none did: that it
	// was time to look at the time.
	now   time.Time
	timed bool
}

// newConn returns a connection whose greeting is in its outbox.
func newConn(o *origin, r dial.Ready, now time.Time) *conn {
	client := o.client
	quota, trial := o.quota.within(client.perConn)
	c := &conn{
		client:    client,
		origin:    o,
		net:       r.Conn,
		ready:     r,
		number:    o.made.Add(1),
		streams:   newStreamSet(quota),
		quota:     quota,
		trial:     trial,
		peer:      newPeerSettings(client.assumed(o)),
		flow:      newSendFlow(),
		headers:   newHeaderEncoder(client.fields, len(client.entries), client.varying),
		closing:   closing{retireAt: httpreq.RetireAt(now, client.maxAge)},
		hpack:     newDecoder(client.tables),
		allowance: newAllowance(now),
		liveness:  newLiveness(now),
	}
	if r.TLS != nil {
		c.net = r.TLS
	}
	r.Conn.WhenWritten(c.resume)
	c.out.greet()
	c.writer.queued = true
	c.updateRoom()
	return c
}

// updateRoom works out how many streams may be opened.
func (c *conn) updateRoom() {
	n := c.streams.room(c.peer.maxStreams)
	if c.closing.retired || c.closing.over() || len(c.out.buf) > maxQueue {
		n = 0
	}
	c.free.Store(int32(n))
	if trying := c.streams.left <= c.trial; trying != c.trying.Load() {
		c.trying.Store(trying)
	}
	c.busy.Store(int32(c.streams.count()))
}

// retire lets no streams be opened any more.
func (c *conn) retire() {
	c.closing.retired = true
	c.updateRoom()
}

// limit lets the connection have no more than n requests, as many as a server takes, unless it has
// had more: then its server is another one.
func (c *conn) limit(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := n - c.streams.opened()
	if left < 0 || left >= c.streams.left {
		return
	}
	c.streams.left, c.quota, c.trial = left, 0, 0
	c.updateRoom()
	c.wake(time.Now()) // If it has had them all and is idle, it ends.
}

// finish has the connection end with its last request.
func (c *conn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retire()
	c.wake(time.Now())
}

// abort ends the connection for the cause: the reader sees to what that means.
func (c *conn) abort(cause error) {
	c.mu.Lock()
	if c.closing.cause == nil {
		c.closing.cause = cause
	}
	c.updateRoom()
	c.mu.Unlock()
	_ = c.ready.Conn.Close() // Whatever it says, the reader is woken.
}

// wake makes sure that the reader looks at the time by then.
func (c *conn) wake(at time.Time) {
	if c.wakeAt.IsZero() || at.Before(c.wakeAt) {
		c.wakeAt = at
		// It fails only when the connection is closed, which wakes the reader as well.
		_ = c.net.SetReadDeadline(at)
	}
}

// begin opens a stream for the job. It reports false if there is no room for one.
func (c *conn) begin(j *job) bool {
	c.mu.Lock()
	if c.free.Load() <= 0 || !j.mayTry(c) {
		c.mu.Unlock()
		return false
	}
	if c.closing.due(j.start) {
		c.retire()
		c.wake(j.start) // If it is idle, nobody else wakes the reader.
		c.mu.Unlock()
		return false
	}
	buf, ok := c.headers.append(c.out.buf, j, c.streams.nextID, c.peer.maxHeaderBytes)
	if !ok {
		c.mu.Unlock()
		j.fail(errHeaderTooLong)
		return true
	}
	c.tapRequest(j.call.Tap, j, c.streams.opened() > 0)
	c.out.buf = buf
	s := c.streams.open(j, c.flow.initial)
	c.out.head(s)
	c.updateRoom()
	c.wake(s.deadline)
	full, nearing := c.out.full(), c.origin.quota.nearing(c.streams.left)
	if !c.writer.queued && !full {
		c.writer.queued = true
		c.client.unflushed.add(c)
	}
	c.mu.Unlock()
	if nearing {
		c.origin.makeAhead()
	}
	if full {
		c.flush()
	}
	return true
}

// outcomes are the results of reading that are handled once the lock is released: calls
// that have ended, jobs to start anew, and the quota that the server has shown; zero if none.
type outcomes struct {
	ended   []ending
	repeats []job
	quota   int
}

// ending is a call with its result.
type ending struct {
	call   *protocol.Call
	result protocol.Result
}

// finish finishes the calls that have ended.
func (o *outcomes) finish() {
	for i := range o.ended {
		e := &o.ended[i]
		e.call.Finish(e.result)
		*e = ending{}
	}
	o.ended = o.ended[:0]
}

// restart starts the jobs that need repeating, and reports whether there were any.
func (o *outcomes) restart() bool {
	some := len(o.repeats) > 0
	for i := range o.repeats {
		o.repeats[i].entry.origin.start(&o.repeats[i])
		o.repeats[i] = job{}
	}
	o.repeats = o.repeats[:0]
	return some
}
