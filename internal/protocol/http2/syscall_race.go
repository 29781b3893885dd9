//go:build linux && race

package http2

import "syscall"

// readNow reads from a file that does not block, in the way that the race detector takes
// for a point of order between processes.
func readNow(fd int, p []byte) (int, error) { return again(syscall.Read, fd, p) }

// writeNow writes to a file that does not block, likewise.
func writeNow(fd int, p []byte) (int, error) { return again(syscall.Write, fd, p) }

// again makes a system call until no signal interrupts it.
func again(call func(int, []byte) (int, error), fd int, p []byte) (int, error) {
	for {
		n, err := call(fd, p)
		if err != syscall.EINTR { //nolint:errorlint // It is the kernel's own.
			return max(0, n), err
		}
	}
}
