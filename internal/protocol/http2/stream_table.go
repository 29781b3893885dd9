package http2

// streamTable finds streams by their ids: open addressing, with the ids themselves,
// which are odd and follow each other, as their hashes. It also keeps streams that are
// not used, so that normally it allocates nothing. The zero streamTable is empty.
type streamTable struct {
	// cells are as many as a power of two, at most half of them taken.
	cells []*stream
	n     int
	// free are the streams that are not used, linked by their next.
	free *stream
}

// fewCells are the slots to begin with.
const fewCells = 64

// open returns a new stream with the id.
func (t *streamTable) open(id uint32) *stream {
	if 2*(t.n+1) > len(t.cells) {
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
func (t *streamTable) home(id uint32) int { return int(id>>1) & (len(t.cells) - 1) }

// put puts a stream into the first slot from its home that is free.
func (t *streamTable) put(s *stream) { t.cells[t.find(s.id)] = s }

// find returns the slot of the stream with the id, or the free one where it would be.
func (t *streamTable) find(id uint32) int {
	i := t.home(id)
	for t.cells[i] != nil && t.cells[i].id != id {
		i = (i + 1) & (len(t.cells) - 1)
	}
	return i
}

// grow doubles the slots.
func (t *streamTable) grow() {
	before := t.cells
	t.cells = make([]*stream, max(fewCells, 2*len(before)))
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
	return t.cells[t.find(id)]
}

// close forgets a stream, which may then be used again.
func (t *streamTable) close(s *stream) {
	mask := len(t.cells) - 1
	i := t.find(s.id)
	t.cells[i] = nil
	t.n--
	// What stands behind it without a gap may have wanted its slot.
	for j := (i + 1) & mask; t.cells[j] != nil; j = (j + 1) & mask {
		if home := t.home(t.cells[j].id); (j-home)&mask >= (j-i)&mask {
			t.cells[i], t.cells[j] = t.cells[j], nil
			i = j
		}
	}
	*s = stream{}
	s.links[0].next, t.free = t.free, s
}
