//go:build linux

package main

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	// spinBefore is how long before a response is due the receiver no longer sleeps, as
	// the kernel's timers are this coarse here.
	spinBefore = 1200 * time.Microsecond
	// idle is how often the receiver looks whether it is to stop.
	idle = 50 * time.Millisecond
	// readSize is how much is read from a connection at once.
	readSize = 16 << 10
)

// receiver is a target that notes when each request arrived. The kernel stamps what it
// receives, so that how long the receiver takes to wake up and to read does not count.
// It speaks HTTP/1.1 and HTTP/2, both without TLS, well enough for the tools of this
// suite, and responds by a script. It is for one thread.
type receiver struct {
	script   script
	keep     bool
	first    func(at int64)
	epoll    int
	listener int
	conns    map[int]*conn
	// accepted counts the connections, requests the requests.
	accepted uint32
	requests uint64
	began    int64
	pending  responses
	records  []record
	buffer   []byte
	control  []byte
}

// newReceiver returns a receiver that listens on a free port of loopback. first is
// called with the arrival of the first request; keep says whether to keep records.
func newReceiver(s script, keep bool, first func(at int64)) (*receiver, error) {
	r := &receiver{
		script: s, keep: keep, first: first, conns: map[int]*conn{},
		buffer: make([]byte, readSize), control: make([]byte, 128),
	}
	var err error
	if r.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if err := r.listen(); err != nil {
		_ = syscall.Close(r.epoll)
		return nil, fmt.Errorf("listen: %w", err)
	}
	return r, nil
}

// listen opens the listener. Connections inherit its options: requests leave
// at once, and arrivals are stamped.
func (r *receiver) listen() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	r.listener = fd
	return errors.Join(
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
		syscall.Listen(fd, 4096),
		r.watch(fd),
	)
}

func (r *receiver) watch(fd int) error {
	return syscall.EpollCtl(r.epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
}

// address returns where the receiver listens.
func (r *receiver) address() (netip.AddrPort, error) {
	name, err := syscall.Getsockname(r.listener)
	if err != nil {
		return netip.AddrPort{}, err
	}
	in, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		return netip.AddrPort{}, errors.New("the receiver's address is not of IPv4")
	}
	return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port)), nil
}

// serve responds until ctx ends.
func (r *receiver) serve(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var stop atomic.Bool
	defer context.AfterFunc(ctx, func() { stop.Store(true) })()
	defer r.close()
	events := make([]syscall.EpollEvent, 256)
	for !stop.Load() {
		n, err := syscall.EpollWait(r.epoll, events, r.timeout(time.Now().UnixNano()))
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("epoll: %w", err)
		}
		for _, e := range events[:max(0, n)] {
			r.ready(int(e.Fd))
		}
		r.respond(time.Now().UnixNano())
	}
	return nil
}

// timeout returns how long to sleep, in milliseconds. Shortly before a response is due
// it is 0, so that the receiver spins.
func (r *receiver) timeout(now int64) int {
	if len(r.pending) == 0 {
		return int(idle / time.Millisecond)
	}
	left := min(time.Duration(r.pending[0].due-now), idle)
	return int(max(0, left-spinBefore) / time.Millisecond)
}

func (r *receiver) ready(fd int) {
	if fd == r.listener {
		r.accept()
		return
	}
	if c := r.conns[fd]; c != nil && !r.read(c) {
		r.drop(c)
	}
}

func (r *receiver) accept() {
	for {
		fd, _, err := syscall.Accept4(r.listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		r.accepted++
		r.conns[fd] = &conn{fd: fd, number: r.accepted}
		if err := r.watch(fd); err != nil {
			r.drop(r.conns[fd])
		}
	}
}

func (r *receiver) drop(c *conn) {
	delete(r.conns, c.fd)
	c.gone = true
	_ = syscall.Close(c.fd)
}

func (r *receiver) close() {
	for _, c := range r.conns {
		_ = syscall.Close(c.fd)
	}
	_ = syscall.Close(r.listener)
	_ = syscall.Close(r.epoll)
}

// read takes what there is and reports whether the connection lives on.
func (r *receiver) read(c *conn) bool {
	for {
		n, controls, _, _, err := syscall.Recvmsg(c.fd, r.buffer, r.control, 0)
		switch {
		case errors.Is(err, syscall.EAGAIN):
			return true
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil || n == 0:
			return false
		}
		at, stamped := stamp(r.control[:controls])
		t, err := c.take(r.buffer[:n])
		if err != nil || !c.send(t.reply) {
			return false
		}
		for _, stream := range t.streams {
			r.arrived(c, stream, at, stamped)
		}
		if n < len(r.buffer) {
			return true
		}
	}
}

// stamp returns when the kernel received what came with this control message, and
// whether it said so; else the present time.
func stamp(control []byte) (at int64, stamped bool) {
	if messages, err := syscall.ParseSocketControlMessage(control); err == nil {
		for _, m := range messages {
			if m.Header.Level == syscall.SOL_SOCKET && m.Header.Type == syscall.SCM_TIMESTAMPNS && len(m.Data) >= int(unsafe.Sizeof(syscall.Timespec{})) {
				//nolint:gosec // G103: the kernel has written a timespec there.
				return (*syscall.Timespec)(unsafe.Pointer(&m.Data[0])).Nano(), true
			}
		}
	}
	return time.Now().UnixNano(), false
}

func (r *receiver) arrived(c *conn, stream uint32, at int64, stamped bool) {
	if r.requests == 0 {
		r.began = at
		r.first(at)
	}
	due := r.began + int64(r.script.respondedAt(r.requests, time.Duration(at-r.began)))
	r.requests++
	heap.Push(&r.pending, response{due: due, conn: c, stream: stream, record: len(r.records)})
	if r.keep {
		r.records = append(r.records, record{Conn: c.number, Stamped: stamped, Arrived: at})
	}
}

// respond sends the responses that are due.
func (r *receiver) respond(now int64) {
	for len(r.pending) > 0 && r.pending[0].due <= now {
		a, _ := heap.Pop(&r.pending).(response)
		if a.conn.gone {
			continue
		}
		if !a.conn.send(a.conn.response(a.stream)) {
			r.drop(a.conn)
			continue
		}
		if r.keep {
			r.records[a.record].Responded = time.Now().UnixNano()
		}
	}
}

// response is one that is due at an instant, in nanoseconds of Unix time.
type response struct {
	due    int64
	conn   *conn
	stream uint32
	record int
}

// responses is a heap, the next one first.
type responses []response

var _ heap.Interface = (*responses)(nil)

func (a responses) Len() int           { return len(a) }
func (a responses) Less(i, j int) bool { return a[i].due < a[j].due }
func (a responses) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }

// Push is for package heap.
func (a *responses) Push(x any) {
	if next, ok := x.(response); ok {
		*a = append(*a, next)
	}
}

// Pop is for package heap.
func (a *responses) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	*a = (*a)[:last]
	return x
}

// runReceiver is the process that the suite starts: it says where it listens and when
// the first request came, one line each, responds until ctx ends and then writes its
// records, if there is a file for them.
func runReceiver(ctx context.Context, s script, records string, out io.Writer) error {
	r, err := newReceiver(s, records != "", func(at int64) { fmt.Fprintln(out, at) })
	if err != nil {
		return err
	}
	address, err := r.address()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, address)
	if err := r.serve(ctx); err != nil || records == "" {
		return err
	}
	return writeRecords(records, r.records)
}
