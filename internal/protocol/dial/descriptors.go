package dial

import (
	"context"
	"errors"
	"sync/atomic"
)

const (
	// reserve is how many descriptors are left to everything but connections to targets: the
	// listener and those who scrape, the fleet, files, and 2 sockets for each of mostLookups.
	// Where there are few, it is half of them.
	reserve = 128
	// mostLookups is how many queries for names are on their way at a time. Where the reserve is
	// smaller it is so as well: they take a quarter of it at most.
	mostLookups = 16
)

// errTooManyLookups is a lookup for which the process has no sockets to spare.
var errTooManyLookups = errors.New("too many lookups of names are on their way")

// ErrNoDescriptor is a connection for which the process has no descriptor to spare.
var ErrNoDescriptor = errors.New("no file descriptor to spare for a connection")

// Descriptors are the file descriptors that all clients of the process have for their
// connections together, so that there are some left for everything else. A nil Descriptors
// has no end of them. Safe for concurrent use.
type Descriptors struct {
	limit int64
	used  atomic.Int64
	// lookups has room for the queries that are on their way, and doubtful for those of them that most
	// likely get no response: half of them, so that others need not wait for one that hangs.
	lookups, doubtful chan struct{}
}

// NewDescriptors returns so many descriptors.
func NewDescriptors(n int) *Descriptors {
	return newDescriptors(n, mostLookups)
}

func newDescriptors(n, lookups int) *Descriptors {
	return &Descriptors{limit: int64(n), lookups: make(chan struct{}, lookups), doubtful: make(chan struct{}, max(1, lookups/2))}
}

// ProcessDescriptors returns what the process may open (RLIMIT_NOFILE), raised as far as it
// can be, without a reserve of 128 or, if that is less, half of it. It returns nil where the
// system reports no bound.
func ProcessDescriptors() *Descriptors {
	n, ok := raiseFileLimit()
	if !ok {
		return nil
	}
	return descriptorsOf(n)
}

// descriptorsOf returns what there is for connections where the process may open n files.
func descriptorsOf(n int) *Descriptors {
	kept := min(reserve, n/2)
	return newDescriptors(n-kept, max(1, kept*mostLookups/reserve))
}

// Limit returns how many connections there may be at a time; 0 for no bound.
func (d *Descriptors) Limit() int {
	if d == nil {
		return 0
	}
	return int(d.limit)
}

// InUse returns how many connections there are, those that are being made included.
func (d *Descriptors) InUse() int {
	if d == nil {
		return 0
	}
	return int(d.used.Load())
}

// take takes one, or fails as ErrNoDescriptor.
func (d *Descriptors) take() error {
	if d == nil {
		return nil
	}
	if d.used.Add(1) > d.limit {
		d.used.Add(-1)
		return ErrNoDescriptor
	}
	return nil
}

// give gives one back.
func (d *Descriptors) give() {
	if d != nil {
		d.used.Add(-1)
	}
}

// lookup waits until a name may be looked up, and returns what to call at the end of that. doubtful says
// that the query before this one got no response.
func (d *Descriptors) lookup(ctx context.Context, doubtful bool) (end func(), err error) {
	if d == nil {
		return func() {}, nil
	}
	var taken []chan struct{}
	end = func() {
		for _, room := range taken {
			<-room
		}
	}
	rooms := []chan struct{}{d.doubtful, d.lookups}
	if !doubtful {
		rooms = rooms[1:]
	}
	for _, room := range rooms {
		select {
		case room <- struct{}{}:
			taken = append(taken, room)
		case <-ctx.Done():
			end()
			return nil, ctx.Err()
		}
	}
	return end, nil
}
