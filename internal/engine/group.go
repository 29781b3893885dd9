package engine

import "sync"

// group is the lanes of a journey while requests of it are sent at once: the flight's own, and
// others for as long as the group lasts. The journey goes on when all of them have ended.
type group struct {
	// mu is held while the journey, or what the lanes have in common of their flight, is used.
	mu sync.Mutex
	// others are the lanes beside the flight's own, and busy is how many of all have not ended.
	others []*lane
	busy   int
	// broken says that nothing more is to be sent, and why is how the journey ends then.
	broken bool
	why    JourneyOutcome
}

// spread has the next requests of the journey sent on so many lanes, each of which sends one
// after the other. All lanes have a request that is due now.
func (f *flight) spread(lanes int) {
	r := f.runner
	g := &group{others: make([]*lane, lanes-1), busy: lanes}
	for i := range g.others {
		l, _ := r.lanes.Get().(*lane)
		l.flight, l.due, l.call.Request = f, f.due, f.call.Request
		g.others[i] = l
	}
	f.group = g
	f.next()
	// The last of them that ends may give the group up at once: none is looked at after that.
	for _, l := range g.others {
		l.next()
	}
}

// next sends the lane's next request of the group. Without one the lane ends.
func (l *lane) next() {
	g := l.flight.group
	g.mu.Lock()
	sends := l.fetch()
	g.mu.Unlock()
	if sends {
		l.try()
	} else {
		l.join()
	}
}

// fetch asks the journey for the lane's next request of the group, and returns false if nothing
// more of it is to be sent.
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

// breakOff has nothing more of the group sent, and the journey end like that. What came first
// counts.
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
	for _, other := range g.others {
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
