package http2

import "time"

const (
	// maxStreams is how many streams a connection has in its life, at most.
	maxStreams = lastStream / 2
	// maxOpen is how many it has at a time, at most.
	maxOpen = 1 << 20
)

// streamSet is the streams of one connection. Make it with newStreamSet.
type streamSet struct {
	table      streamTable
	byDeadline streamList
	// sending are those whose bodies are still to be sent.
	sending streamList
	// nextID is the id of the next stream, and left how many there may be before the
	// connection has had enough.
	nextID uint32
	left   int
}

// newStreamSet returns no streams, of so many that there may be.
func newStreamSet(left int) streamSet {
	return streamSet{byDeadline: streamList{which: byDeadline}, sending: streamList{which: bySending}, nextID: 1, left: min(left, maxStreams)}
}

// open opens the next stream, for the job, with a window for its body.
func (t *streamSet) open(j *job, window int64) *stream {
	s := t.table.open(t.nextID)
	t.nextID += 2
	t.left--
	s.job, s.length, s.window, s.body = *j, -1, window, j.upload
	t.byDeadline.insert(s)
	if s.body.Len() > 0 {
		t.sending.insert(s)
	}
	return s
}

// close takes a stream out, which is then used again.
func (t *streamSet) close(s *stream) {
	t.byDeadline.remove(s)
	if s.body.Len() > 0 {
		t.sending.remove(s)
	}
	t.table.close(s)
}

// sent notes that more of the stream's body has been taken to be sent.
func (t *streamSet) sent(s *stream) {
	if s.body.Len() == 0 {
		t.sending.remove(s)
	}
}

// get returns the open stream with the id; nil if there is none.
func (t *streamSet) get(id uint32) *stream { return t.table.get(id) }

// count returns how many streams are open.
func (t *streamSet) count() int { return t.table.n }

// room returns how many more may be opened where the server allows so many at a time.
func (t *streamSet) room(limit int) int {
	return max(0, min(min(limit, maxOpen)-t.count(), t.left))
}

// opened returns how many streams were ever opened.
func (t *streamSet) opened() int { return upTo(t.nextID - 1) }

// upTo returns how many streams of a client have an id that is not above this one.
func upTo(id uint32) int { return int(id+1) / 2 }

// known reports whether the stream is, or was, one that we opened: the server opens none (RFC
// 9113, section 5.1.1).
func (t *streamSet) known(id uint32) bool { return id%2 == 1 && id < t.nextID }

// move moves the windows of all streams. It reports false if one cannot hold that.
func (t *streamSet) move(by int64) bool {
	for s := t.byDeadline.first; s != nil; s = s.links[byDeadline].next {
		if !widen(&s.window, by) {
			return false
		}
	}
	return true
}

// expired returns a stream that has run out of time; nil if there is none.
func (t *streamSet) expired(now time.Time) *stream {
	if s := t.byDeadline.first; s != nil && !now.Before(s.deadline) {
		return s
	}
	return nil
}

// deadline returns when the next stream runs out of time; zero if none is open.
func (t *streamSet) deadline() time.Time {
	if s := t.byDeadline.first; s != nil {
		return s.deadline
	}
	return time.Time{}
}

// above returns the streams that were opened after the one with the id, the one that has to
// end first before the others.
func (t *streamSet) above(id uint32) (streams []*stream) {
	for s := t.byDeadline.first; s != nil; s = s.links[byDeadline].next {
		if s.id > id {
			streams = append(streams, s)
		}
	}
	return streams
}
