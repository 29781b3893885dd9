package http2

// recent is a decoder's dynamic table (RFC 7541, section 2.3.2): the fields that the
// server put there, the newest first, with the facts in them. Make it with newRecent.
type recent struct {
	// max is the size that the server has chosen, up to tableSize.
	max, size int
	// entries is a ring, with the oldest at first.
	entries  [tableSize / fieldOverhead]recentField
	first, n int
	// text holds names and values in the order of the entries, up to end. When there is
	// no room behind the newest, all of it moves to the front.
	text [2 * tableSize]byte
	end  int
}

const (
	// tableSize is the size of dynamic tables that both sides begin with, and the most
	// that we use.
	tableSize = 4096
	// fieldOverhead is what a field counts beyond its name and its value.
	fieldOverhead = 32
)

// recentField is a field of the dynamic table: where its text is, and what it says.
type recentField struct {
	at, name, value int
	fact            fact
}

// size is what the field counts.
func (f recentField) size() int { return f.name + f.value + fieldOverhead }

// newRecent returns an empty table.
func newRecent() *recent { return &recent{max: tableSize} }

// get returns a field; 0 is the newest.
func (r *recent) get(i int) (f recentField, ok bool) {
	if i < 0 || i >= r.n {
		return recentField{}, false
	}
	return r.entries[(r.first+r.n-1-i)%len(r.entries)], true
}

// textOf returns the name and the value of a field, until the next is added.
func (r *recent) textOf(f recentField) (name, value []byte) {
	return r.text[f.at : f.at+f.name], r.text[f.at+f.name : f.at+f.name+f.value]
}

// resize sets the size that fields may take together.
func (r *recent) resize(n int) {
	r.max = n
	r.evict(0)
}

// evict drops the oldest fields until there is room for so much.
func (r *recent) evict(room int) {
	for r.n > 0 && r.size+room > r.max {
		r.size -= r.entries[r.first].size()
		r.first = (r.first + 1) % len(r.entries)
		r.n--
	}
}

// add adds a field, for which older ones make room. Its text must not be the table's own.
func (r *recent) add(name, value []byte, f fact) {
	entry := recentField{name: len(name), value: len(value), fact: f}
	r.evict(entry.size())
	if entry.size() > r.max {
		return // It does not fit even alone, which is no error.
	}
	if r.end+len(name)+len(value) > len(r.text) {
		r.compact()
	}
	entry.at = r.end
	r.end += copy(r.text[r.end:], name)
	r.end += copy(r.text[r.end:], value)
	r.entries[(r.first+r.n)%len(r.entries)] = entry
	r.n++
	r.size += entry.size()
}

// compact moves the text of all fields to the front.
func (r *recent) compact() {
	if r.n == 0 {
		r.end = 0
		return
	}
	from := r.entries[r.first].at
	copy(r.text[:], r.text[from:r.end])
	r.end -= from
	for i := range r.n {
		r.entries[(r.first+i)%len(r.entries)].at -= from
	}
}
