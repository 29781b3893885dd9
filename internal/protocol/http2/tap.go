package http2

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// tapRequest tells a job's tap of the connection and of the request that is about to be
// written on it.
func (c *conn) tapRequest(j *job) {
	tap := j.call.Tap
	if tap == nil {
		return
	}
	tap.Connection(c.ready.Facts(c.streams.opened() > 0))
	h := protocol.Head{
		Line:   j.entry.Method + " " + j.entry.Target() + " HTTP/2.0",
		Fields: j.entry.OnWire(c.client.varying, j.call.Request, j.start), Generated: j.entry.Generated(),
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
