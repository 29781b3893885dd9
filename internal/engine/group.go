package engine

import "sync"

// group is the lanes of a journey while requests of it are sent at once: the flight's own, and
// others for as long as the group lasts. The journey goes on when all of them have ended.
type group struct {
	// mu guards the journey, the state of the flight that the lanes share, and the fields below.
	mu sync.Mutex
	// lanes are the flight's own and the others, and busy is how many of them have not ended.
	lanes []*lane
	busy  int
	// broken says that the journey sends no more requests, and why is its outcome.
	broken bool
	why    JourneyOutcome
}

// spread sends the next requests of the journey on so many lanes; each lane sends one after the
// other. It asks for all requests that are due now before it sends the first: an early failure
// changes nothing.
func (f *flight) spread(lanes int) {
	g := &group{lanes: make([]*lane, lanes), busy: lanes}
	f.group = g
	g.mu.Lock()
	for i := range g.lanes {
		l := f.laneOf(i)
		l.ready = l.fetch()
		g.lanes[i] = l
	}
	g.mu.Unlock()
	// When the last of them has ended at once, the flight must not be used again.
	for _, l := range g.lanes {
		l.proceed()
	}
}

// laneOf returns a lane for a request of a group that is due now: the first is the flight's own.
func (f *flight) laneOf(i int) *lane {
	if i == 0 {
		return &f.lane
	}
	l, _ := f.runner.lanes.Get().(*lane)
	l.flight, l.due, l.call.Request = f, f.due, f.call.Request
	return l
}

// next sends the lane's next request of the group. Without one the lane ends.
func (l *lane) next() {
	g := l.flight.group
	g.mu.Lock()
	l.ready = l.fetch()
	g.mu.Unlock()
	l.proceed()
}

// proceed sends the request that was fetched, or ends the lane.
func (l *lane) proceed() {
	if l.ready {
		l.try()
	} else {
		l.join()
	}
}

// fetch asks the journey for the lane's next request of the group, and returns false if there is none
// to send. The caller holds mu.
func (l *lane) fetch() bool {
	f := l.flight
	for !f.group.broken {
		if f.runner.ends() {
			f.group.breakOff(JourneyCanceled)
			break
		}
		switch f.journey.Next(&l.call).Kind {
		case MoveRequest:
			return true
		case MoveFailed:
			l.unsent()
		default:
			return false
		}
	}
	return false
}

// breakOff ends the journey when the requests in flight have ended, and sends nothing more until
// then. The first reason counts. The caller holds mu.
func (g *group) breakOff(o JourneyOutcome) {
	if !g.broken {
		g.broken, g.why = true, o
	}
}

// join ends the lane. With the last one the journey goes on, or ends if the group was broken off.
func (l *lane) join() {
	f := l.flight
	g := f.group
	l.release()
	g.mu.Lock()
	g.busy--
	last := g.busy == 0
	g.mu.Unlock()
	if !last {
		return
	}
	f.group = nil
	for _, other := range g.lanes[1:] {
		if other.due.After(f.due) {
			f.due = other.due
		}
		other.clear()
		f.runner.lanes.Put(other)
	}
	if g.broken {
		f.leave(g.why)
	} else {
		f.advance()
	}
}
