//go:build linux && !race

package dial

import (
	"syscall"
	"unsafe"
)

// sysRead reads from a descriptor that does not block; see Conn.
func sysRead(fd uintptr, p []byte) (int, syscall.Errno) {
	//nolint:gosec // G103: the kernel takes the buffer by address.
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// sysWrite writes to a descriptor that does not block; see Conn.
func sysWrite(fd uintptr, p []byte) (int, syscall.Errno) {
	//nolint:gosec // G103: the kernel takes the buffer by address.
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
