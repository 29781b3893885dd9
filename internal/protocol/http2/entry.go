package http2

import (
	"net/http"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// entry is a request of the mix with all done that can be done ahead.
type entry struct {
	*httpreq.Prepared

	origin *origin
	// index is its place in the mix. fields are the ids of its fixed fields, in order, and
	// size what they count of the server's limit.
	index  int
	fields []uint32
	// once are the fields of a request that is not in the mix, in place of their ids.
	once []field
	size int
	// noBody says that its response has none, whatever its head says.
	noBody bool
}

// fieldSet makes one field of all that are the same.
type fieldSet struct {
	tables *tables
	fields []field
	ids    map[[2]string]uint32
}

// id returns the id of the field.
func (s *fieldSet) id(name, value string) uint32 {
	key := [2]string{name, value}
	id, known := s.ids[key]
	if !known {
		id = uint32(len(s.fields))
		s.fields = append(s.fields, newField(s.tables, name, value, isCredential(name)))
		s.ids[key] = id
	}
	return id
}

// entry returns a request of the mix.
func (s *fieldSet) entry(index int, p *httpreq.Prepared, o *origin) entry {
	x := entry{Prepared: p, index: index, origin: o, noBody: p.Method == http.MethodHead}
	p.EachField(func(name, value string) { s.add(&x, name, value) })
	return x
}

// newMessage returns a request that is not in the mix, for one use. It keeps a copy: the rest
// of a body may be written after the call has ended and its message belongs to somebody else.
func newMessage(t *tables, message *httpreq.Prepared, o *origin) *entry {
	p := new(httpreq.Prepared)
	*p = *message
	x := &entry{Prepared: p, origin: o, noBody: p.Method == http.MethodHead}
	p.EachField(func(name, value string) {
		f := newField(t, name, value, isCredential(name))
		x.once = append(x.once, f)
		x.size += f.size
	})
	return x
}

// isCredential reports whether a field must not be put into any table (RFC 7541, section
// 7.1.3).
func isCredential(name string) bool { return name == "authorization" || name == "proxy-authorization" }

// add adds a fixed field to the entry.
func (s *fieldSet) add(x *entry, name, value string) {
	id := s.id(name, value)
	x.fields = append(x.fields, id)
	x.size += s.fields[id].size
}
