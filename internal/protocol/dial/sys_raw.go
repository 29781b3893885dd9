//go:build linux && !race && !386 && !s390x

package dial

import (
	"syscall"
	"unsafe"
)

// sysRead reads from a socket that does not block; see Conn. The kernel takes a shorter way to a socket
// by the calls for sockets than by those for files.
func sysRead(fd uintptr, p []byte) (int, syscall.Errno) {
	//nolint:gosec // G103: the kernel takes the buffer by address.
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), syscall.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// sysWrite writes to a socket that does not block; see Conn.
func sysWrite(fd uintptr, p []byte) (int, syscall.Errno) {
	//nolint:gosec // G103: the kernel takes the buffer by address.
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
