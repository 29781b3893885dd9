package membership

import (
	"slices"
	"testing"
)

// abandonAfter is after how long a replica gives a write up that the server does not
// acknowledge. The server may carry it out all the same.
const abandonAfter = 5000

// server is a store that all heartbeats go through. It carries writes out one after the other,
// and each read finds all of them up to some instant.
type server struct {
	entries []*entry
	writes  []write
	// away says that it hangs: writes wait, and nobody hears of them.
	away bool
	// backSince is when it last went on.
	backSince int64
	// slow is the extra time until a replica hears of a write, by its ID.
	slow map[string]int64
}

// write is a heartbeat on its way to a server.
type write struct {
	at int64
	e  *entry
	by *node
}

func newServerWorld(seed uint64) *world {
	w := newWorld(seed, Options{MinReplicas: 1, ForgetAfter: 60, Server: true})
	w.server = &server{slow: map[string]int64{}}
	return w
}

// post puts a heartbeat on its way to the server.
func (s *server) post(w *world, n *node, e *entry) {
	s.writes = append(s.writes, write{at: w.now + w.delay() + w.lag[n.id], e: e, by: n})
	n.writing = w.now + abandonAfter
}

// last returns the heartbeat that a replica sent last: the one that it has read back, or one
// that has not been carried out.
func (s *server) last(n *node, read *Heartbeat) *Heartbeat {
	for _, next := range s.writes {
		if next.by == n && next.e.Sent > read.Sent {
			read = next.e.Heartbeat
		}
	}
	if n.number < len(s.entries) && s.entries[n.number] != nil && s.entries[n.number].Sent > read.Sent {
		read = s.entries[n.number].Heartbeat
	}
	return read
}

// run carries out the writes that have arrived.
func (s *server) run(w *world) {
	if s.away {
		return
	}
	slices.SortStableFunc(s.writes, func(a, b write) int { return int(a.at - b.at) })
	for len(s.writes) > 0 && s.writes[0].at <= w.now {
		next := s.writes[0]
		s.writes = s.writes[1:]
		for next.e.number >= len(s.entries) {
			s.entries = append(s.entries, nil)
		}
		if old := s.entries[next.e.number]; old != nil && (old.Sent > next.e.Sent || old.gone) {
			continue // Another write has changed what this one had read.
		}
		s.entries[next.e.number] = next.e
		if next.by.sent == next.e.Sent {
			next.by.writing = 0
		}
		s.notify(w)
	}
}

// notify has all hear of what the server holds.
func (s *server) notify(w *world) {
	all := slices.Clone(s.entries)
	for _, n := range w.nodes {
		if n.running {
			n.post(w.now+w.delay()+s.slow[n.id], message{n, all})
		}
	}
}

// hang makes the server stand still. Some hear of the last writes yet, others do not.
func (s *server) hang(w *world) {
	s.away = true
	for _, n := range w.nodes {
		if w.rng.IntN(2) == 0 {
			n.inbox = map[int64][]message{}
		}
	}
}

// goOn makes the server go on. Some of the writes that their senders have given up are carried out.
func (s *server) goOn(w *world) {
	if !s.away {
		return
	}
	s.away, s.backSince = false, w.now
	s.writes = slices.DeleteFunc(s.writes, func(next write) bool {
		return next.by.writing != 0 && next.by.sent != next.e.Sent && w.rng.IntN(2) == 0
	})
	s.notify(w)
}

func TestAServerThatIsAwayChangesNothing(t *testing.T) {
	for seed := range uint64(200) {
		w := newServerWorld(seed)
		for _, id := range []string{"a", "b", "c", "d"} {
			w.add(id, "")
		}
		w.run(w.now + 12_000)
		w.run(w.now + w.rng.Int64N(1000)/quantum*quantum)
		hung := w.now
		w.server.hang(w)
		w.run(w.now + 60_000)
		w.server.goOn(w)
		w.run(w.now + 20_000)
		for k := hung/1000 - 2; k < w.now/1000-1; k++ {
			if o := w.owned(k); !o.exact() {
				t.Fatalf("seed %d: %d s after the server hung: %s", seed, k-hung/1000, o)
			}
		}
	}
}

func TestPlannedChangesThroughAServerLoseNothing(t *testing.T) {
	for seed := range uint64(100) {
		w := newServerWorld(seed)
		for _, id := range []string{"a", "b", "c"} {
			w.add(id, "")
		}
		w.run(w.now + 12_000)
		for i := range 12 {
			w.run(w.now + w.rng.Int64N(6000)/quantum*quantum)
			if i%3 == 2 {
				running := w.running()
				w.leave(running[w.rng.IntN(len(running))])
			} else {
				w.add(string(rune('d'+i)), "")
			}
		}
		w.run(w.now + 15_000)
		for k := w.begin + 12; k < w.now/1000-1; k++ {
			if o := w.owned(k); !o.exact() {
				t.Fatalf("seed %d: second %d: %s", seed, k-w.begin, o)
			}
		}
	}
}

func TestWithAMemberOfAnOlderVersionViewsAreActedOnAtOnce(t *testing.T) {
	w := newServerWorld(1)
	w.add("a", "")
	w.add("b", "")
	w.find("b").old = true
	w.run(w.now + 12_000)
	w.add("c", "")
	w.run(w.now + 10_000)
	w.leave(w.find("b"))
	w.run(w.now + 10_000)
	for _, n := range w.running() {
		views := n.views
		if n.tracker.known != n.last || len(n.tracker.handovers) != 0 {
			t.Fatalf("%s knows second %d of %d, and %d views are handed over", n.id, n.tracker.known, n.last, len(n.tracker.handovers))
		}
		for k := w.begin + 13; k < n.last; k++ {
			if v, p := views[k], n.tracker.latest["c"]; p.in == k && views[k-1].Members == v.Members {
				t.Errorf("%s: c is a member from second %d on, which shows %d members", n.id, k, v.Members)
			}
		}
	}
}
