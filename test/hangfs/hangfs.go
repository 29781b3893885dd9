//go:build linux

// Package hangfs makes a file system for tests that does not respond, as an NFS server that is
// away does not.
package hangfs

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
)

// Over mounts a file system on a folder: everything that opens a file in it, or asks for its
// state, waits. The function that it returns, and the end of the test, unmount it: then those who
// wait get an error, and the folder has its files again. The test is skipped where it may not
// mount.
//
// It is one of FUSE to whose requests nobody responds.
func Over(tb testing.TB, dir string) (heal func()) {
	tb.Helper()
	fd, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		tb.Skipf("open /dev/fuse: %v", err)
	}
	if err := syscall.Mount("hangfs", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)); err != nil {
		_ = syscall.Close(fd)
		tb.Skipf("mount: %v", err)
	}
	heal = sync.OnceFunc(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			tb.Errorf("unmount %s: %v", dir, err)
		}
		_ = syscall.Close(fd) // It ends all requests.
	})
	tb.Cleanup(heal)
	return heal
}
