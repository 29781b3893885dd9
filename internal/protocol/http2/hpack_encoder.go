package http2

import (
	"golang.org/x/net/http2/hpack"
)

// field is a field of requests that is the same each time, with its coding prepared.
type field struct {
	// index is its index in the static table; 0 if it is not there.
	index int
	// nameIndex is that of a field with the same name.
	nameIndex int
	// name and value are coded as texts; name is empty where there is a nameIndex.
	name, value []byte
	// never says that it must not be put into any table.
	never bool
	// size is what it counts in a table, and of the server's limit.
	size int
}

// newField returns the field.
func newField(t *tables, name, value string, never bool) field {
	f := field{value: appendText(nil, value), never: never, size: len(name) + len(value) + fieldOverhead}
	for i := numStatic; i > 0; i-- {
		if s := &t.static[i]; s.name == name {
			f.nameIndex = i
			if s.value == value {
				f.index = i
				break
			}
		}
	}
	if f.nameIndex == 0 {
		f.name = appendText(nil, name)
	}
	return f
}

// encoder codes the header blocks of one connection. A field that is the same each time
// goes into the server's dynamic table once, and is an index from then on. What does
// not fit into the table is never put there, so that nothing is ever evicted, and the
// index of a field says how many came after it. Make it with newEncoder.
type encoder struct {
	fields []field
	// positions are where fields are in the table, counting from 1, the oldest; 0 is nowhere.
	positions []uint32
	// slot and trace are the places of fields with the names of what varies.
	slot, trace uint32
	// blocks are the fixed parts of entries' blocks, while they hold.
	blocks []block
	// max is the table's size, and used the size of the fields in it. added counts the
	// fields added to it.
	max, used int
	added     uint32
	// resized says that the next block must announce the table's size to the server.
	resized bool
}

// block is the coded fixed part of an entry's header, for a table with so many fields.
type block struct {
	coded []byte
	added uint32
}

// newEncoder returns the encoder of a new connection for fixed fields, and for entries
// that are made of them.
func newEncoder(fields []field, entries int) encoder {
	return encoder{fields: fields, positions: make([]uint32, len(fields)), blocks: make([]block, entries), max: tableSize}
}

// resize takes the size that the server allows the table to have. A table of another
// size begins anew.
func (e *encoder) resize(n int) {
	n = min(n, tableSize)
	if n == e.max {
		return
	}
	e.max, e.used, e.added, e.resized = n, 0, 0, true
	clear(e.positions)
	clear(e.blocks)
	e.slot, e.trace = 0, 0
}

// begin appends any size updates, which must precede the fields of a block.
func (e *encoder) begin(b []byte) []byte {
	if e.resized {
		// The smallest size in between must be announced (RFC 7541, section 4.2); none is
		// smaller than 0.
		b = appendInt(b, formTableSize, bitsTableSize, 0)
		if e.max > 0 {
			b = appendInt(b, formTableSize, bitsTableSize, e.max)
		}
		e.resized = false
	}
	return b
}

// fixed appends an entry's fixed fields.
func (e *encoder) fixed(b []byte, entry int, ids []uint32) []byte {
	known := &e.blocks[entry]
	if known.coded != nil && known.added == e.added {
		return append(b, known.coded...)
	}
	before, from := e.added, len(b)
	for _, id := range ids {
		b = e.field(b, id)
	}
	if e.added == before {
		known.coded, known.added = append(known.coded[:0], b[from:]...), e.added
	}
	return b
}

// once appends fields that are not going to be sent again, and leaves the table alone.
func (e *encoder) once(b []byte, fields []field) []byte {
	for i := range fields {
		f := &fields[i]
		form := byte(0)
		switch {
		case f.index != 0:
			b = appendInt(b, formIndexed, bitsIndexed, f.index)
			continue
		case f.never:
			form = formNever
		}
		b = appendInt(b, form, bitsNoIndexing, f.nameIndex)
		b = append(b, f.name...)
		b = append(b, f.value...)
	}
	return b
}

// field appends a fixed field.
func (e *encoder) field(b []byte, id uint32) []byte {
	f := &e.fields[id]
	switch {
	case f.index != 0:
		return appendInt(b, formIndexed, bitsIndexed, f.index)
	case e.positions[id] != 0:
		return appendInt(b, formIndexed, bitsIndexed, e.indexOf(e.positions[id]))
	case f.never:
		b = appendInt(b, formNever, bitsNoIndexing, f.nameIndex)
	case e.add(f.size):
		e.positions[id] = e.added
		b = appendInt(b, formIndexing, bitsIndexing, f.nameIndex)
	default:
		b = appendInt(b, 0, bitsNoIndexing, f.nameIndex)
	}
	b = append(b, f.name...)
	return append(b, f.value...)
}

// add takes the room for a field in the table, if there is any.
func (e *encoder) add(size int) bool {
	if e.used+size > e.max {
		return false
	}
	e.used += size
	e.added++
	return true
}

// indexOf returns the index of a place in the table.
func (e *encoder) indexOf(position uint32) int { return numStatic + 1 + int(e.added-position) }

// varying appends a field whose value differs each time. The first goes into the table
// for its name; those after it do not, so that they do not fill it.
func (e *encoder) varying(b []byte, name string, value []byte, position *uint32) []byte {
	switch {
	case *position != 0:
		b = appendInt(b, 0, bitsNoIndexing, e.indexOf(*position))
	case e.add(len(name) + len(value) + fieldOverhead):
		*position = e.added
		b = appendRaw(append(b, formIndexing), name)
	default:
		b = appendRaw(append(b, 0), name)
	}
	return append(appendInt(b, 0, bitsText, len(value)), value...)
}

// appendInt appends an integer that begins in so many low bits of the first byte.
func appendInt(b []byte, form byte, prefix, n int) []byte {
	full := 1<<prefix - 1
	if n < full {
		return append(b, form|byte(n))
	}
	b = append(b, form|byte(full))
	for n -= full; n >= 0x80; n >>= 7 {
		b = append(b, 0x80|byte(n))
	}
	return append(b, byte(n))
}

// appendText appends a string in the shorter of its codings.
func appendText(b []byte, s string) []byte {
	if n := int(hpack.HuffmanEncodeLength(s)); n < len(s) {
		return hpack.AppendHuffmanString(appendInt(b, markHuffman, bitsText, n), s)
	}
	return appendRaw(b, s)
}

// appendRaw appends a string as it is.
func appendRaw(b []byte, s string) []byte {
	return append(appendInt(b, 0, bitsText, len(s)), s...)
}
