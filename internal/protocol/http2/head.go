package http2

import (
	"bytes"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// fact is the meaning of a field in a response's head, as far as it concerns us.
type fact struct {
	kind factKind
	// number is the status or the length.
	number int64
}

// factKind is the kind of a fact.
type factKind uint8

// The kinds of facts.
const (
	// factPlain is a field that does not concern us.
	factPlain factKind = iota
	// factStatus is the response's status.
	factStatus
	// factLength is the length of the response's body.
	factLength
	// factMalformed is a field that a response must not have.
	factMalformed
)

// classify returns the fact in a field.
func (t *tables) classify(name, value []byte) fact {
	if len(name) > 0 && name[0] == ':' {
		return classifyPseudo(name, value)
	}
	for _, b := range name {
		if !t.inName[b] {
			return fact{kind: factMalformed}
		}
	}
	for _, b := range value {
		if !t.inValue[b] {
			return fact{kind: factMalformed}
		}
	}
	switch string(name) {
	case "content-length":
		return classifyLength(value)
	case "", "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		return fact{kind: factMalformed}
	case "te":
		if !bytes.Equal(value, []byte("trailers")) {
			return fact{kind: factMalformed}
		}
	}
	return fact{kind: factPlain}
}

// classifyPseudo returns the fact in a pseudo-header. A response has only one.
func classifyPseudo(name, value []byte) fact {
	if string(name) != ":status" || len(value) != 3 {
		return fact{kind: factMalformed}
	}
	n, ok := httpreq.Decimal(value)
	if !ok {
		return fact{kind: factMalformed}
	}
	return fact{kind: factStatus, number: n}
}

// classifyLength returns the fact in a length.
func classifyLength(value []byte) fact {
	n, ok := httpreq.ContentLength(value)
	if !ok {
		return fact{kind: factMalformed}
	}
	return fact{kind: factLength, number: n}
}

// head holds the facts of a header block: a response's head or its trailers.
type head struct {
	// status is 0 where there is none.
	status int
	// length is -1 where there is none.
	length int64
	// plain says that a field came that is no pseudo-header; malformed, that one came that
	// must not be there, or not there.
	plain, malformed bool
	// fields is how many fields there are, and size their size as RFC 9113, section 6.5.2,
	// counts it.
	fields, size int
	// tap is shown each field.
	tap headTap
	// late, if not nil, is the stream of conn whose call may have a late tap.
	late *stream
	conn *conn
}

// reset empties the head.
func (h *head) reset(t headTap) {
	*h = head{length: -1, tap: t}
}

// tapped reports whether the tap sees the fields: it does not see those of a head that is
// too long.
func (h *head) tapped() bool { return h.tap.to != nil && h.size <= maxHead }

// add takes a field's fact.
func (h *head) add(f fact, size int) {
	h.fields++
	h.size += size
	switch f.kind {
	case factStatus:
		h.malformed = h.malformed || h.plain || h.status != 0
		// There is no status 0, but it is there.
		h.status = max(1, int(f.number))
		if h.late != nil {
			h.tap = h.conn.came(h.late, h.status, h.tap)
		}
	case factLength:
		h.plain = true
		h.malformed = h.malformed || (h.length >= 0 && h.length != f.number)
		h.length = f.number
	case factMalformed:
		h.malformed = true
	default:
		h.plain = true
	}
}
