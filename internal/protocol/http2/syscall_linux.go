//go:build linux && !race

package http2

import (
	"syscall"
	"unsafe"
)

// readNow reads from a file that does not block.
func readNow(fd int, p []byte) (int, error) { return call(syscall.SYS_READ, fd, p) }

// writeNow writes to a file that does not block.
func writeNow(fd int, p []byte) (int, error) { return call(syscall.SYS_WRITE, fd, p) }

// call makes a system call on a file and bytes, of which there is at least one, until no
// signal interrupts it. The scheduler is not told: the call does not block, and telling
// can wake the runtime's monitor, which then looks around every 20 µs for a while, and
// that costs more than all the rest of a request.
func call(number uintptr, fd int, p []byte) (int, error) {
	for {
		//nolint:gosec // G103: the kernel takes the bytes by address.
		n, _, errno := syscall.RawSyscall(number, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
