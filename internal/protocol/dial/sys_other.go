//go:build unix && (!linux || race || 386 || s390x)

package dial

import (
	"errors"
	"syscall"
)

// sysRead reads from a descriptor that does not block. The race detector hears of it, so
// that it knows that sends come before their receipt.
func sysRead(fd uintptr, p []byte) (int, syscall.Errno) { return plain(syscall.Read(int(fd), p)) }

// sysWrite writes to a descriptor that does not block.
func sysWrite(fd uintptr, p []byte) (int, syscall.Errno) { return plain(syscall.Write(int(fd), p)) }

// plain makes the error of a system call what it is.
func plain(n int, err error) (int, syscall.Errno) {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return 0, errno
	}
	return n, 0
}
