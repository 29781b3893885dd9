package http1

import (
	"slices"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// tapRequest shows a tap, which may be nil, the connection and the request that is written on
// it.
func (k *conn) tapRequest(tap protocol.Tap, x *exchange, reused bool) {
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
	call := k.x.call
	if call.Tap != nil {
		k.response.tap = &headTap{to: call.Tap}
	}
	if call.Late != nil {
		k.response.watched = k
	}
}

// came implements watcher: a response that is not expected, or late, is shown to a late tap, from
// its status line on.
func (k *conn) came(status int) {
	k.looked = time.Now()
	reason := protocol.ReasonNone
	if k.x.entry.Fails(status) {
		reason = protocol.ReasonStatus
	}
	if k.join(reason, k.looked) {
		k.response.tap = &headTap{to: k.x.call.Tap}
	}
}

// join shows the request to a late tap, and reports whether there is one.
func (k *conn) join(r protocol.Reason, now time.Time) bool {
	late := k.x.call.Join(r, now)
	k.tapRequest(late, &k.x, k.reused)
	return late != nil
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
