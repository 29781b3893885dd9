package web

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// memoryFile is a file in memory with a path that never changes, for a library that reads
// nothing but files.
type memoryFile struct{ file *os.File }

// newMemoryFile returns a file with this content.
func newMemoryFile(content []byte) (*memoryFile, error) {
	fd, err := unix.MemfdCreate("web-config", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	m := &memoryFile{file: os.NewFile(uintptr(fd), "web-config")}
	if _, err := m.file.Write(content); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// path is where the file can be opened.
func (m *memoryFile) path() string { return fmt.Sprintf("/proc/self/fd/%d", m.file.Fd()) }

// become gives the file the content of another one, at once: who opens it gets the old content
// or the new one.
func (m *memoryFile) become(other *memoryFile) error {
	return os.NewSyscallError("dup3", unix.Dup3(int(other.file.Fd()), int(m.file.Fd()), unix.O_CLOEXEC))
}

func (m *memoryFile) close() { _ = m.file.Close() } // Nothing of it is on a disk.
