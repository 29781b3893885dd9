package engine

import (
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// clockMonotonic is CLOCK_MONOTONIC, by which the runtime carries the time as well.
const clockMonotonic = 1

// newSystemWaiter returns the most precise waiter that there is: a fileWaiter, or a
// timerWaiter where the system refuses one, such as when no more files may be open.
func newSystemWaiter() waiter {
	w, err := newFileWaiter()
	if err != nil {
		return newTimerWaiter()
	}
	return w
}

// fileWaiter waits for a timer of the kernel, as a file in the runtime's poller: some
// 50 to 100 µs late, while the runtime rounds its own timers to milliseconds when it is idle.
//
// The time to wait is relative, so that steps of the wall clock do not matter to it:
// which moment of it is waited for is for the carried clock to say.
type fileWaiter struct {
	file *os.File
	conn syscall.RawConn
	// d is the time to wait. Once set, arm has set the timer.
	d   time.Duration
	set bool
	// armed is arm, which would otherwise be allocated for each wait.
	armed func(fd uintptr) bool
}

var _ waiter = (*fileWaiter)(nil)

func newFileWaiter() (*fileWaiter, error) {
	// The flags have the values of those of open on every platform.
	fd, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return nil, fmt.Errorf("timerfd_create: %w", errno)
	}
	// Of a file that does not block the runtime knows that the poller can wait for it.
	w := &fileWaiter{file: os.NewFile(fd, "timer")}
	conn, err := w.file.SyscallConn()
	if err == nil {
		// A file that the poller does not know has no deadlines.
		err = w.file.SetReadDeadline(time.Time{})
	}
	if err != nil {
		w.close()
		return nil, fmt.Errorf("poll a timer: %w", err)
	}
	w.conn, w.armed = conn, w.arm
	return w, nil
}

// wait parks the goroutine in the poller until the timer has expired. The file is
// never read: that it is readable is all there is to know, and when the timer is set
// again it is not any more. An expiry left from before ends the wait too early, which
// wait is allowed.
func (w *fileWaiter) wait(d time.Duration) {
	w.d, w.set = max(1, d), false
	if w.conn.Read(w.armed) != nil {
		// The deadline, since the waiter was woken. A wake before the next line does so for
		// something that its owner is going to look at anyway.
		_ = w.file.SetReadDeadline(time.Time{})
	}
}

// arm is called first when the poller has forgotten earlier expiries, and then after
// each new one. It reports whether the wait is over.
func (w *fileWaiter) arm(fd uintptr) bool {
	if w.set {
		return true
	}
	w.set = true
	timer := struct{ interval, value syscall.Timespec }{value: syscall.NsecToTimespec(int64(w.d))}
	//nolint:gosec // G103: the kernel takes the time by address.
	_, _, errno := syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&timer)), 0, 0, 0)
	return errno != 0
}

// wake ends a wait by a deadline that has passed, which wait then takes away.
func (w *fileWaiter) wake() {
	// It fails only when the file is closed, and then nobody waits.
	_ = w.file.SetReadDeadline(time.Unix(1, 0))
}

func (w *fileWaiter) close() {
	// There is nothing to write, and so nothing to lose.
	_ = w.file.Close()
}
