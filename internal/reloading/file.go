package reloading

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// Patience is how long a file is waited for.
	Patience = 5 * time.Second
	// MaxSize bounds a file with a credential or certificates, in bytes.
	MaxSize = 1 << 20
)

// ReadFile returns the content of a regular file of at most limit bytes. It returns an error
// when the file system has not responded within Patience; a goroutine then waits for it.
func ReadFile(path string, limit int) ([]byte, error) {
	return readFile(system{}, path, limit)
}

// Read returns the content of a regular file of at most limit bytes. It waits for the file
// system, however long that takes.
func Read(path string, limit int) ([]byte, error) { return system{}.read(path, limit) }

func readFile(d disk, path string, limit int) ([]byte, error) {
	return Within(func() ([]byte, error) { return d.read(path, limit) }, path)
}

// Within returns what f returns, which reads these files, or an error that names them when f has
// not returned within Patience; a goroutine then waits for it.
func Within[T any](f func() (T, error), paths ...string) (T, error) {
	return within(Patience, f, paths...)
}

func within[T any](patience time.Duration, f func() (T, error), paths ...string) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.value, r.err
	case <-timer.C:
		var zero T
		return zero, &fs.PathError{Op: "read", Path: strings.Join(paths, ", "), Err: ErrHangs}
	}
}

// Alarm calls ring, once, unless it is stopped before that time is over. When stop returns,
// ring has returned or will not be called.
func Alarm(after time.Duration, ring func()) (stop func()) {
	var mu sync.Mutex
	stopped := false
	timer := time.AfterFunc(after, func() {
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			ring()
		}
	})
	return func() {
		timer.Stop()
		mu.Lock()
		defer mu.Unlock()
		stopped = true
	}
}

// disk is a file system, which may not respond.
type disk interface {
	stat(path string) (os.FileInfo, error)
	read(path string, limit int) ([]byte, error)
}

// system is the file system of the operating system.
type system struct{}

var _ disk = system{}

func (system) stat(path string) (os.FileInfo, error) { return os.Stat(path) }

// read opens without waiting: a pipe that nobody writes to would be waited for.
func (system) read(path string, limit int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // The path comes from the operator.
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // It has only been read.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, refuse(path, "found %s, expected a regular file", kind(info.Mode()))
	}
	var content bytes.Buffer
	content.Grow(int(min(info.Size(), int64(limit))) + bytes.MinRead) // A buffer that grows takes twice as much.
	if _, err := content.ReadFrom(io.LimitReader(f, int64(limit)+1)); err != nil {
		return nil, err
	}
	if content.Len() > limit {
		return nil, refuse(path, "found more than %d bytes, expected fewer", limit)
	}
	return content.Bytes(), nil
}

// refuse returns an error about a file, such as the operating system returns.
func refuse(path, format string, args ...any) error {
	return &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf(format, args...)}
}

// kind names the type of a file that is not a regular one.
func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeDevice != 0:
		return "a device"
	default:
		return "a special file"
	}
}
