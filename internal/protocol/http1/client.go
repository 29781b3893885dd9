// Package http1 sends HTTP/1.1 (RFC 9112) over TCP and TLS, at the limit of the machine.
//
// Each connection has a goroutine that reads. The goroutine that starts a request writes
// it, in one system call, on an idle connection; where there is none, one is made. In the
// steady state a request is one write and one read, and allocates nothing.
//
// A request is sent once more, on a new connection, if the connection that it was sent on
// had been used before and turns out to be dead before the first byte of a response, and if
// the request may be repeated or none of it was written. So a target may see a slot twice,
// which the Traffic-Slot header shows.
//
// It does not use proxies, cookies, caches or the environment, follows no redirects, does
// not decode bodies, and does not look into them.
package http1

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// Client sends the requests of one mix. Safe for concurrent use.
type Client struct {
	entries []entry
	hosts   httpreq.Origins[*host]
	writer  writer
	codes   httpreq.Codes
	dialer  *dial.Dialer
	foreign func(*protocol.Call, dial.Ready)

	timeout               time.Duration
	maxBody               int64
	keepAlive             bool
	maxConns, maxRequests int
	maxAge                time.Duration
	// look is the time between two looks at whether a connection is too old.
	look time.Duration
	// born is what times are counted from.
	born time.Time

	// buffers are for long bodies, and requests for requests that have one.
	buffers, requests sync.Pool

	// ctx ends with the client, and with it what makes connections.
	ctx    context.Context //nolint:containedctx // It ends what Start has begun.
	cancel context.CancelFunc
	closed atomic.Bool
	// mu guards the adding to work, which must not begin when the client is closed.
	mu    sync.Mutex
	conns map[*conn]struct{}
	work  sync.WaitGroup
}

var _ protocol.Client = (*Client)(nil)

// New returns a client for the options. It fails on options that cannot work and on files
// that cannot be read; it does not connect.
func New(o httpreq.Options) (*Client, error) {
	m, err := o.Prepare(protocol.HTTP1)
	if err != nil {
		return nil, err
	}
	c := &Client{
		writer:      writer{m.Varying, !o.KeepAlive},
		codes:       httpreq.NewCodes(),
		dialer:      m.Dialer,
		timeout:     o.Timeout,
		maxBody:     o.MaxResponseBytes,
		keepAlive:   o.KeepAlive,
		maxConns:    o.MaxConns,
		maxRequests: o.MaxConnRequests,
		maxAge:      o.MaxConnAge,
		born:        time.Now(),
		conns:       map[*conn]struct{}{},
	}
	c.buffers.New = func() any { return new([bodyBuffer]byte) }
	c.requests.New = func() any { return new([]byte) }
	c.look = longestLook
	if c.maxAge > 0 {
		c.look = max(shortestLook, min(c.look, c.maxAge))
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for i := range m.Prepared {
		p := &m.Prepared[i]
		c.entries = append(c.entries, c.newEntry(p))
	}
	return c, nil
}

// hostOf returns the host that a URL is of: the same for all of an origin.
func (c *Client) hostOf(u uri.URI) *host {
	return c.hosts.Get(u, func() *host { return newHost(c, u) })
}

// OnForeign makes the client offer HTTP/2 as well where it speaks TLS. A connection that
// agreed to it is handed to f, with the call that it was made for. Use it before Start.
func (c *Client) OnForeign(f func(*protocol.Call, dial.Ready)) {
	c.foreign = f
	c.dialer.Offer(protocol.HTTP2, protocol.HTTP1)
}

// since returns the time since the client was made, which is never 0.
func (c *Client) since(t time.Time) int64 { return int64(t.Sub(c.born)) + 1 }

// lifetime returns how long a new connection may be used. It varies, so that connections
// are not all replaced at once.
func (c *Client) lifetime() time.Duration {
	if c.maxAge == 0 {
		return 0
	}
	return max(1, time.Duration(float64(c.maxAge)*(0.9+0.2*rand.Float64())))
}

// Start implements protocol.Client. An entry that the mix does not have fails as
// ReasonProtocol, and so does a Message that is no *httpreq.Prepared. Where the head of a
// response came, the result has its status as code, even if the body failed.
func (c *Client) Start(call *protocol.Call) {
	now := time.Now()
	e, err := c.entryOf(call)
	if err != nil {
		c.fail(call, now, protocol.ReasonProtocol, err)
		return
	}
	x := exchange{call: call, entry: e, sent: now, deadline: call.EndsBy(now, c.timeout)}
	for {
		k, p, err := e.host.acquire(now)
		switch {
		case err != nil:
			c.fail(call, now, dial.Reason(err), err)
		case k == nil:
			c.connect(x, p)
		case !k.begin(x, true):
			continue // It has ended meanwhile.
		}
		return
	}
}

// entryOf returns what a call sends.
func (c *Client) entryOf(call *protocol.Call) (entry, error) {
	p, err := httpreq.MessageOf(call, len(c.entries))
	if err != nil {
		return entry{}, err
	}
	e := c.entries[call.Request.Entry]
	if p == nil {
		return e, nil
	}
	h := e.host
	if !p.URL.SameOrigin(e.URL) {
		h = c.hostOf(p.URL)
	}
	return entry{Prepared: p, host: h, method: methodOf(p.Method)}, nil
}

// fail ends a call that was not sent.
func (c *Client) fail(call *protocol.Call, sent time.Time, r protocol.Reason, err error) {
	call.Finish(protocol.Result{Sent: sent, Done: time.Now(), Reason: r, Err: err})
}

// Flush implements protocol.Client. There is nothing to write: Start has.
func (c *Client) Flush() {}

// Adopt starts a call on a connection that was made for it and that agreed to HTTP/1.1.
func (c *Client) Adopt(call *protocol.Call, r dial.Ready) {
	e, err := c.entryOf(call)
	if err != nil {
		_ = r.Conn.Close() // Nothing was sent.
		c.fail(call, r.Began, protocol.ReasonProtocol, err)
		return
	}
	x := exchange{call: call, entry: e, sent: r.Began, deadline: call.EndsBy(r.Began, c.timeout)}
	// Now and not in a while, so that those who start next need not resolve the name again.
	at := e.host.adopt(r)
	if !c.spawn(func() {
		if y, again := c.serve(x, at, r); again {
			c.make(y, e.host.another())
		}
	}) {
		e.host.release()
		_ = r.Conn.Close()
		c.fail(call, r.Began, protocol.ReasonCanceled, dial.ErrClosed)
	}
}

// spawn runs f in a goroutine that Close waits for. It returns false when the client is
// closed.
func (c *Client) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		return false
	}
	c.work.Go(f)
	return true
}

// exchange is a call on its way.
type exchange struct {
	call  *protocol.Call
	entry entry
	// sent is when the exchange began, and deadline when it has to have ended.
	sent, deadline time.Time
	// again says that it is sent for the second time.
	again bool
}

// connect makes a connection for an exchange, which it has been counted for.
func (c *Client) connect(x exchange, p *address) {
	if !c.spawn(func() { c.make(x, p) }) {
		x.entry.host.release()
		c.fail(x.call, x.sent, protocol.ReasonCanceled, dial.ErrClosed)
	}
}

// make makes a connection, sends the exchange on it and serves it until it is closed; and
// then another one, if the exchange must be sent again.
func (c *Client) make(x exchange, p *address) {
	for again := true; again; {
		r, at, err := c.dial(x, p)
		if err != nil {
			x.entry.host.release()
			c.fail(x.call, x.sent, c.reasonOfDial(x, err), err)
			return
		}
		r.Began = x.sent
		if r.Phases.Protocol == protocol.HTTP2 {
			x.entry.host.release()
			c.foreign(x.call, r)
			return
		}
		if x, again = c.serve(x, at, r); again {
			p = x.entry.host.another()
		}
	}
}

// reasonOfDial sorts a failure to make a connection: where the request's own time ran out
// first it is that.
func (c *Client) reasonOfDial(x exchange, err error) protocol.Reason {
	r := dial.Reason(err)
	if r == protocol.ReasonConnectTimeout && !time.Now().Before(x.deadline) {
		return protocol.ReasonTimeout
	}
	return r
}

// dial makes a connection for an exchange, to its address or another one of the host.
func (c *Client) dial(x exchange, p *address) (dial.Ready, *address, error) {
	ctx, cancel := context.WithDeadline(c.ctx, x.deadline)
	defer cancel()
	h, first := x.entry.host, ""
	if p != nil {
		first = p.addr
	}
	r, err := h.origin.Connect(ctx, first)
	if err != nil {
		return r, nil, err
	}
	return r, h.arrive(r.Addr), nil
}

// Close implements protocol.Client.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed.Store(true)
	conns := make([]*conn, 0, len(c.conns))
	for k := range c.conns {
		conns = append(conns, k)
	}
	c.mu.Unlock()
	c.cancel()
	for _, k := range conns {
		k.giveUp(errCanceled)
	}
	c.work.Wait()
	c.dialer.Close()
}

// register notes a connection, for Close. It returns false when the client is closed.
func (c *Client) register(k *conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		return false
	}
	c.conns[k] = struct{}{}
	return true
}

func (c *Client) forget(k *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, k)
}
