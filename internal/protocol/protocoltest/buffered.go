package protocoltest

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeRoom is how many bytes one end of a BufferedPipe writes ahead of what the other reads, about as
// many as a socket takes.
const pipeRoom = 256 << 10

// BufferedPipe returns two ends of a connection in memory, for bubbles of testing/synctest. Unlike
// net.Pipe's it has buffers, as a socket does: Write does not wait for the other end to read
// until they are full.
func BufferedPipe() (near, far net.Conn) {
	a, b := newStream(), newStream()
	return &pipeEnd{in: a, out: b}, &pipeEnd{in: b, out: a}
}

// pipeEnd is one end of a BufferedPipe.
type pipeEnd struct {
	in, out *stream
}

// pipeAddr is the address of both ends.
type pipeAddr struct{}

// Network implements net.Addr.
func (pipeAddr) Network() string { return "pipe" }

// String implements net.Addr.
func (pipeAddr) String() string { return "pipe" }

func (p *pipeEnd) Read(b []byte) (int, error)  { return p.in.read(b) }
func (p *pipeEnd) Write(b []byte) (int, error) { return p.out.write(b) }

// WriteNow writes what there is room for.
func (p *pipeEnd) WriteNow(b []byte) (int, error) { return p.out.put(b) }

// Close ends both directions: the other end reads all bytes written so far, and then
// io.EOF.
func (p *pipeEnd) Close() error {
	p.out.endWrites()
	p.in.endReads(net.ErrClosed)
	return nil
}

// CloseRead ends reading at this end, behind the bytes that have come.
func (p *pipeEnd) CloseRead() error {
	p.in.endWrites()
	return nil
}

// LocalAddr implements net.Conn.
func (p *pipeEnd) LocalAddr() net.Addr { return pipeAddr{} }

// RemoteAddr implements net.Conn.
func (p *pipeEnd) RemoteAddr() net.Addr { return pipeAddr{} }

// SetDeadline implements net.Conn.
func (p *pipeEnd) SetDeadline(t time.Time) error {
	_ = p.SetReadDeadline(t)
	return p.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (p *pipeEnd) SetReadDeadline(t time.Time) error {
	p.in.readUntil.set(p.in, t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (p *pipeEnd) SetWriteDeadline(t time.Time) error {
	p.out.writeUntil.set(p.out, t)
	return nil
}

// stream is one direction of a BufferedPipe.
type stream struct {
	mu sync.Mutex
	// changed is closed and replaced each time that something changes.
	changed chan struct{}
	data    []byte
	// readErr and writeErr, if not nil, are what reading, once data is empty, and writing end
	// with.
	readErr, writeErr     error
	readUntil, writeUntil deadline
}

// deadline is a time at which waiting ends.
type deadline struct {
	timer  *time.Timer
	passed bool
}

func newStream() *stream { return &stream{changed: make(chan struct{})} }

// notify wakes all waiting goroutines. The caller holds mu.
func (s *stream) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// set replaces a deadline; the zero time is none.
func (d *deadline) set(s *stream, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.stop()
	wait := time.Until(at)
	d.passed = !at.IsZero() && wait <= 0
	if !at.IsZero() && !d.passed {
		var timer *time.Timer
		timer = time.AfterFunc(wait, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if d.timer == timer {
				d.passed = true
				s.notify()
			}
		})
		d.timer = timer
	}
	s.notify()
}

// stop forgets the deadline, unless it has passed.
func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (s *stream) read(b []byte) (int, error) {
	for {
		n, changed, err := s.take(b)
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		<-changed
	}
}

// take reads what there is, and returns what to wait for where there is nothing.
func (s *stream) take(b []byte) (n int, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readUntil.passed {
		return 0, nil, os.ErrDeadlineExceeded
	}
	n = copy(b, s.data)
	s.data = s.data[n:]
	if n > 0 {
		s.notify()
		return n, nil, nil
	}
	return 0, s.changed, s.readErr
}

// put writes what there is room for.
func (s *stream) put(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.writeErr != nil:
		return 0, s.writeErr
	case s.writeUntil.passed:
		return 0, os.ErrDeadlineExceeded
	}
	n := min(len(b), pipeRoom-len(s.data))
	if n > 0 {
		s.data = append(s.data, b[:n]...)
		s.notify()
	}
	return n, nil
}

func (s *stream) write(b []byte) (n int, err error) {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		m, err := s.put(b[n:])
		n += m
		if err != nil || n == len(b) {
			return n, err
		}
		if m == 0 {
			<-changed
		}
	}
}

// endWrites ends the stream behind the bytes written so far.
func (s *stream) endWrites() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeUntil.stop()
	if s.writeErr == nil {
		s.writeErr = io.ErrClosedPipe
	}
	if s.readErr == nil {
		s.readErr = io.EOF
	}
	s.notify()
}

// endReads ends the stream at once: reads return this error.
func (s *stream) endReads(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readUntil.stop()
	s.data, s.readErr, s.writeErr = nil, err, io.ErrClosedPipe
	s.notify()
}
