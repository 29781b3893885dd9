//go:build !linux

package web

import (
	"os"
)

// memoryFile is a file for a library that reads nothing but files. Here it is a temporary one that
// only this user may read.
type memoryFile struct{ name string }

// newMemoryFile returns a file with this content.
func newMemoryFile(content []byte) (*memoryFile, error) {
	f, err := os.CreateTemp("", "web-config")
	if err != nil {
		return nil, err
	}
	m := &memoryFile{name: f.Name()}
	if _, err = f.Write(content); err == nil {
		err = f.Close()
	}
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// path is where the file can be opened.
func (m *memoryFile) path() string { return m.name }

// become gives the file the content of another one, at once: who opens it gets the old content
// or the new one.
func (m *memoryFile) become(other *memoryFile) error { return os.Rename(other.name, m.name) }

func (m *memoryFile) close() { _ = os.Remove(m.name) } // If it cannot be removed, it stays.
