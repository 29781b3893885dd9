// Package httpauto sends HTTP/2 to the https targets that agree to it and HTTP/1.1 to
// all others, each by its own client.
package httpauto

import (
	"sync/atomic"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// Half is a client of one version of HTTP that notices when a target wants the other.
type Half interface {
	protocol.Client
	// OnForeign makes the client offer both versions, and hand a connection that agreed to
	// the other one to f, with the call that it was made for. Calls that waited for the same
	// connection are handed over with a Ready that has none.
	OnForeign(f func(*protocol.Call, dial.Ready))
	// Adopt starts a call on a connection that was made for it.
	Adopt(call *protocol.Call, r dial.Ready)
}

// Client sends the requests of one mix. Create it with New. Safe for concurrent use.
type Client struct {
	one, two Half
	// entries are the routes of the mix; those of one origin share theirs.
	entries []*route
	routes  httpreq.Origins[*route]
}

// route is what we know of an origin: whether it speaks HTTP/1.1. Without TLS it does;
// with TLS it is believed to speak HTTP/2 until it says otherwise, each time that a
// connection is made.
type route struct{ one atomic.Bool }

// InUse is false: the route of an origin may be forgotten, and found out again.
func (r *route) InUse() bool { return false }

var _ protocol.Client = (*Client)(nil)

// New returns a client that sends by a client of HTTP/1.1 and one of HTTP/2, both made
// from these options, and closes them.
func New(o httpreq.Options, one, two Half) *Client {
	c := &Client{one: one, two: two}
	for _, e := range o.Entries {
		c.entries = append(c.entries, c.routeTo(e.URL))
	}
	one.OnForeign(func(call *protocol.Call, r dial.Ready) { c.reroute(call, r, false) })
	two.OnForeign(func(call *protocol.Call, r dial.Ready) { c.reroute(call, r, true) })
	return c
}

// routeTo returns the route to a URL's origin.
func (c *Client) routeTo(u uri.URI) *route {
	return c.routes.Get(u, func() *route {
		r := new(route)
		r.one.Store(!u.Secure())
		return r
	})
}

// route returns the route of a call. One that neither half can send has none: either half
// reports its mistake.
func (c *Client) route(call *protocol.Call) *route {
	if p, ok := call.Message.(*httpreq.Prepared); ok {
		return c.routeTo(p.URL)
	}
	if i := call.Request.Entry; i >= 0 && i < len(c.entries) {
		return c.entries[i]
	}
	return new(route)
}

// reroute goes on with the other version.
func (c *Client) reroute(call *protocol.Call, r dial.Ready, one bool) {
	c.route(call).one.Store(one)
	half := c.half(one)
	if r.Conn == nil {
		half.Start(call)
		half.Flush()
		return
	}
	half.Adopt(call, r)
}

func (c *Client) half(one bool) Half {
	if one {
		return c.one
	}
	return c.two
}

// Start implements protocol.Client.
func (c *Client) Start(call *protocol.Call) { c.half(c.route(call).one.Load()).Start(call) }

// Flush implements protocol.Client.
func (c *Client) Flush() {
	c.one.Flush()
	c.two.Flush()
}

// Close implements protocol.Client.
func (c *Client) Close() {
	c.one.Close()
	c.two.Close()
}
