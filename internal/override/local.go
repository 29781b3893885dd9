package override

import (
	"context"
	"sync"
)

// Local keeps the changes of a replica that has no fleet, until it ends. Create it with
// NewLocal. It is safe for concurrent use.
type Local struct {
	mu   sync.Mutex
	book Book
	news chan struct{}
}

// NewLocal returns a Local without changes.
func NewLocal() *Local { return &Local{book: Book{}, news: make(chan struct{}, 1)} }

// Book returns all changes.
func (l *Local) Book() Book {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.book.Clone()
}

// News receives when Book has changed.
func (l *Local) News() <-chan struct{} { return l.news }

// Change replaces the history of a scenario by what f makes of it, unless that fails.
func (l *Local) Change(_ context.Context, scenario string, f func(History) (History, error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	history, err := f(l.book[scenario])
	if err != nil {
		return err
	}
	l.book[scenario] = history
	select {
	case l.news <- struct{}{}:
	default: // There is news already.
	}
	return nil
}
