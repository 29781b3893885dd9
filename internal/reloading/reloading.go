// Package reloading keeps values that are made from files as current as the files.
package reloading

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// recheck is the least time between two looks at the same files.
const recheck = time.Second

// Value is a value made from files that is made anew when they change. Looking
// at it costs an atomic load; at most once a second one caller looks at the files'
// names, and reads them only when they changed. The last good value holds while the
// files are away or make no sense. Safe for concurrent use.
type Value[T any] struct {
	paths  []string
	build  func() (T, error)
	logger *slog.Logger
	born   time.Time
	value  atomic.Pointer[T]
	// next is the time since born at which the files are due to be looked at.
	next atomic.Int64

	mu      sync.Mutex // guards what follows; never waited for
	stamps  []os.FileInfo
	failing bool
}

// New returns the value that build makes from the files now, or why it
// cannot be made. Empty paths are left out; without any the value never changes.
func New[T any](logger *slog.Logger, build func() (T, error), paths ...string) (*Value[T], error) {
	r := &Value[T]{build: build, logger: logger, born: time.Now()}
	for _, p := range paths {
		if p != "" {
			r.paths = append(r.paths, p)
		}
	}
	r.next.Store(int64(recheck))
	if _, err := r.reload(); err != nil {
		return nil, err
	}
	return r, nil
}

// Get returns the value, fresh to about a second.
func (r *Value[T]) Get(now time.Time) T {
	if len(r.paths) > 0 && int64(now.Sub(r.born)) >= r.next.Load() && r.mu.TryLock() {
		r.refresh(now)
		r.mu.Unlock()
	}
	return *r.value.Load()
}

// refresh makes the value anew if the files changed, and tells the log when that
// begins or ceases to fail.
func (r *Value[T]) refresh(now time.Time) {
	r.next.Store(int64(now.Sub(r.born) + recheck))
	changed, err := r.reload()
	switch {
	case err != nil && !r.failing:
		r.logger.Warn("keeping the last good value of files that cannot be used", "files", r.paths, "err", err)
	case err == nil && (changed || r.failing):
		r.logger.Info("files read again", "files", r.paths)
	}
	r.failing = err != nil
}

// reload makes the value anew unless the files are the same as the last time. The
// stamps are taken before the files are read, so a change in between is seen later.
func (r *Value[T]) reload() (changed bool, err error) {
	stamps, err := stat(r.paths)
	if err != nil {
		return false, err
	}
	if r.value.Load() != nil && sameFiles(stamps, r.stamps) {
		return false, nil
	}
	v, err := r.build()
	if err != nil {
		return false, err
	}
	r.value.Store(&v)
	r.stamps = stamps
	return true, nil
}

// stat returns the state of all files, through symbolic links.
func stat(paths []string) ([]os.FileInfo, error) {
	infos := make([]os.FileInfo, 0, len(paths))
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// sameFiles reports whether all files are the same as before and look untouched.
func sameFiles(a, b []os.FileInfo) bool {
	for i := range a {
		if !os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime()) {
			return false
		}
	}
	return len(a) == len(b)
}

// TextOrFile returns the text, or where there is a file its content without space
// around it.
func TextOrFile(text, path string) (string, error) {
	if path == "" {
		return text, nil
	}
	if text != "" {
		return "", fmt.Errorf("file %q excludes a value beside it", path)
	}
	content, err := os.ReadFile(path) //nolint:gosec // The path comes from the operator's configuration.
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(content)), nil
}
