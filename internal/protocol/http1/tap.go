package http1

import (
	"slices"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// tapRequest tells a call's tap of the connection and of the request that is about to be
// written on it.
func (k *conn) tapRequest(x *exchange, reused bool) {
	tap := x.call.Tap
	if tap == nil {
		return
	}
	tap.Connection(dial.Ready{Conn: k.under, TLS: k.secure, Phases: k.phases}.Facts(reused))
	var more []protocol.Field
	if !k.client.keepAlive {
		more = append(more, protocol.Field{Name: "Connection", Value: "close"})
	}
	fields := x.entry.OnWire(k.client.writer.Varying, x.call.Request, x.sent, more...)
	target, auth := x.entry.host.target(x.entry.Prepared)
	if auth != "" {
		fields = slices.Insert(fields, 1, protocol.Field{Name: proxyAuthorization, Value: auth, Secret: true})
	}
	line := x.entry.Method + " " + target + " HTTP/1.1"
	tap.Request(protocol.Head{Line: line, Fields: fields, Generated: x.entry.Generated()}, x.entry.Body)
}

// tapResponse has the response shown to a call's tap.
func (k *conn) tapResponse() {
	if tap := k.x.call.Tap; tap != nil {
		k.response.tap = &headTap{to: tap}
	}
}

// headTap puts heads together out of their lines, for a tap. A nil headTap does nothing.
type headTap struct {
	to   protocol.Tap
	head protocol.Head
}

// status takes a status line.
func (t *headTap) status(line []byte, code int) {
	if t != nil {
		t.head.Line, t.head.Status = string(line), code
	}
}

// field takes a field of a head or of a trailer.
func (t *headTap) field(name, value []byte) {
	if t != nil {
		t.head.Fields = append(t.head.Fields, protocol.Field{Name: string(name), Value: string(value)})
	}
}

// end takes the end of a head, or of a trailer that is not empty.
func (t *headTap) end() {
	if t == nil || t.head.Line == "" && len(t.head.Fields) == 0 {
		return
	}
	t.to.Response(t.head)
	t.head = protocol.Head{}
}

// body takes a piece of the body.
func (t *headTap) body(p []byte) {
	if t != nil {
		t.to.Body(p)
	}
}
