package http1

import (
	"crypto/tls"
	"slices"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// tapRequest tells a call's tap of the connection and of the request that is about to be
// written on it.
func (k *conn) tapRequest(x *exchange, reused bool) {
	tap := x.call.Tap
	if tap == nil {
		return
	}
	c := protocol.Connection{Reused: reused, Local: k.under.LocalAddr(), Remote: k.under.RemoteAddr(), Phases: k.phases}
	if k.secure != nil {
		c.TLS = stateOf(k.secure)
	}
	tap.Connection(c)
	h := x.entry.Head(k.client.writer.Varying, x.call.Request, x.sent)
	target, auth := x.entry.host.target(x.entry.Prepared)
	h.Line = x.entry.Method + " " + target + " HTTP/1.1"
	if auth != "" {
		h.Fields = slices.Insert(h.Fields, 1, protocol.Field{Name: proxyAuthorization, Value: auth, Secret: true})
	}
	if !k.client.keepAlive {
		h.Fields = append(h.Fields, protocol.Field{Name: "Connection", Value: "close"})
	}
	tap.Request(h, x.entry.Body)
}

func stateOf(c *tls.Conn) *tls.ConnectionState {
	s := c.ConnectionState()
	return &s
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
