package http2

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// tapRequest tells a tap, which may be nil, of the connection and of the request of a job that is
// written on it.
func (c *conn) tapRequest(tap protocol.Tap, j *job, reused bool) {
	if tap == nil {
		return
	}
	tap.Connection(c.ready.Facts(reused))
	h := protocol.Head{
		Line:   j.entry.Method + " " + j.entry.Target() + " HTTP/2.0",
		Fields: j.entry.OnWire(c.client.varying, j.call.Request, j.start),
	}
	for i := range h.Fields {
		f := &h.Fields[i]
		if f.Name = strings.ToLower(f.Name); f.Name == "host" {
			f.Name = ":authority"
		}
	}
	tap.Request(h, j.entry.Body)
}

// headTap collects the fields of a header block for a tap. Without one it is nil.
type headTap struct {
	to     protocol.Tap
	fields []protocol.Field
}

// newHeadTap returns a headTap for a stream; nil if nobody listens.
func newHeadTap(s *stream) *headTap {
	if s == nil || s.call.Tap == nil {
		return nil
	}
	return &headTap{to: s.call.Tap}
}

// came returns the tap of a head whose status has come: that of a response that is not expected,
// or late, is shown to a late tap as well.
func (c *conn) came(s *stream, status int, tap *headTap) *headTap {
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
	t.fields = append(t.fields, protocol.Field{Name: string(name), Value: string(value)})
}

// end tells of the head; status is 0 for trailers.
func (t *headTap) end(status int) {
	if t == nil {
		return
	}
	h := protocol.Head{Status: status, Fields: slices.DeleteFunc(t.fields, func(f protocol.Field) bool { return strings.HasPrefix(f.Name, ":") })}
	if status != 0 {
		h.Line = "HTTP/2.0 " + strconv.Itoa(status)
		if text := http.StatusText(status); text != "" {
			h.Line += " " + text
		}
	}
	t.to.Response(h)
}
