package http3

import (
	"bytes"
	"net/http"

	"github.com/quic-go/qpack"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// fieldOverhead is what each field counts of a limit beside its bytes (RFC 9114, section 4.2.2).
const fieldOverhead = 32

// entry is a request with all done that can be done ahead.
type entry struct {
	*httpreq.Prepared

	origin *origin
	// fields are its fixed fields, compressed, and size what they count of the server's limit.
	fields []byte
	size   uint64
	// noBody says that its response has none, whatever its head says.
	noBody bool
}

// newEntry returns a request to an origin.
func newEntry(p *httpreq.Prepared, o *origin) entry {
	e := entry{Prepared: p, origin: o, noBody: p.Method == http.MethodHead}
	s := newSection()
	p.EachField(s.add)
	e.fields, e.size = s.fields(), s.size
	return e
}

// early reports whether it may be sent before the handshake is complete: nobody is harmed if it is
// replayed (RFC 8470, section 2.1).
func (e *entry) early() bool {
	switch e.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		upload := e.Upload()
		return upload.Len() == 0
	}
	return false
}

// head returns the HEADERS frame of the request (RFC 9114, section 7.2.2), with room for more, and
// what its fields count of the server's limit.
func (x *exchange) head(more int) (frame []byte, size uint64) {
	e, v, request := x.entry, &x.client.varying, &x.call.Request
	s := newSection()
	if v.Slot {
		s.add("traffic-slot", string(httpreq.AppendSlot(nil, *request)))
	}
	if v.Traced(request) {
		s.add(httpreq.TraceHeader, string(httpreq.AppendTraceparent(nil, *request)))
	}
	if !e.Authorized {
		for _, value := range v.Auth.Get(x.start) {
			s.add("authorization", value)
		}
	}
	varying := s.fields()
	n := prefixLen + len(e.fields) + len(varying)
	frame = appendFrame(make([]byte, 0, n+2*maxVarint+more), frameHeaders, n)
	frame = append(frame, make([]byte, prefixLen)...) // Nothing of a dynamic table.
	frame = append(frame, e.fields...)
	return append(frame, varying...), e.size + s.size
}

// prefixLen is the length of the prefix of a field section that uses no dynamic table (RFC 9204,
// section 4.5.1): two zeros.
const prefixLen = 2

// section compresses fields. Make it with newSection.
type section struct {
	buf     bytes.Buffer
	encoder *qpack.Encoder
	// size is what they count of a limit.
	size uint64
}

func newSection() *section {
	s := new(section)
	s.encoder = qpack.NewEncoder(&s.buf)
	return s
}

// add adds a field.
func (s *section) add(name, value string) {
	at := max(prefixLen, s.buf.Len())
	_ = s.encoder.WriteField(qpack.HeaderField{Name: name, Value: value}) // A buffer takes everything.
	if isCredential(name) {
		neverIndex(s.buf.Bytes()[at:])
	}
	s.size += uint64(len(name)+len(value)) + fieldOverhead
}

// fields returns the fields without their prefix.
func (s *section) fields() []byte { return s.buf.Bytes()[min(prefixLen, s.buf.Len()):] }

// isCredential reports whether nobody on the way is to put a field into a table (RFC 9204, section
// 7.1.3).
func isCredential(name string) bool { return name == "authorization" || name == "proxy-authorization" }

// neverIndex says so of a literal with a reference to its name, or with its name (RFC 9204, sections
// 4.5.4 and 4.5.6).
func neverIndex(line []byte) {
	switch {
	case line[0]&0xc0 == 0x40:
		line[0] |= 0x20
	case line[0]&0xe0 == 0x20:
		line[0] |= 0x10
	}
}
