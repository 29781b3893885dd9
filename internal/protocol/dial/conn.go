package dial

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// maxPending is how much a Conn keeps of what its socket does not take.
const maxPending = 64 << 20

// errPending is a peer that does not read while more and more is to be written.
var errPending = errors.New("too much is waiting to be written")

// The states of a Conn.
const (
	connMaking int32 = iota
	connOpen
	connClosed
)

// Conn is a TCP connection for clients that send from one goroutine and read in another.
// Its Write does not wait: what the socket does not take at once is written in the
// background. It counts bytes and tells the Wire of its life. It may stand below TLS.
// Reads must not overlap, nor must Writes; otherwise it is safe for concurrent use.
//
// On Linux it reads and writes by system calls that the scheduler is not told of. They do
// not block; to tell it wakes its monitor thread, which then polls for a while, and that
// costs more than the call.
type Conn struct {
	net.Conn
	raw  syscall.RawConn
	wire protocol.Wire

	state atomic.Int32

	// in is what is read into, n and readErr what came of it; emptied says that it was all
	// that there was, and parked is to be called before the next wait.
	in      []byte
	emptied bool
	n       int
	readErr error
	parked  func()
	reading func(fd uintptr) bool

	// out is what is written, and written and writeErr what came of it.
	out      []byte
	written  int
	writeErr error
	writing  func(fd uintptr) bool

	// mu guards what waits to be written, and whether somebody writes it.
	mu      sync.Mutex
	pending []byte
	busy    bool
	// drained, if not nil, is called when nothing waits any more.
	drained func()
}

// NewConn returns a Conn over a TCP connection.
func NewConn(c net.Conn, wire protocol.Wire) (*Conn, error) {
	over, ok := c.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	raw, err := over.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := &Conn{Conn: c, raw: raw, wire: wire}
	d.reading, d.writing = d.readNow, d.writeNow
	return d, nil
}

// Open tells the Wire that the connection is ready for requests. It fails if the
// connection was closed meanwhile. The order of the two keeps Opened before Closed.
func (c *Conn) Open(p protocol.Phases) error {
	c.wire.Opened(p)
	if !c.state.CompareAndSwap(connMaking, connOpen) {
		c.wire.Closed()
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
		c.wire.Closed()
	}
	return c.Conn.Close()
}

// BeforeWait has the next Read call f before it waits: when whatever comes from then on
// is noticed. So f may have written, by somebody else, what the next answer is for. If
// the last Read has emptied the socket, the next one does not look at it before it waits,
// which saves a system call; when the peer closes the connection at that very moment,
// this goes unnoticed until something is written.
//
// Use it only when nothing more is to come but what is written for, and not while a Read
// is under way. f must not close the connection.
func (c *Conn) BeforeWait(f func()) { c.parked = f }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.in = p
	err := c.raw.Read(c.reading)
	c.in = nil
	if err == nil {
		err = c.readErr
	}
	if err != nil {
		return 0, opError("read", err)
	}
	if c.n == 0 {
		return 0, io.EOF
	}
	c.emptied = c.n < len(p)
	c.wire.Transferred(0, c.n)
	return c.n, nil
}

// readNow is called first when the poller has forgotten what was ready earlier, and then
// each time that something is ready. It reports whether there is nothing to wait for.
func (c *Conn) readNow(fd uintptr) bool {
	if f := c.parked; f != nil {
		c.parked = nil
		f()
		if c.emptied {
			return false
		}
	}
	for {
		n, errno := sysRead(fd, c.in)
		switch errno {
		case 0:
			c.n, c.readErr = n, nil
			return true
		case syscall.EAGAIN:
			return false
		case syscall.EINTR:
		default:
			c.n, c.readErr = 0, errno
			return true
		}
	}
}

// Write implements net.Conn. It takes all of p, or fails.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.busy {
		defer c.mu.Unlock()
		return c.keep(p)
	}
	c.mu.Unlock()
	c.out, c.written, c.writeErr = p, 0, nil
	err := c.raw.Write(c.writing)
	c.out = nil
	if err == nil {
		err = c.writeErr
	}
	if c.written > 0 {
		c.wire.Transferred(c.written, 0)
	}
	if err != nil {
		return c.written, opError("write", err)
	}
	if c.written == len(p) {
		return len(p), nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.keep(p[c.written:]); err != nil {
		return c.written, err
	}
	c.busy = true
	go c.drain()
	return len(p), nil
}

// writeNow writes as much as the socket takes.
func (c *Conn) writeNow(fd uintptr) bool {
	for c.written < len(c.out) {
		n, errno := sysWrite(fd, c.out[c.written:])
		switch errno {
		case 0:
			c.written += n
		case syscall.EINTR:
		case syscall.EAGAIN:
			return true
		default:
			c.writeErr = errno
			return true
		}
	}
	return true
}

// keep keeps what cannot be written yet. The caller holds mu.
func (c *Conn) keep(p []byte) (int, error) {
	if len(c.pending)+len(p) > maxPending {
		return 0, opError("write", errPending)
	}
	c.pending = append(c.pending, p...)
	return len(p), nil
}

// drain writes what is pending, and waits for the peer to take it. Closing the connection
// ends it; who reads will notice what is wrong.
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
		c.wire.Transferred(n, 0)
		if err != nil {
			_ = c.Close()
			return // Still busy: whatever is written from now on is for nobody.
		}
	}
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
	// TLS is the TLS over Conn; nil in the clear.
	TLS *tls.Conn
	// Addr is what it was made to, as host:port.
	Addr   string
	Phases protocol.Phases
	// Began is when making it began.
	Began time.Time
}
