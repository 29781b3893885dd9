package fleet

import (
	"github.com/grafana/dskit/ring"

	"github.com/traffic-exporter/traffic_exporter/internal/mesh"
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
	ok = mesh.EachField(element, func(number int, _ uint64, content []byte) bool {
		whole := true
		switch number {
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
	ok = mesh.EachField(replica, func(number int, value uint64, _ []byte) bool {
		switch number {
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
	ok := mesh.EachField(replica, func(field int, _ uint64, content []byte) bool {
		switch field {
		case fieldAddress:
			w.address = string(content)
		case fieldVersions:
			var n number
			if !mesh.EachField(content, func(field int, value uint64, _ []byte) bool {
				switch field {
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
