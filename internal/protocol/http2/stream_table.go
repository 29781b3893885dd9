package http2

// streamTable finds streams by their ids: open addressing, with the ids themselves,
// which are odd and follow each other, as their hashes. It also keeps streams that are
// not used, so that normally it allocates nothing. The zero streamTable is empty.
type streamTable struct {
	// cells are as many as a power of two, at most half of them taken.
	cells []*stream
	n     int
	// strays are the streams that are not in their home cells. As ids follow each other there
	// are none, unless a stream outlives half as many others as there are cells.
	strays int
	// free are the streams that are not used, linked by their next.
	free *stream
}

// fewCells are the cells to begin with.
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

// put puts a stream into the first cell from its home that is free.
func (t *streamTable) put(s *stream) {
	i := t.find(s.id)
	t.cells[i] = s
	t.strays += t.stray(i)
}

// stray returns 1 if the stream in a cell is not at home, and else 0.
func (t *streamTable) stray(i int) int {
	if t.home(t.cells[i].id) != i {
		return 1
	}
	return 0
}

// find returns the cell of the stream with the id, or the free one where it would be.
func (t *streamTable) find(id uint32) int {
	i := t.home(id)
	for t.cells[i] != nil && t.cells[i].id != id {
		i = (i + 1) & (len(t.cells) - 1)
	}
	return i
}

// grow doubles the cells.
func (t *streamTable) grow() {
	before := t.cells
	t.strays = 0
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
	i := t.find(s.id)
	t.strays -= t.stray(i)
	t.cells[i] = nil
	t.n--
	if t.strays > 0 {
		t.closeUp(i)
	}
	*s = stream{}
	s.links[0].next, t.free = t.free, s
}

// closeUp moves streams to a cell that has become free: what stands behind it without a gap may
// have wanted it.
func (t *streamTable) closeUp(i int) {
	mask := len(t.cells) - 1
	for j := (i + 1) & mask; t.cells[j] != nil; j = (j + 1) & mask {
		if home := t.home(t.cells[j].id); (j-home)&mask >= (j-i)&mask {
			t.strays -= t.stray(j)
			t.cells[i], t.cells[j] = t.cells[j], nil
			t.strays += t.stray(i)
			i = j
		}
	}
}
