package http2

// dynamicTable is a decoder's dynamic table (RFC 7541, section 2.3.2): the fields that the
// server put there, the newest first, with the facts in them. Make it with newDynamicTable.
type dynamicTable struct {
	// max is the size that the server has chosen, up to tableSize.
	max, size int
	// entries is a ring, with the oldest at first.
	entries  [tableSize / fieldOverhead]dynamicField
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

// dynamicField is a field of the dynamic table: where its text is, and what it says.
type dynamicField struct {
	at, name, value int
	fact            fact
}

// size is what the field counts.
func (f dynamicField) size() int { return f.name + f.value + fieldOverhead }

// newDynamicTable returns an empty table.
func newDynamicTable() *dynamicTable { return &dynamicTable{max: tableSize} }

// get returns a field; 0 is the newest.
func (t *dynamicTable) get(i int) (f dynamicField, ok bool) {
	if i < 0 || i >= t.n {
		return dynamicField{}, false
	}
	return t.entries[(t.first+t.n-1-i)%len(t.entries)], true
}

// textOf returns the name and the value of a field, until the next is added.
func (t *dynamicTable) textOf(f dynamicField) (name, value []byte) {
	return t.text[f.at : f.at+f.name], t.text[f.at+f.name : f.at+f.name+f.value]
}

// resize sets the size that fields may take together.
func (t *dynamicTable) resize(n int) {
	t.max = n
	t.evict(0)
}

// evict drops the oldest fields until there is room for so much.
func (t *dynamicTable) evict(room int) {
	for t.n > 0 && t.size+room > t.max {
		t.size -= t.entries[t.first].size()
		t.first = (t.first + 1) % len(t.entries)
		t.n--
	}
}

// add adds a field, for which older ones make room. Its text must not be the table's own.
func (t *dynamicTable) add(name, value []byte, f fact) {
	entry := dynamicField{name: len(name), value: len(value), fact: f}
	t.evict(entry.size())
	if entry.size() > t.max {
		return // It does not fit even alone, which is no error.
	}
	if t.end+len(name)+len(value) > len(t.text) {
		t.compact()
	}
	entry.at = t.end
	t.end += copy(t.text[t.end:], name)
	t.end += copy(t.text[t.end:], value)
	t.entries[(t.first+t.n)%len(t.entries)] = entry
	t.n++
	t.size += entry.size()
}

// compact moves the text of all fields to the front.
func (t *dynamicTable) compact() {
	if t.n == 0 {
		t.end = 0
		return
	}
	from := t.entries[t.first].at
	copy(t.text[:], t.text[from:t.end])
	t.end -= from
	for i := range t.n {
		t.entries[(t.first+i)%len(t.entries)].at -= from
	}
}
