package http2

// The lists of streams that a connection has.
const (
	// byDeadline has all streams, the one that has to end first before the others.
	byDeadline = iota
	// bySending has those whose bodies are still to be sent.
	bySending

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
