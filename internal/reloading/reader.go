package reloading

import (
	"errors"
	"io/fs"
	"sync"
	"time"
)

// brief is how long a file is waited for while another one does not respond.
const brief = 200 * time.Millisecond

// Reader reads files, as ReadFile does, but many that do not respond hardly take longer than one:
// it waits Patience for the first, and only briefly for others until that responds. A path that
// does not respond is not read again meanwhile, so that there is one read at most for each.
// The zero Reader is ready to use. Safe for concurrent use.
type Reader struct {
	disk disk

	mu sync.Mutex
	// overdue are the paths that have not responded in time.
	overdue map[string]bool
}

// ReadFile returns the content of a regular file of at most limit bytes.
func (r *Reader) ReadFile(path string, limit int) ([]byte, error) {
	patience := r.patience(path)
	if patience == 0 {
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrHangs}
	}
	ended := make(chan struct{})
	content, err := within(patience, func() ([]byte, error) {
		defer close(ended)
		if r.disk != nil {
			return r.disk.read(path, limit)
		}
		return Read(path, limit)
	}, path)
	if errors.Is(err, ErrHangs) {
		r.late(path, ended)
	}
	return content, err
}

// patience returns how long to wait for a path; 0 if it is waited for already.
func (r *Reader) patience(path string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.overdue[path]:
		return 0
	case len(r.overdue) > 0:
		return brief
	default:
		return Patience
	}
}

// late notes that a path does not respond, until its read has ended.
func (r *Reader) late(path string, ended <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.overdue == nil {
		r.overdue = map[string]bool{}
	}
	r.overdue[path] = true
	go func() {
		<-ended
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.overdue, path)
	}()
}
