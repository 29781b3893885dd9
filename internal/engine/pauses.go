package engine

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// pauses is where the lanes of journeys wait. However many do, one goroutine wakes them, and one
// that waits costs its place in a heap. It is safe for concurrent use.
type pauses struct {
	// resume is called with each lane whose time has come, and flush when that was done
	// for all of an instant.
	resume func(*lane)
	flush  func()

	// born is what instants are counted from.
	born time.Time
	// until is the instant after which no journey goes on, or forever.
	until atomic.Int64

	mu   sync.Mutex
	heap []waiting
	// running says that the goroutine runs, and wake wakes it for an earlier instant.
	running bool
	wake    chan struct{}
}

// waiting is a lane that waits until an instant of the monotonic clock, in nanoseconds.
type waiting struct {
	at   int64
	lane *lane
}

// forever is an instant that does not come.
const forever = math.MaxInt64

func newPauses(born time.Time, resume func(*lane), flush func()) *pauses {
	p := &pauses{resume: resume, flush: flush, born: born, wake: make(chan struct{}, 1)}
	p.until.Store(forever)
	return p
}

// over reports whether journeys must no longer go on.
func (p *pauses) over() bool {
	until := p.until.Load()
	return until != forever && int64(time.Since(p.born)) > until
}

// add has a lane resumed at an instant. It returns false if that is beyond the end.
func (p *pauses) add(l *lane, instant time.Time) bool {
	at := int64(instant.Sub(p.born))
	p.mu.Lock()
	defer p.mu.Unlock()
	if at > p.until.Load() {
		return false
	}
	p.push(waiting{at, l})
	switch {
	case !p.running:
		p.running = true
		go p.run()
	case p.heap[0].lane == l:
		p.poke()
	}
	return true
}

// end has nobody wait for longer than that from now on, and returns those who would.
func (p *pauses) end(within time.Duration) []*lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := min(p.until.Load(), int64(time.Since(p.born)+within))
	p.until.Store(until)
	var gone []*lane
	var left []waiting
	for _, q := range p.heap {
		if q.at > until {
			gone = append(gone, q.lane)
		} else {
			left = append(left, q)
		}
	}
	p.heap = nil
	for _, q := range left {
		p.push(q)
	}
	p.poke()
	return gone
}

func (p *pauses) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run resumes lanes until none waits.
func (p *pauses) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var due []*lane
	for {
		wait, ok := p.popDue(&due)
		if !ok {
			return
		}
		for i, l := range due {
			p.resume(l)
			due[i] = nil
		}
		if len(due) > 0 {
			p.flush()
			due = due[:0]
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-p.wake:
		}
	}
}

// popDue moves the lanes whose time has come to due. Otherwise it returns how long there is
// to wait, and false when nobody waits.
func (p *pauses) popDue(due *[]*lane) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := int64(time.Since(p.born))
	for len(p.heap) > 0 && p.heap[0].at <= now {
		*due = append(*due, p.pop())
	}
	if len(*due) > 0 {
		return 0, true
	}
	if len(p.heap) == 0 {
		p.heap, p.running = nil, false
		return 0, false
	}
	return time.Duration(p.heap[0].at - now), true
}

// push adds to the heap, which has the earliest instant first.
func (p *pauses) push(q waiting) {
	p.heap = append(p.heap, q)
	for i := len(p.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if q.at >= p.heap[parent].at {
			return
		}
		p.heap[i], p.heap[parent] = p.heap[parent], q
		i = parent
	}
}

// pop takes the lane with the earliest instant.
func (p *pauses) pop() *lane {
	first := p.heap[0].lane
	last := len(p.heap) - 1
	q := p.heap[last]
	p.heap[last] = waiting{}
	p.heap = p.heap[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			if last > 0 {
				p.heap[i] = q
			}
			return first
		}
		if child+1 < last && p.heap[child+1].at < p.heap[child].at {
			child++
		}
		if p.heap[child].at >= q.at {
			p.heap[i] = q
			return first
		}
		p.heap[i] = p.heap[child]
		i = child
	}
}
