package script

import "encoding/binary"

// Random is a long string of random bytes that follow from a slot. Each byte can be computed on
// its own. It is immutable and safe for concurrent use.
type Random struct {
	from stream
	size int64
}

// NewRandom returns as many bytes for the slot that values are of.
func NewRandom(v Values, size int64) *Random {
	return &Random{from: newStream(v.Slot().Hash, hashName("random body"), 0), size: size}
}

// Size returns how many bytes there are.
func (r *Random) Size() int64 { return r.size }

// AppendAt appends n bytes from an offset on, which lie within Size.
func (r *Random) AppendAt(dst []byte, offset int64, n int) []byte {
	s := r.from
	s.skip(uint64(offset / 8))
	if within := int(offset % 8); within > 0 {
		take := min(n, 8-within)
		dst = appendBytes(dst, s.next()>>(8*within), take)
		n -= take
	}
	for ; n >= 8; n -= 8 {
		dst = binary.LittleEndian.AppendUint64(dst, s.next())
	}
	if n > 0 {
		dst = appendBytes(dst, s.next(), n)
	}
	return dst
}

// appendBytes appends the n lowest bytes of a word, the lowest first.
func appendBytes(dst []byte, word uint64, n int) []byte {
	for ; n > 0; n-- {
		dst = append(dst, byte(word))
		word >>= 8
	}
	return dst
}
