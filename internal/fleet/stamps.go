package fleet

import (
	"github.com/grafana/dskit/ring"
	"google.golang.org/protobuf/encoding/protowire"
)

// stamp separates versions of a replica's entry in the store: of two the later counts, and
// of the same time the one that it has left.
type stamp struct {
	second int64
	left   bool
}

func (s stamp) isAfter(o stamp) bool {
	return s.second > o.second || s.second == o.second && s.left && !o.left
}

// The numbers of fields in dskit's ring.proto that are read without decoding the rest,
// and of those of a map's entries.
const (
	fieldIngesters = 1
	fieldAddress   = 1
	fieldTimestamp = 2
	fieldState     = 3
	fieldVersions  = 12
	fieldMapKey    = 1
	fieldMapValue  = 2
)

// entryOf returns the ID and the entry of an element of the map in an encoded ring.Desc.
func entryOf(element []byte) (id string, e *entry, ok bool) {
	e, _ = newEntry(nil)
	ok = eachField(element, func(number protowire.Number, _ uint64, content []byte) bool {
		whole := true
		switch int(number) {
		case fieldMapKey:
			id = string(content)
		case fieldMapValue:
			e, whole = newEntry(content)
		}
		return whole
	})
	return id, e, ok
}

// stampOf returns the stamp of an encoded ring.InstanceDesc.
func stampOf(replica []byte) (s stamp, ok bool) {
	ok = eachField(replica, func(number protowire.Number, value uint64, _ []byte) bool {
		switch int(number) {
		case fieldTimestamp:
			s.second = int64(value)
		case fieldState:
			s.left = value == uint64(ring.LEFT)
		}
		return true
	})
	return s, ok
}

// readWords returns what an encoded ring.InstanceDesc says, nil if it is none.
func readWords(replica []byte) *words {
	w := &words{}
	ok := eachField(replica, func(field protowire.Number, _ uint64, content []byte) bool {
		switch int(field) {
		case fieldAddress:
			w.address = string(content)
		case fieldVersions:
			var n number
			if !eachField(content, func(field protowire.Number, value uint64, _ []byte) bool {
				switch int(field) {
				case fieldMapKey:
					n.key = value
				case fieldMapValue:
					n.value = value
				}
				return true
			}) {
				return false
			}
			w.numbers = append(w.numbers, n)
		}
		return true
	})
	if !ok {
		return nil
	}
	return w
}

// eachField calls a function with the number of each field of an encoded message, and its
// value, which is a number or bytes, until it returns false. It reports whether it got to
// the end.
func eachField(b []byte, do func(number protowire.Number, value uint64, content []byte) bool) bool {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		var value uint64
		var content []byte
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			content, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 || !do(number, value, content) {
			return false
		}
		b = b[n:]
	}
	return true
}
