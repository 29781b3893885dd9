package http2

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// conn is a connection. Whoever starts a request writes its head into the connection's
// buffer; what is in the buffer goes out with Flush, in one write. One goroutine reads,
// and it alone ends streams and the connection itself.
type conn struct {
	client *Client
	origin *origin
	// net is what frames go through: the connection as it is, or TLS over it.
	net net.Conn
	// ready is how it was made.
	ready dial.Ready

	// born is when it was ready for requests.
	born time.Time
	// free is how many streams may be opened now, and busy how many are open, for those
	// who look for a connection.
	free, busy atomic.Int32

	mu sync.Mutex

	// streams are those that are open; they are in lists as well.
	streams           streamTable
	streamsByDeadline streamList
	bodies            streamList
	// nextID is the id of the next stream, and limit how many may be open: the server's
	// word. left is how many more streams there may ever be: ours.
	nextID uint32
	limit  int
	left   int
	// retired says that no stream is to be opened any more, and retireAt when that will
	// be so, if not zero.
	retired  bool
	retireAt time.Time

	encoder encoder
	scratch []byte
	// peer is what the server's SETTINGS say.
	peer peer
	// window is how much the server takes of all bodies.
	window int64

	// out is what is to be written, with spare to take turns; heads are the streams whose
	// heads are in it.
	out, spare []byte
	heads      []*stream
	// dirty says that Flush is going to look here; urgent, that what is in out must not
	// wait for it; writing, that somebody writes; pouring, that a goroutine does that
	// until all bodies are written; stalled, that the network takes no more for now.
	dirty, urgent, writing, pouring, stalled bool

	// dead says that the connection is at its end; cause, if not nil, why we end it, and
	// writeErr why it cannot be written any more.
	dead            bool
	cause, writeErr error

	// The rest is for the reading goroutine, with the lock or without.

	decoder decoder
	head    head
	// block is a header block that comes in several frames, of the stream with the id;
	// blockEnd says that it ends the stream.
	block    []byte
	blockID  uint32
	blockEnd bool
	// greeted says that the server's first SETTINGS came.
	greeted bool
	// goAway is what a GOAWAY said, and patience the bound of useless frames.
	goAway   *peerError
	patience patience
	// ticked says that the reader has just looked at the time.
	ticked bool
	// used says that an answer has come, on this connection.
	used bool
	// credit is what of bodies the server's window has not been given back; taken is
	// its window.
	credit int64

	// now is when the bytes came that are being read. heard is when any came last,
	// idleSince when the last stream ended, and pinged when a PING was sent that has not
	// been answered; zero if none was.
	now, heard, idleSince, pinged time.Time
	// wakeAt is when the reader is to look at the time.
	wakeAt time.Time

	// ended are the calls to finish and repeats the jobs to start anew, once the lock is
	// released.
	ended   []ending
	repeats []job
}

// ending is a call with its result.
type ending struct {
	call   *protocol.Call
	result protocol.Result
}

// peer is what a server's SETTINGS say, as far as it is not kept elsewhere.
type peer struct {
	maxFrame   int
	window     int64
	headerList int
}

const (
	// streamWindow is how much of a body the server may send ahead, and connWindow how
	// much of all bodies together.
	streamWindow = 1 << 20
	connWindow   = 1 << 30
	// maxHead is the longest head of an answer, in bytes.
	maxHead = 1 << 20
	// writeAt is how many bytes are written at once, without waiting for Flush.
	writeAt = 64 << 10
	// maxQueue is how many bytes may wait for a server that does not read, until no
	// streams are opened any more.
	maxQueue = 1 << 20
	// keepOut is the largest buffer that is kept for the next write.
	keepOut = 256 << 10
	// maxStreams is how many streams a connection has in its life, at most.
	maxStreams = lastStream / 2
	// maxOpen is how many it has at a time, at most.
	maxOpen = 1 << 20
)

// newConn returns a connection that has said hello, into its buffer.
func newConn(o *origin, r dial.Ready, now time.Time) *conn {
	c := &conn{
		client:            o.client,
		origin:            o,
		net:               r.Conn,
		ready:             r,
		born:              now,
		streamsByDeadline: streamList{which: byDeadline},
		bodies:            streamList{which: byBody},
		nextID:            1,
		limit:             o.client.assumed(o),
		left:              o.client.perConn,
		encoder:           newEncoder(o.client.fields, len(o.client.entries)),
		peer:              peer{maxFrame: maxFrame, window: firstWindow, headerList: maxWindow},
		window:            firstWindow,
		decoder:           newDecoder(o.client.tables),
		patience:          newPatience(now),
		heard:             now,
		idleSince:         now,
		retireAt:          o.client.retireAt(now),
	}
	if r.TLS != nil {
		c.net = r.TLS
	}
	c.dirty = true
	r.Conn.WhenWritten(c.resume)
	c.out = append(c.out, preface...)
	c.out = appendSettings(c.out, setting{settingPush, 0}, setting{settingInitialWindow, streamWindow},
		setting{settingMaxHeaderBytes, maxHead})
	c.out = appendNumber(c.out, frameWindowUpdate, 0, connWindow-firstWindow)
	c.room()
	return c
}

// room works out how many streams may be opened.
func (c *conn) room() {
	n := min(c.limit, maxOpen) - c.streams.n
	n = min(n, c.left)
	if c.retired || c.over() || len(c.out) > maxQueue {
		n = 0
	}
	c.free.Store(int32(max(0, n)))
	c.busy.Store(int32(c.streams.n))
}

// over reports whether the connection is at its end, or about to be.
func (c *conn) over() bool { return c.dead || c.cause != nil || c.writeErr != nil }

// retire lets no streams be opened any more.
func (c *conn) retire() {
	c.retired = true
	c.room()
}

// quit has the connection end with its last request.
func (c *conn) quit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retire()
	c.wake(time.Now())
}

// begin opens a stream for the job. It reports false if there is no room for one.
func (c *conn) begin(j *job) bool {
	c.mu.Lock()
	if c.free.Load() <= 0 {
		c.mu.Unlock()
		return false
	}
	if !c.retireAt.IsZero() && j.start.After(c.retireAt) {
		c.retire()
		c.wake(j.start) // If it is idle, nobody else tells the reader.
		c.mu.Unlock()
		return false
	}
	if !c.header(j) {
		c.mu.Unlock()
		j.fail(errHeaderTooLong)
		return true
	}
	c.tapRequest(j)
	s := c.streams.open(c.nextID)
	c.nextID += 2
	c.left--
	s.job, s.length, s.window, s.body = *j, -1, c.peer.window, j.entry.Body
	c.heads = append(c.heads, s)
	c.streamsByDeadline.insert(s)
	if len(s.body) > 0 {
		c.bodies.insert(s)
	}
	c.room()
	c.wake(s.deadline)
	full := len(c.out) >= writeAt
	if !c.dirty && !full {
		c.dirty = true
		c.client.dirt.add(c)
	}
	c.mu.Unlock()
	if full {
		c.flush()
	}
	return true
}

// wake makes sure that the reader looks at the time by then.
func (c *conn) wake(at time.Time) {
	if c.wakeAt.IsZero() || at.Before(c.wakeAt) {
		c.wakeAt = at
		// It fails only when the connection is closed, which wakes the reader as well.
		_ = c.net.SetReadDeadline(at)
	}
}

// shut ends the connection for the cause: the reader sees to what that means.
func (c *conn) shut(cause error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = cause
	}
	c.room()
	c.mu.Unlock()
	_ = c.ready.Conn.Close() // Whatever it says, the reader is woken.
}
