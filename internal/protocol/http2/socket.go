package http2

import (
	"net"
	"sync"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// socket is a connection as the network sees it, below TLS. It tells the Wire of its
// bytes, and its Write never waits: what the network does not take at once, a goroutine
// writes later. One goroutine reads it; many may write.
type socket struct {
	net.Conn
	wire protocol.Wire
	// raw reads and writes without waiting; nil where the system, or the connection, has
	// no way to.
	raw *raw
	// ahead holds what was read ahead; nil reads nothing ahead.
	ahead      []byte
	begin, end int

	mu sync.Mutex
	// rest is what is still to be written, with spare to take turns.
	rest, spare []byte
	// drains says that a goroutine writes the rest.
	drains bool
	// closed says that nobody needs what is written.
	closed bool
	// err is the first error of a write.
	err error
	// drained, if not nil, is called when there is no rest any more.
	drained func()
	work    *sync.WaitGroup
}

// newSocket returns a socket over c, whose goroutine is counted in work.
func newSocket(c net.Conn, wire protocol.Wire, work *sync.WaitGroup) *socket {
	return &socket{Conn: c, wire: wire, work: work, raw: newRaw(c)}
}

// readAhead makes reads take more than they are asked for. For TLS, which asks for
// little at a time.
func (s *socket) readAhead(n int) { s.ahead = make([]byte, n) }

// Read implements net.Conn.
func (s *socket) Read(p []byte) (int, error) {
	if s.ahead == nil || len(p) >= len(s.ahead) && s.begin == s.end {
		return s.receive(p)
	}
	if s.begin == s.end {
		n, err := s.receive(s.ahead)
		if err != nil {
			return 0, err
		}
		s.begin, s.end = 0, n
	}
	n := copy(p, s.ahead[s.begin:s.end])
	s.begin += n
	return n, nil
}

// receive reads from the network, waiting for bytes.
func (s *socket) receive(p []byte) (n int, err error) {
	if s.raw != nil {
		n, err = s.raw.read(p)
	} else {
		n, err = s.Conn.Read(p)
	}
	if n > 0 {
		s.wire.Transferred(0, n)
	}
	return n, err
}

// Write implements net.Conn. It takes everything.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	n := 0
	if s.raw != nil && !s.drains {
		if n, s.err = s.raw.write(p); s.err != nil {
			return 0, s.err
		}
		if n > 0 {
			s.wire.Transferred(n, 0)
		}
	}
	if n < len(p) {
		s.later(p[n:])
	}
	return len(p), nil
}

// later leaves a rest to a goroutine.
func (s *socket) later(p []byte) {
	if s.closed {
		return
	}
	s.rest = append(s.rest, p...)
	if !s.drains {
		s.drains = true
		s.work.Go(s.drain)
	}
}

// drain writes the rest, waiting for the network.
func (s *socket) drain() {
	s.mu.Lock()
	for len(s.rest) > 0 && s.err == nil {
		p := s.rest
		s.rest, s.spare = s.spare[:0], nil
		s.mu.Unlock()
		n, err := s.Conn.Write(p)
		s.wire.Transferred(n, 0)
		s.mu.Lock()
		s.spare, s.err = p[:0], err
	}
	s.drains = false
	drained := s.drained
	s.mu.Unlock()
	if drained != nil {
		drained()
	}
}

// stalled reports whether there is a rest to write.
func (s *socket) stalled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drains
}

// Close implements net.Conn.
func (s *socket) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.Conn.Close()
}
