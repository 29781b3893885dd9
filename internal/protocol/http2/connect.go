package http2

import (
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// isForeign reports whether a connection agreed to another protocol than ours.
func isForeign(r dial.Ready) bool { return r.Phases.Protocol != protocol.HTTP2 }

// OnForeign makes the client offer HTTP/1.1 as well where it speaks TLS. A connection that
// agreed to it is handed to f, with a call that waited for it. Other calls that waited come
// with the zero Ready, and must be started anew. Use it before Start.
func (c *Client) OnForeign(f func(call *protocol.Call, r dial.Ready)) {
	c.foreign = f
	c.dialer.Offer(protocol.HTTP2, protocol.HTTP1)
}

// Adopt starts a call on a connection that was made for it and that agreed to HTTP/2.
func (c *Client) Adopt(call *protocol.Call, r dial.Ready) {
	j := c.job(call, r.Began)
	j.sent = r.Began
	if err := c.resolve(&j); err != nil {
		_ = r.Conn.Close() // Nothing was sent: nobody needs the error.
		j.fail(err)
		return
	}
	o := j.entry.origin
	if !o.adopt(r) {
		_ = r.Conn.Close() // Nothing was sent: nobody needs the error.
		j.fail(dial.ErrClosed)
		return
	}
	o.start(&j)
	c.Flush()
}

// handOver gives a connection to whom it is for, and the calls that waited as well.
func (c *Client) handOver(r dial.Ready, jobs []job) {
	if len(jobs) == 0 {
		_ = r.Conn.Close() // Nobody waits any more.
	}
	for i := range jobs {
		c.foreign(jobs[i].call, r)
		r = dial.Ready{}
	}
}
