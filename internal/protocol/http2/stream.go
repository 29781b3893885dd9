package http2

import (
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// job is a request on its way: from Start to Finish, over whichever streams it takes.
type job struct {
	call  *protocol.Call
	entry *entry
	// start is when it was started, deadline when it has to have ended, and sent when it
	// began to be sent; zero until then.
	start, deadline, sent time.Time
	// again says that it was on a connection before, without an outcome. Then it goes to one
	// that was made after that, so that it does not meet another one that is about to end,
	// and not to the one to avoid, if it only was refused there.
	again bool
	after time.Time
	avoid *conn
}

// mayUse reports whether the job may go to a connection.
func (j *job) mayUse(c *conn) bool {
	return c != j.avoid && (j.after.IsZero() || c.born.After(j.after))
}

// anywhere lets the job go to any connection.
func (j *job) anywhere() { j.after, j.avoid = time.Time{}, nil }

// stream is a job on a connection. It belongs to its connection, which uses it again.
type stream struct {
	job

	id uint32
	// written says that its head has been handed to the network.
	written bool
	// heard says that a frame of an answer came, and answered that its head did.
	heard, answered bool
	// interim counts the heads before that.
	interim int
	status  int
	// length is what the body is to have; -1 where that is not said. received is what
	// came, and credit what of it the server's window has not been given back.
	length, received, credit int64
	// body is what is still to be sent, within the window.
	body   []byte
	window int64

	// links are its neighbours in its connection's lists.
	links [numLists]links
}

// The lists of streams that a connection has.
const (
	// byDeadline has all streams, the one that has to end first before the others.
	byDeadline = iota
	// byBody has those whose body is still to be sent.
	byBody

	numLists
)

// links are a stream's neighbours in a list.
type links struct {
	next, prev *stream
}

// streamList is a list of streams. The zero streamList, but for which it is, is empty.
type streamList struct {
	which       int
	first, last *stream
}

// insert adds a stream behind those that have to end no later. Normally that is the end.
func (l *streamList) insert(s *stream) {
	prev := l.last
	for prev != nil && prev.deadline.After(s.deadline) {
		prev = prev.links[l.which].prev
	}
	next := l.first
	if prev != nil {
		next = prev.links[l.which].next
	}
	s.links[l.which] = links{prev: prev, next: next}
	if prev != nil {
		prev.links[l.which].next = s
	} else {
		l.first = s
	}
	if next != nil {
		next.links[l.which].prev = s
	} else {
		l.last = s
	}
}

// remove takes a stream out of the list, in which it is.
func (l *streamList) remove(s *stream) {
	k := s.links[l.which]
	if k.prev != nil {
		k.prev.links[l.which].next = k.next
	} else {
		l.first = k.next
	}
	if k.next != nil {
		k.next.links[l.which].prev = k.prev
	} else {
		l.last = k.prev
	}
	s.links[l.which] = links{}
}

// streamTable finds streams by their ids: open addressing, with the ids themselves,
// which are odd and follow each other, as their hashes. It also keeps streams that are
// not used, so that in order it allocates nothing. The zero streamTable is empty.
type streamTable struct {
	// slots are as many as a power of two, at most half of them taken.
	slots []*stream
	n     int
	// free are the streams that are not used, linked by their next.
	free *stream
}

// fewSlots are the slots to begin with.
const fewSlots = 64

// open returns a new stream with the id.
func (t *streamTable) open(id uint32) *stream {
	if 2*(t.n+1) > len(t.slots) {
		t.grow()
	}
	s := t.free
	if s == nil {
		s = new(stream)
	} else {
		t.free = s.links[0].next
		s.links[0].next = nil
	}
	s.id = id
	t.put(s)
	t.n++
	return s
}

// home is where a stream is looked for first.
func (t *streamTable) home(id uint32) int { return int(id>>1) & (len(t.slots) - 1) }

// put puts a stream into the first slot from its home that is free.
func (t *streamTable) put(s *stream) { t.slots[t.find(s.id)] = s }

// find returns the slot of the stream with the id, or the free one where it would be.
func (t *streamTable) find(id uint32) int {
	i := t.home(id)
	for t.slots[i] != nil && t.slots[i].id != id {
		i = (i + 1) & (len(t.slots) - 1)
	}
	return i
}

// grow doubles the slots.
func (t *streamTable) grow() {
	before := t.slots
	t.slots = make([]*stream, max(fewSlots, 2*len(before)))
	for _, s := range before {
		if s != nil {
			t.put(s)
		}
	}
}

// get returns the stream with the id; nil if there is none.
func (t *streamTable) get(id uint32) *stream {
	if t.n == 0 {
		return nil
	}
	return t.slots[t.find(id)]
}

// close forgets a stream, which may then be used again.
func (t *streamTable) close(s *stream) {
	mask := len(t.slots) - 1
	i := t.find(s.id)
	t.slots[i] = nil
	t.n--
	// What stands behind it without a gap may have wanted its slot.
	for j := (i + 1) & mask; t.slots[j] != nil; j = (j + 1) & mask {
		if home := t.home(t.slots[j].id); (j-home)&mask >= (j-i)&mask {
			t.slots[i], t.slots[j] = t.slots[j], nil
			i = j
		}
	}
	*s = stream{}
	s.links[0].next, t.free = t.free, s
}
