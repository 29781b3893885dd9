package httpstd

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// The states of a conn.
const (
	connMaking int32 = iota
	connOpen
	connClosed
)

// conn is a connection that counts its bytes, tells the Wire of its life, and
// remembers what broke it. It stands below TLS. Safe for concurrent use as any
// net.Conn.
type conn struct {
	net.Conn
	wire protocol.Wire
	set  *connSet
	// ready is when the connection became ready for requests, and phases are the
	// steps on the way; both are set before it is handed out.
	ready  time.Time
	phases protocol.Phases

	// frames follows an HTTP/2 connection in the clear; nil on any other.
	frames *frames

	state  atomic.Int32
	broken atomic.Pointer[error]
	// heard is when the last bytes came, as a time since ready.
	heard atomic.Int64
}

// open tells the Wire that the connection is ready. It fails if the connection was
// closed meanwhile. The order of the two keeps Opened before Closed.
func (c *conn) open(p protocol.Phases) error {
	c.ready, c.phases = time.Now(), p
	c.wire.Opened(p)
	if !c.state.CompareAndSwap(connMaking, connOpen) {
		c.wire.Closed()
		return dial.ErrClosed
	}
	return nil
}

// Close implements net.Conn. Only the first call counts.
func (c *conn) Close() error {
	before := c.state.Swap(connClosed)
	if before == connClosed {
		return nil
	}
	c.set.remove(c)
	if before == connOpen {
		c.wire.Closed()
	}
	return c.Conn.Close()
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.wire.Transferred(0, n)
		c.heard.Store(int64(time.Since(c.ready)))
		c.follow(c.frames, p[:n])
	}
	c.note(err)
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.wire.Transferred(n, 0)
	}
	c.note(err)
	return n, err
}

// note remembers the first error that came from outside. Our own closing and our
// own deadlines are not among them.
func (c *conn) note(err error) {
	if err == nil || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	c.broken.CompareAndSwap(nil, &err)
}

// follow notes a goodbye among the frames.
func (c *conn) follow(f *frames, p []byte) {
	if f != nil && f.follow(p) {
		c.note(errGoAway)
	}
}

// silence returns how long nothing has come.
func (c *conn) silence() time.Duration {
	if c == nil {
		return 0
	}
	return time.Since(c.ready) - time.Duration(c.heard.Load())
}

// failure returns what broke the connection; nil if nothing did.
func (c *conn) failure() error {
	if c == nil {
		return nil
	}
	if err := c.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// closeTimeout is how long TLS may take to say goodbye to a peer that does not read.
const closeTimeout = 250 * time.Millisecond

// tlsStream is TLS over a conn. It remembers for the conn what only TLS sees: an
// orderly close, an alert, the frames of HTTP/2. net/http gets it in place of the
// *tls.Conn.
type tlsStream struct {
	*tls.Conn
	under *conn
	// frames follows HTTP/2; nil on HTTP/1.
	frames *frames
}

// Read implements net.Conn. An end that comes with the last bytes is told after them,
// since it did not break what they say; crypto/tls repeats it.
func (s *tlsStream) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if n > 0 {
		s.under.follow(s.frames, p[:n])
		return n, nil
	}
	s.under.note(err)
	return n, err
}

// Write implements net.Conn.
func (s *tlsStream) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	s.under.note(err)
	return n, err
}

// Close implements net.Conn. It does not wait long for a peer that does not read.
func (s *tlsStream) Close() error {
	hurry := time.AfterFunc(closeTimeout, func() { _ = s.under.Close() })
	defer hurry.Stop()
	return s.Conn.Close()
}

// underlying returns the conn that lies below what was dialled, and its TLS if it
// has any; nil for strangers.
func underlying(c net.Conn) (*conn, *tls.Conn) {
	switch c := c.(type) {
	case *conn:
		return c, nil
	case *tlsStream:
		return c.under, c.Conn
	default:
		return nil, nil
	}
}

// connSet holds all connections of a client and all that are being made, so that
// their number is bounded and none outlives the client. Safe for concurrent use.
type connSet struct {
	limit int

	mu      sync.Mutex
	closed  bool
	members map[io.Closer]struct{}
}

// newConnSet returns an empty set of at most limit members.
func newConnSet(limit int) *connSet {
	return &connSet{limit: limit, members: make(map[io.Closer]struct{})}
}

// add admits a member unless the set is full or closed.
func (s *connSet) add(c io.Closer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return dial.ErrClosed
	}
	if len(s.members) >= s.limit {
		return dial.ErrTooManyConns
	}
	s.members[c] = struct{}{}
	return nil
}

// replace puts one member in the place of another, unless the set is closed.
func (s *connSet) replace(before, after io.Closer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.members, before)
	if s.closed {
		return dial.ErrClosed
	}
	s.members[after] = struct{}{}
	return nil
}

// remove lets a member go.
func (s *connSet) remove(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.members, c)
}

// close closes all members and admits no more.
func (s *connSet) close() {
	s.mu.Lock()
	s.closed = true
	members := s.members
	s.members = make(map[io.Closer]struct{})
	s.mu.Unlock()
	for c := range members {
		_ = c.Close() // It is being given up; there is nobody to tell.
	}
}
