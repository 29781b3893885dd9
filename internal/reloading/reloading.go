// Package reloading reads files that may be changed, may be away, or may be on a file
// system that does not respond: nobody waits for them longer than Patience. It keeps values that
// are made from files as current as the files.
package reloading

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// recheck is the least time between two looks at the same files.
const recheck = time.Second

// ErrHangs is a file system that has not responded in time.
var ErrHangs = fmt.Errorf("no response from the file system within %v", Patience)

// Options say what a Value is made from.
type Options struct {
	// Paths are the files. Empty ones are left out; without any the value never changes.
	Paths []string
	// MaxSize bounds each of them, in bytes; 0 is the constant of that name.
	MaxSize int
	// Failed, if not nil, is called for each look at the files that fails, and once a second
	// while one does not end. It may be called concurrently and must not block.
	Failed func()
	// Logger gets a line when looks begin to fail and one when they cease to.
	Logger *slog.Logger
}

// Value is a value made from files that is made anew when they change. Getting it never
// waits for a file: the files are looked at in the background, at most once a second and
// only while somebody gets the value. They are read when they have changed. The last good
// value holds while the files are away, make no sense or cannot be read in time. Safe for
// concurrent use.
//
// Nobody waits for a look that is going on, since the file system may never respond. There
// is one at most for each Value.
type Value[T any] struct {
	paths  []string
	limit  int
	build  func(Files) (T, error)
	failed func()
	logger *slog.Logger
	born   time.Time
	value  atomic.Pointer[T]
	// next is the time since born at which the files are due to be looked at.
	next atomic.Int64
	// looking says that somebody looks at the files, who owns stamps then, and failing that
	// the last look has failed or does not end.
	looking, failing atomic.Bool
	stamps           []os.FileInfo
	// disk is where the files are.
	disk disk
}

// New returns the value that build makes from the files now, or why it cannot be made.
func New[T any](o Options, build func(Files) (T, error)) (*Value[T], error) {
	return newValue(o, build, system{})
}

func newValue[T any](o Options, build func(Files) (T, error), d disk) (*Value[T], error) {
	r := &Value[T]{limit: cmp.Or(o.MaxSize, MaxSize), build: build, failed: o.Failed, logger: o.Logger, born: time.Now(), disk: d}
	for _, p := range o.Paths {
		if p != "" {
			r.paths = append(r.paths, p)
		}
	}
	if r.failed == nil {
		r.failed = func() {}
	}
	r.next.Store(int64(recheck))
	read, err := Within(r.read, r.paths...)
	if err != nil {
		return nil, err
	}
	if err := r.make(read); err != nil {
		return nil, err
	}
	return r, nil
}

// Get returns the value, fresh to about a second.
func (r *Value[T]) Get(now time.Time) T {
	if len(r.paths) > 0 {
		since := int64(now.Sub(r.born))
		if next := r.next.Load(); since >= next && r.next.CompareAndSwap(next, since+int64(recheck)) {
			r.due()
		}
	}
	return *r.value.Load()
}

// Failing reports whether the last look at the files failed, or does not end: the value is then
// what they held before.
func (r *Value[T]) Failing() bool { return r.failing.Load() }

// due begins a look at the files, unless one is going on.
func (r *Value[T]) due() {
	if r.looking.CompareAndSwap(false, true) {
		go r.look()
	} else if r.failing.Load() {
		r.failed() // Or the one that does not end would count only once.
	}
}

// look makes the value anew if the files changed.
func (r *Value[T]) look() {
	defer r.looking.Store(false)
	stop := Alarm(Patience, func() { r.report(false, ErrHangs) })
	read, err := r.read()
	stop()
	changed := err == nil && read.files != nil
	if changed {
		err = r.make(read)
	}
	r.report(changed && err == nil, err)
}

// report logs when looks begin or cease to fail.
func (r *Value[T]) report(changed bool, err error) {
	was := r.failing.Swap(err != nil)
	if err != nil {
		r.failed()
	}
	switch {
	case err != nil && !was:
		r.logger.Warn("keeping the last good value of files that cannot be used", "files", r.paths, "err", err)
	case err == nil && (changed || was):
		r.logger.Info("files read again", "files", r.paths)
	}
}

// contents are what the files held when they had these stamps.
type contents struct {
	stamps []os.FileInfo
	// files is nil if they are the same as the last time.
	files Files
}

// read reads the files if they have changed. The stamps are taken before the files are read, so a
// change in between is seen later.
func (r *Value[T]) read() (c contents, err error) {
	if c.stamps, err = r.stat(); err != nil {
		return c, err
	}
	if r.value.Load() != nil && sameFiles(c.stamps, r.stamps) {
		return c, nil
	}
	files := make(Files, len(r.paths))
	for _, p := range r.paths {
		content, err := r.disk.read(p, r.limit)
		if err != nil {
			return c, err
		}
		files[p] = string(content)
	}
	c.files = files
	return c, nil
}

// make makes the value anew. However long that takes, it says nothing about the file system.
func (r *Value[T]) make(c contents) error {
	v, err := r.build(c.files)
	if err != nil {
		return err
	}
	r.value.Store(&v)
	r.stamps = c.stamps
	return nil
}

// stat returns the state of all files, through symbolic links.
func (r *Value[T]) stat() ([]os.FileInfo, error) {
	infos := make([]os.FileInfo, 0, len(r.paths))
	for _, p := range r.paths {
		info, err := r.disk.stat(p)
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

// Files are the contents of the files of a Value, by their paths.
type Files map[string]string

// TextOr returns the text, or where there is a path the content of that file without space
// around it.
func (f Files) TextOr(text, path string) (string, error) {
	if path == "" {
		return text, nil
	}
	if text != "" {
		return "", fmt.Errorf("file %q excludes a value beside it", path)
	}
	content, ok := f[path]
	if !ok {
		return "", fmt.Errorf("file %q is not among those that were read", path)
	}
	return strings.TrimSpace(content), nil
}
