//go:build unix

package dial

import "syscall"

// socket reads and writes by system calls of its own, one each where one does.
//
// On Linux the scheduler does not know of them. They do not block; announcing them wakes
// its monitor thread, which then polls for a while, and that costs more than the call.
type socket struct {
	raw syscall.RawConn

	// in is the buffer to read into, and n and readErr the result; emptied says that the
	// read took all that there was. looked says that the socket has been looked at before a
	// wait once.
	in      []byte
	emptied bool
	looked  bool
	n       int
	readErr error
	reading func(fd uintptr) bool

	// out holds the bytes to write, and written and writeErr the result.
	out      []byte
	written  int
	writeErr error
	writing  func(fd uintptr) bool
}

// open prepares the system calls, if there is a descriptor for them.
func (c *Conn) open() error {
	over, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := over.SyscallConn()
	if err != nil {
		return err
	}
	c.socket.raw, c.socket.reading, c.socket.writing = raw, c.readNow, c.socket.writeNow
	return nil
}

// direct reports whether there are system calls to be made.
func (c *Conn) direct() bool { return c.socket.raw != nil }

// read waits for something to come. It returns 0 at the end.
func (c *Conn) read(p []byte) (int, error) {
	if !c.direct() {
		return c.readPlain(p)
	}
	s := &c.socket
	s.in = p
	err := s.raw.Read(s.reading)
	s.in = nil
	if err == nil {
		err = s.readErr
	}
	if err != nil {
		return 0, opError("read", err)
	}
	s.emptied = s.n < len(p)
	return s.n, nil
}

// readNow is called first when the poller has forgotten that the socket was ready earlier,
// and then each time that it is ready. It reports whether there is nothing to wait for.
func (c *Conn) readNow(fd uintptr) bool {
	s := &c.socket
	if f := c.parked; f != nil {
		c.parked = nil
		// Servers that close behind each response do so behind the first one, too.
		if s.emptied && !s.looked {
			s.looked = true
			if s.readOnce(fd) {
				return true // It is over, and f need not know.
			}
		}
		f()
		if s.emptied {
			return false
		}
	}
	return s.readOnce(fd)
}

// readOnce reads what there is. It reports whether that was anything, or an error.
func (s *socket) readOnce(fd uintptr) bool {
	for {
		n, errno := sysRead(fd, s.in)
		switch errno {
		case 0:
			s.n, s.readErr = n, nil
			return true
		case syscall.EAGAIN:
			return false
		case syscall.EINTR:
		default:
			s.n, s.readErr = 0, errno
			return true
		}
	}
}

// write writes what the socket takes at once.
func (c *Conn) write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if !c.direct() {
		return c.writePlain(p)
	}
	s := &c.socket
	s.out, s.written, s.writeErr = p, 0, nil
	err := s.raw.Write(s.writing)
	s.out = nil
	if err == nil {
		err = s.writeErr
	}
	if err != nil {
		return 0, opError("write", err)
	}
	return s.written, nil
}

// writeNow writes once: a socket that does not take all of it is full.
func (s *socket) writeNow(fd uintptr) bool {
	for {
		n, errno := sysWrite(fd, s.out)
		switch errno {
		case 0:
			s.written = n
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			return true
		default:
			s.writeErr = errno
			return true
		}
	}
}
