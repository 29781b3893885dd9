package http2

import (
	"io"
	"net"
	"os"
	"syscall"
)

// raw reads and writes a socket without waiting for it.
type raw struct {
	conn syscall.RawConn
	// readable and writable are tryRead and tryWrite, which would otherwise be
	// allocated for each call.
	readable, writable func(fd uintptr) bool
	// in and out are what to read and write, got and put how much was, and the errors
	// how it went. One goroutine at a time reads, and one writes.
	in, out       []byte
	got, put      int
	inErr, outErr error
}

// newRaw returns the raw side of c; nil if it has none.
func newRaw(c net.Conn) *raw {
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	conn, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	r := &raw{conn: conn}
	r.readable, r.writable = r.tryRead, r.tryWrite
	return r
}

// read reads what is there, and waits until there is something.
//
// After a read that did not fill p one could wait without asking for more first, as
// long as no edge of the poller is lost. But an end that came together with the last
// bytes has no edge of its own, so that it takes another read to see it.
func (r *raw) read(p []byte) (int, error) {
	r.in = p
	err := r.conn.Read(r.readable)
	r.in = nil
	switch {
	case err != nil:
		return 0, err
	case r.inErr != nil:
		return 0, os.NewSyscallError("read", r.inErr)
	case r.got == 0:
		return 0, io.EOF
	}
	return r.got, nil
}

// tryRead reports whether there is nothing to wait for any more.
func (r *raw) tryRead(fd uintptr) bool {
	r.got, r.inErr = readNow(int(fd), r.in)
	return r.inErr != syscall.EAGAIN
}

// write writes what the network takes at once, and does not wait.
func (r *raw) write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r.out = p
	err := r.conn.Write(r.writable)
	r.out = nil
	switch {
	case err != nil:
		return 0, err
	case r.outErr == syscall.EAGAIN:
		return 0, nil
	case r.outErr != nil:
		return 0, os.NewSyscallError("write", r.outErr)
	}
	return r.put, nil
}

// tryWrite always reports that there is nothing to wait for.
func (r *raw) tryWrite(fd uintptr) bool {
	r.put, r.outErr = writeNow(int(fd), r.out)
	return true
}
