package http2

// decoder decodes the header blocks of one connection (RFC 7541) to what a head keeps
// of them. In order it allocates nothing. Make it with newDecoder.
type decoder struct {
	tables  *tables
	dynamic *dynamicTable
	recent  recentLiterals
	// scratch holds the texts of the present field that cannot stay where they are.
	scratch []byte
}

// newDecoder returns the decoder of a new connection.
func newDecoder(t *tables) decoder { return decoder{tables: t, dynamic: newDynamicTable()} }

// maxScratch is the scratch that is kept from one field to the next.
const maxScratch = 64 << 10

// The forms of a field (RFC 7541, section 6) by its first bits.
const (
	formIndexed    = 0x80
	formIndexing   = 0x40
	formTableSize  = 0x20
	formNever      = 0x10
	bitsIndexed    = 7
	bitsIndexing   = 6
	bitsTableSize  = 5
	bitsNoIndexing = 4
	// markHuffman marks a string as Huffman-coded, before its length.
	markHuffman = 0x80
	bitsText    = 7
)

// decode adds what a whole header block says to h. It reports false for one that cannot
// be decoded, and ends early at one of too many fields; after either the connection is of no
// more use.
func (d *decoder) decode(p []byte, h *head) bool {
	for first := true; len(p) > 0 && h.fields <= maxFields; {
		var ok bool
		switch b := p[0]; {
		case b >= formIndexed:
			p, ok = d.indexed(p, h)
		case b >= formIndexing:
			p, ok = d.literal(p, bitsIndexing, h)
		case b >= formTableSize:
			// It stands before all fields or nowhere.
			if !first {
				return false
			}
			p, ok = d.resize(p)
			if !ok {
				return false
			}
			continue
		default:
			p, ok = d.literal(p, bitsNoIndexing, h)
		}
		if !ok {
			return false
		}
		first = false
	}
	return true
}

// indexed takes a field that is in a table.
func (d *decoder) indexed(p []byte, h *head) ([]byte, bool) {
	i, p, ok := readInt(p, bitsIndexed)
	switch {
	case !ok || i == 0:
		return nil, false
	case i <= numStatic:
		f := &d.tables.static[i]
		h.add(f.fact, len(f.name)+len(f.value)+fieldOverhead)
		if h.tapped() {
			h.tap.field(f.nameText, f.valueText)
		}
		return p, true
	}
	f, ok := d.dynamic.get(i - numStatic - 1)
	if !ok {
		return nil, false
	}
	h.add(f.fact, f.size())
	if h.tapped() {
		h.tap.field(d.dynamic.textOf(f))
	}
	return p, true
}

// literal takes a field whose value is given, and its name or its name's index.
func (d *decoder) literal(p []byte, prefix int, h *head) ([]byte, bool) {
	if l := d.recent.find(p); l != nil {
		d.field(l.text[:l.name], l.text[l.name:], l.fact, h)
		if prefix == bitsIndexing {
			d.dynamic.add(l.text[:l.name], l.text[l.name:], l.fact)
		}
		return p[len(l.coded):], true
	}
	name, value, rest, ok := d.nameAndValue(p, prefix)
	if !ok {
		return nil, false
	}
	f := d.tables.classify(name, value)
	d.field(name, value, f, h)
	if i, _, _ := readInt(p, prefix); i <= numStatic { // Its name is not in the dynamic table.
		d.recent.add(p[:len(p)-len(rest)], name, value, f)
	}
	if prefix == bitsIndexing {
		d.dynamic.add(name, value, f)
	}
	return rest, true
}

// nameAndValue decodes a literal. Its texts are where they were found or in the scratch.
func (d *decoder) nameAndValue(p []byte, prefix int) (name, value, rest []byte, ok bool) {
	if cap(d.scratch) > maxScratch {
		d.scratch = nil
	}
	d.scratch = d.scratch[:0]
	i, rest, ok := readInt(p, prefix)
	if !ok {
		return nil, nil, nil, false
	}
	if i == 0 {
		name, rest, ok = d.stringLiteral(rest)
	} else {
		name, ok = d.name(i)
	}
	if !ok {
		return nil, nil, nil, false
	}
	value, rest, ok = d.stringLiteral(rest)
	return name, value, rest, ok
}

// field adds a field to h and shows it to h's tap.
func (d *decoder) field(name, value []byte, f fact, h *head) {
	h.add(f, len(name)+len(value)+fieldOverhead)
	if h.tapped() {
		h.tap.field(name, value)
	}
}

// name returns the name at an index, as a copy.
func (d *decoder) name(i int) ([]byte, bool) {
	from := len(d.scratch)
	if i <= numStatic {
		d.scratch = append(d.scratch, d.tables.static[i].name...)
		return d.scratch[from:], true
	}
	f, ok := d.dynamic.get(i - numStatic - 1)
	if !ok {
		return nil, false
	}
	name, _ := d.dynamic.textOf(f)
	d.scratch = append(d.scratch, name...)
	return d.scratch[from:], true
}

// stringLiteral takes a string, which stays where it was found or is decoded into the
// scratch.
func (d *decoder) stringLiteral(p []byte) (text, rest []byte, ok bool) {
	if len(p) == 0 {
		return nil, nil, false
	}
	encoded := p[0] >= markHuffman
	n, p, ok := readInt(p, bitsText)
	if !ok || n > len(p) {
		return nil, nil, false
	}
	if !encoded {
		return p[:n], p[n:], true
	}
	from := len(d.scratch)
	d.scratch, ok = d.tables.huffman.append(d.scratch, p[:n])
	return d.scratch[from:], p[n:], ok
}

// resize takes a new size of the dynamic table.
func (d *decoder) resize(p []byte) ([]byte, bool) {
	n, p, ok := readInt(p, bitsTableSize)
	if !ok || n > tableSize {
		return nil, false
	}
	d.dynamic.resize(n)
	return p, true
}

// readInt takes an integer that begins in so many low bits of the first byte (RFC 7541,
// section 5.1). It refuses values that are too large for anything here.
func readInt(p []byte, prefix int) (n int, rest []byte, ok bool) {
	full := 1<<prefix - 1
	n = int(p[0]) & full
	if n < full {
		return n, p[1:], true
	}
	for i, b := range p[1:] {
		if i == 4 {
			break
		}
		n += int(b&0x7f) << (7 * i)
		if b < 0x80 {
			return n, p[i+2:], true
		}
	}
	return 0, nil, false
}
