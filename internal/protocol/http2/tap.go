package http2

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// tapRequest shows a tap, which may be nil, the connection and the request of a job that is
// written on it.
func (c *conn) tapRequest(tap protocol.Tap, j *job, reused bool) {
	if tap == nil {
		return
	}
	if _, lean := tap.(protocol.FieldTap); lean {
		tap.Request(protocol.Head{}, nil)
		return
	}
	tap.Connection(c.ready.Facts(reused))
	tap.Request(j.entry.PseudoHead("HTTP/2.0", c.client.varying, j.call.Request, j.start), j.upload.Held())
}

// headTap shows the fields of a header block to a tap. The zero headTap is nobody's.
type headTap struct {
	to protocol.Tap
	// lean is to, if it takes fields one by one; the fields are collected otherwise.
	lean   protocol.FieldTap
	fields []protocol.Field
}

// newHeadTap returns a headTap for a stream, which may be nil.
func newHeadTap(s *stream) headTap {
	if s == nil || s.call.Tap == nil {
		return headTap{}
	}
	lean, _ := s.call.Tap.(protocol.FieldTap)
	return headTap{to: s.call.Tap, lean: lean}
}

// came returns the tap of a head whose status has come: that of a response that is not expected,
// or late, is shown to a late tap as well.
func (c *conn) came(s *stream, status int, tap headTap) headTap {
	if s.responded {
		return tap
	}
	reason := protocol.ReasonNone
	if s.entry.Fails(status) {
		reason = protocol.ReasonStatus
	}
	if c.join(s, reason) {
		return newHeadTap(s)
	}
	return tap
}

// join shows a stream's request to a late tap, and reports whether there is one.
func (c *conn) join(s *stream, r protocol.Reason) bool {
	late := s.call.Join(r, c.now)
	c.tapRequest(late, &s.job, s.id > 1)
	return late != nil
}

// field takes a field.
func (t *headTap) field(name, value []byte) {
	if t.lean != nil {
		t.lean.Field(name, value)
		return
	}
	t.fields = append(t.fields, protocol.Field{Name: string(name), Value: string(value)})
}

// end shows the head to the tap; status is 0 for trailers.
func (t *headTap) end(status int) {
	if t.to == nil {
		return
	}
	h := protocol.Head{Status: status, Fields: slices.DeleteFunc(t.fields, func(f protocol.Field) bool { return strings.HasPrefix(f.Name, ":") })}
	if status != 0 && t.lean == nil {
		h.Line = "HTTP/2.0 " + strconv.Itoa(status)
		if text := http.StatusText(status); text != "" {
			h.Line += " " + text
		}
	}
	t.to.Response(h)
}
