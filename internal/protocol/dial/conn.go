package dial

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// maxPending is how much a Conn keeps of what its socket does not take.
const maxPending = 64 << 20

// A response that comes in many small pieces costs a system call for each. After maxTrickle
// reads of less than trickleSize bytes without a write in between, each read is preceded by a
// pause, so that what comes meanwhile is read at once.
const (
	maxTrickle   = 1000
	trickleSize  = 256
	tricklePause = time.Millisecond
)

// errPending is a peer that does not read while more and more waits to be written.
var errPending = errors.New("too much is waiting to be written")

// The states of a Conn.
const (
	connMaking int32 = iota
	connOpen
	connClosed
)

// yields is how often Unwritten gives way to the goroutine that writes.
const yields = 100_000

// nowWriter is a connection without a descriptor that can be written as one with: it takes
// what it has room for, and does not wait.
type nowWriter interface {
	WriteNow(p []byte) (int, error)
}

// Conn is a TCP connection for clients that send from one goroutine and read in another, or the
// UDP socket below a connection that a Handshake made, which is read and written as Packets.
// Its Write does not wait: bytes that the socket does not take at once are written in the
// background. It counts bytes and reports its life to the observer. It may stand below TLS. Reads
// must not overlap, nor must Writes; otherwise it is safe for concurrent use.
type Conn struct {
	net.Conn
	observer protocol.ConnObserver
	// socket is how the system's own calls are made, where there are such.
	socket socket

	state atomic.Int32

	// parked is called before the next wait.
	parked func()
	// trickle is how many reads brought next to nothing since something was written.
	trickle atomic.Int32

	// mu guards what waits to be written, and whether somebody writes it.
	mu      sync.Mutex
	pending []byte
	busy    bool
	// drained, if not nil, is called when nothing waits any more.
	drained func()
	// failed is why it cannot be written any more; nil if it can.
	failed error
	// drains is what writes in the background.
	drains sync.WaitGroup
	// descriptors are where its own one came from; nil if nobody counts them.
	descriptors *Descriptors
	// fence knows it while it is open; nil if there is none.
	fence *Fence
	// gone is called when it has been closed; nil if nobody counts it.
	gone func()
	// over is what a Handshake made over it, which is closed first; nil with TCP.
	over io.Closer
}

// NewConn returns a Conn over a TCP connection, or over another one that need not have a
// descriptor, such as net.Pipe's: that is written in the background only, unless it has a
// method WriteNow(p []byte) (int, error) that takes what there is room for and does not wait.
func NewConn(c net.Conn, observer protocol.ConnObserver) (*Conn, error) {
	d := &Conn{Conn: c, observer: observer}
	if err := d.open(); err != nil {
		return nil, err
	}
	return d, nil
}

// Open reports to the observer that the connection is ready for requests. It fails if the
// connection was closed meanwhile. The order of the two keeps Opened before Closed.
func (c *Conn) Open(p protocol.Phases) error {
	c.observer.Opened(p)
	if !c.state.CompareAndSwap(connMaking, connOpen) {
		c.observer.Closed()
		return ErrClosed
	}
	return nil
}

// Close implements net.Conn. Only the first call counts.
func (c *Conn) Close() error {
	switch c.state.Swap(connClosed) {
	case connClosed:
		return nil
	case connOpen:
		c.observer.Closed()
	}
	if c.over != nil {
		_ = c.over.Close() // It says goodbye; whether that is heard does not matter.
	}
	err := c.Conn.Close()
	c.descriptors.give()
	c.fence.remove(c)
	c.countFor(nil)
	return err
}

// countFor has gone called when the connection has been closed, and whom it counted for so
// far called now.
func (c *Conn) countFor(gone func()) {
	c.mu.Lock()
	before := c.gone
	c.gone = gone
	c.mu.Unlock()
	if before != nil {
		before()
	}
}

// Wait waits for the background writes of a closed connection to end: from then on it
// reports nothing more to the observer.
func (c *Conn) Wait() { c.drains.Wait() }

// BeforeWait has the next Read call f before it waits. Bytes that come from then on are
// noticed, so f may let another goroutine write the next request. If the last Read has emptied
// the socket, the next one does not look at it before it waits, which saves a system call;
// when the peer closes the connection at that very moment, this goes unnoticed until something
// is written. The first time, Read does look before it calls f, and then calls f only if the
// connection has not ended: many servers close each connection behind its first response.
//
// Use it only when nothing more will come except in response to writes, and not while a
// Read is under way. f must not close the connection.
func (c *Conn) BeforeWait(f func()) { c.parked = f }

// Read implements net.Conn. When the connection has failed to be written, it returns the
// bytes that came before that, which may say why, and then that failure.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.trickle.Load() > maxTrickle {
		time.Sleep(tricklePause)
	}
	n, err := c.read(p)
	if n > 0 {
		c.observer.Transferred(0, n)
		if n < trickleSize {
			c.trickle.Add(1)
		}
		return n, err
	}
	if err == nil {
		err = io.EOF
	}
	if failed := c.failure(); failed != nil {
		err = failed
	}
	return 0, err
}

// readPlain reads where there are no system calls to be made.
func (c *Conn) readPlain(p []byte) (int, error) {
	if f := c.parked; f != nil {
		c.parked = nil
		f()
	}
	return c.Conn.Read(p)
}

// writePlain writes the bytes that the socket takes at once, where there are no system
// calls to be made.
func (c *Conn) writePlain(p []byte) (int, error) {
	if w, ok := c.Conn.(nowWriter); ok {
		return w.WriteNow(p)
	}
	return 0, nil
}

// Write implements net.Conn. It takes all of p, or fails.
func (c *Conn) Write(p []byte) (int, error) {
	if c.trickle.Load() > 0 {
		c.trickle.Store(0)
	}
	c.mu.Lock()
	busy, failed := c.busy, c.failed
	c.mu.Unlock()
	if failed != nil {
		return 0, failed
	}
	n := 0
	if !busy {
		var err error
		if n, err = c.write(p); n > 0 {
			c.observer.Transferred(n, 0)
		}
		if err != nil {
			c.Fail(err)
			return n, err
		}
		if n == len(p) {
			return n, nil
		}
	}
	if err := c.keep(p[n:]); err != nil {
		c.Fail(err)
		return n, err
	}
	return len(p), nil
}

// keep keeps what cannot be written yet, and sees that somebody writes it.
func (c *Conn) keep(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending)+len(p) > maxPending {
		return opError("write", errPending)
	}
	c.pending = append(c.pending, p...)
	if !c.busy {
		c.busy = true
		c.drains.Go(c.drain)
	}
	return nil
}

// drain writes the pending bytes, and waits for the peer to take them. Closing the
// connection ends it; the reader gets its error.
func (c *Conn) drain() {
	for {
		c.mu.Lock()
		p := c.pending
		c.pending = nil
		if len(p) == 0 {
			c.busy = false
			drained := c.drained
			c.mu.Unlock()
			if drained != nil {
				drained()
			}
			return
		}
		c.mu.Unlock()
		n, err := c.Conn.Write(p)
		if n > 0 {
			c.observer.Transferred(n, 0)
		}
		if err != nil {
			c.Fail(err)
			return // Still busy: whatever is written from now on is for nobody.
		}
	}
}

// Fail says that the connection cannot be written any more: Read, which may be waiting,
// returns this error once it has returned all bytes that came. Only the first call counts.
// It does not wait.
func (c *Conn) Fail(err error) {
	c.mu.Lock()
	first := c.failed == nil
	if first {
		c.failed = err
	}
	c.mu.Unlock()
	if first {
		c.endReads()
	}
}

// endReads has reads end when they have returned all bytes that came.
func (c *Conn) endReads() {
	half, ok := c.Conn.(interface{ CloseRead() error })
	if ok {
		// Of a connection that has been reset Linux says that there is none, but wakes who
		// waits for it.
		err := half.CloseRead()
		ok = err == nil || runtime.GOOS == "linux"
	}
	if !ok {
		c.drains.Go(func() { _ = c.Close() }) // It would wait for Read.
	}
}

func (c *Conn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// WhenWritten has f called, by another goroutine, each time that what waited to be written
// has been written.
func (c *Conn) WhenWritten(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drained = f
}

// Unwritten reports whether something waits to be written.
func (c *Conn) Unwritten() bool {
	busy := c.writing()
	if _, now := c.Conn.(nowWriter); now || c.direct() {
		return busy
	}
	// What the peer has just taken is written, although who wrote it may not know yet.
	for i := 0; busy && i < yields; i++ {
		runtime.Gosched()
		busy = c.writing()
	}
	return busy
}

// writing reports whether somebody writes in the background.
func (c *Conn) writing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy
}

func opError(op string, err error) error {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Err: err}
}

// Ready is a connection that was made for a call.
type Ready struct {
	Conn *Conn
	// TLS is the TLS to speak over: with the target, or, for a target in the clear, with a
	// proxy, if that has any; nil if Conn is spoken over as it is.
	TLS *tls.Conn
	// Over is what the target's Handshake made over Conn; nil with TCP.
	Over io.Closer
	// Addr is what it was made to, as host:port.
	Addr   string
	Phases protocol.Phases
	// Began is when making it began.
	Began time.Time

	// resolved is what the name was resolved to for it.
	resolved resolution
}

// Facts returns what there is to know of the connection.
func (r Ready) Facts(reused bool) protocol.Connection {
	c := protocol.Connection{Reused: reused, Local: r.Conn.LocalAddr(), Remote: r.Conn.RemoteAddr(), Phases: r.Phases}
	if r.TLS != nil {
		s := r.TLS.ConnectionState()
		c.TLS = &s
	}
	return c
}
