// Package httpauto sends HTTP/2 to the https targets that agree to it and HTTP/1.1 to
// all others, each by its own client.
package httpauto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
)

// Half is a client of one version of HTTP that can tell when a target wants the other.
type Half interface {
	protocol.Client
	// OnForeign makes the client offer both versions, and hand a connection that agreed to
	// the other one to f, with the call that it was made for. Calls that waited for the same
	// connection are handed over with a Ready that has none.
	OnForeign(f func(*protocol.Call, dial.Ready))
	// Adopt starts a call on a connection that was made for it.
	Adopt(call *protocol.Call, r dial.Ready)
	// Exchange makes one exchange and writes it down for people to read.
	Exchange(ctx context.Context, r protocol.Request, w io.Writer) protocol.Result
}

// Client sends the requests of one mix. Create it with New. Safe for concurrent use.
type Client struct {
	one, two Half
	// routes are those of the entries; entries of one origin share theirs.
	routes []*route
	// asking says that an Exchange wants to know which version it is.
	asking atomic.Bool
}

// route is what is known of an origin: whether it speaks HTTP/1.1. Without TLS it does;
// with TLS it is believed to speak HTTP/2 until it says otherwise, each time that a
// connection is made.
type route struct{ one atomic.Bool }

var _ protocol.Client = (*Client)(nil)

// New returns a client that sends by a client of HTTP/1.1 and one of HTTP/2, both made
// from these options, and closes them.
func New(o httpmix.Options, one, two Half) *Client {
	c := &Client{one: one, two: two}
	origins := map[string]*route{}
	for _, e := range o.Entries {
		addr, secure := e.Origin()
		key := fmt.Sprint(secure, addr)
		if origins[key] == nil {
			origins[key] = &route{}
			origins[key].one.Store(!secure)
		}
		c.routes = append(c.routes, origins[key])
	}
	one.OnForeign(func(call *protocol.Call, r dial.Ready) { c.reroute(call, r, false) })
	two.OnForeign(func(call *protocol.Call, r dial.Ready) { c.reroute(call, r, true) })
	return c
}

// reroute goes on with the other version.
func (c *Client) reroute(call *protocol.Call, r dial.Ready, one bool) {
	c.routes[call.Request.Entry].one.Store(one)
	if c.asking.Load() {
		if r.Conn != nil {
			_ = r.Conn.Close() // It is not needed.
		}
		now := time.Now()
		call.Finish(protocol.Result{Sent: now, Done: now, Reason: protocol.ReasonCanceled, Err: errOther})
		return
	}
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
func (c *Client) Start(call *protocol.Call) {
	i := call.Request.Entry
	if i < 0 || i >= len(c.routes) {
		now := time.Now()
		call.Finish(protocol.Result{
			Sent: now, Done: now, Reason: protocol.ReasonProtocol,
			Err: fmt.Errorf("entry %d: no such entry in the mix", i),
		})
		return
	}
	c.half(c.routes[i].one.Load()).Start(call)
}

// errOther is a target that wants the other version.
var errOther = errors.New("target speaks another version of HTTP")

// Exchange makes one exchange and writes it down for people to read. What the target
// speaks is found out first, on a connection that is not shown if it is the wrong one.
// Use it in a client that sends nothing else.
func (c *Client) Exchange(ctx context.Context, r protocol.Request, w io.Writer) protocol.Result {
	if r.Entry < 0 || r.Entry >= len(c.routes) {
		return c.one.Exchange(ctx, r, w)
	}
	route := c.routes[r.Entry]
	var shown bytes.Buffer
	c.asking.Store(true)
	res := c.half(route.one.Load()).Exchange(ctx, r, &shown)
	if errors.Is(res.Err, errOther) {
		shown.Reset()
		res = c.half(route.one.Load()).Exchange(ctx, r, &shown)
	}
	c.asking.Store(false)
	_, _ = shown.WriteTo(w) // There is nobody to tell.
	return res
}

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
