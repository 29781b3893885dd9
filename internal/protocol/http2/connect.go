package http2

import (
	"context"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// connect makes a connection to the origin, all within the connect timeout: to the
// address that has the fewest, or to another one if that does not answer. It is counted
// there.
func (o *origin) connect() (r dial.Ready, err error) {
	c := o.client
	ctx, cancel := context.WithTimeout(c.ctx, c.connectTimeout)
	defer cancel()
	r.Began = time.Now()
	r.Phases.Protocol = protocol.HTTP2
	addrs, took, err := o.resolve(ctx)
	if err != nil {
		return r, err
	}
	first := o.book(addrs)
	defer o.unbook(first)
	r.Phases.DNS = took
	begin := time.Now()
	raw, addr, err := c.dialer.ConnectTo(ctx, startingWith(first, addrs))
	if err != nil {
		return r, err
	}
	r.Addr, r.Phases.Connect = addr, time.Since(begin)
	if r.Conn, err = dial.NewConn(raw, c.wire); err != nil {
		_ = raw.Close() // There is another error to tell.
		return r, &dial.Error{Step: dial.StepConnect, Addr: addr, Err: err}
	}
	if o.secure {
		begin = time.Now()
		if r.TLS, err = c.dialer.Handshake(ctx, r.Conn, o.addr); err != nil {
			_ = r.Conn.Close() // What went wrong before is the error to tell.
			return r, err
		}
		r.Phases.TLS = time.Since(begin)
	}
	o.note(addr)
	return r, nil
}

// isForeign reports whether a connection agreed to another protocol than ours.
func isForeign(r dial.Ready) bool {
	return r.TLS != nil && r.TLS.ConnectionState().NegotiatedProtocol != protocol.HTTP2
}

// OnForeign makes the client offer HTTP/1.1 as well where it speaks TLS. A connection that
// agreed to it is handed to f, with a call that waited for it. Other calls that waited
// come with the zero Ready, and are to be started anew. Use it before Start.
func (c *Client) OnForeign(f func(call *protocol.Call, r dial.Ready)) {
	c.foreign = f
	c.dialer = c.dialer.Offering(protocol.HTTP2, protocol.HTTP1)
}

// Adopt starts a call on a connection that was made for it and that agreed to HTTP/2.
func (c *Client) Adopt(call *protocol.Call, r dial.Ready) {
	j := job{call: call, start: r.Began, sent: r.Began}
	var err error
	if j.entry, err = c.entryOf(call); err != nil {
		_ = r.Conn.Close() // Nothing was sent: there is nobody to tell.
		j.fail(err)
		return
	}
	o := j.entry.origin
	if !o.adopt(r) {
		_ = r.Conn.Close() // Nothing was sent: there is nobody to tell.
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
