package http3

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

const (
	// firstLimit is how many streams a server is taken to allow until one says otherwise.
	firstLimit = 100
	// maxSpread is the most addresses of a name that connections are kept to without need.
	maxSpread = 16
)

// origin is where requests go, with its connections and those who wait for one. Safe for concurrent
// use.
type origin struct {
	client *client
	addr   string
	// dial makes the connections.
	dial *dial.Origin
	// late says that the next handshake must be complete before anything is sent, since the server
	// has just refused early data.
	late atomic.Bool

	mu sync.Mutex
	// conns are the connections that have not ended, making is how many are being made, and made how
	// many have been.
	conns  []*conn
	making int
	made   uint64
	// turn is whose turn it is among equals, and learned how many streams a connection allowed lately.
	turn    int
	learned int
	// waiting are those who wait for a connection with room. While there are any, connections are
	// being made, unless there can be no more.
	waiting []*waiter
	closed  bool
}

// wish says which connections a request may go to, while more of them can be made.
type wish struct {
	// after is the number of a connection after which it has to be made, and avoid one that it must not
	// be; nil for none.
	after uint64
	avoid *conn
}

// grants reports whether it may go to a connection.
func (w wish) grants(c *conn) bool { return c.number > w.after && c != w.avoid }

// waiter is a request that waits for a connection.
type waiter struct {
	wish

	// granted takes the connection, or the error that there is none.
	granted chan grant
}

// grant is what a waiter is given.
type grant struct {
	conn *conn
	err  error
}

// newOrigin returns an origin without connections.
func newOrigin(c *client, addr string) *origin {
	o := &origin{client: c, addr: addr, learned: firstLimit}
	o.dial = c.dialer.Origin(dial.Target{Addr: addr, Secure: true, Changed: o.changed, Handshake: o.handshake})
	return o
}

// acquire returns a connection with room, and reports whether it had to be waited for. It has to be
// released.
func (o *origin) acquire(ctx context.Context, wants wish) (c *conn, waited bool, err error) {
	now := time.Now()
	o.dial.Refresh(now) //nolint:contextcheck // A lookup is shared, and belongs to the Dialer.
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return nil, false, dial.ErrClosed
	}
	if c = o.pick(now, wants); c != nil {
		o.mu.Unlock()
		return c, false, nil
	}
	w := &waiter{wish: wants, granted: make(chan grant, 1)}
	o.waiting = append(o.waiting, w)
	o.grow()
	o.mu.Unlock()
	select {
	case g := <-w.granted:
		return g.conn, true, g.err
	case <-ctx.Done():
		return nil, true, o.giveUp(w, ctx.Err())
	}
}

// giveUp ends the waiting of a request whose time is up, or that is not needed any more, and
// returns the error to report for it.
func (o *origin) giveUp(w *waiter, err error) error {
	o.mu.Lock()
	o.waiting = slices.DeleteFunc(o.waiting, func(other *waiter) bool { return other == w })
	o.mu.Unlock()
	select {
	case g := <-w.granted: // Too late.
		if g.conn != nil {
			g.conn.release()
		}
	default:
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if unresolved := o.dial.Unresolved(); unresolved != nil {
		return unresolved
	}
	return errTimeout
}

// pick takes a place on the connection with the fewest requests of those that have room and may be
// used; nil if there is none. Equals take turns.
func (o *origin) pick(now time.Time, w wish) *conn {
	if !o.mayGrow() {
		w = wish{} // There is not going to be another.
	}
	var best *conn
	o.turn++
	for i := range o.conns {
		c := o.conns[(i+o.turn)%len(o.conns)]
		if w.grants(c) && c.hasRoom(now) && (best == nil || c.active < best.active) {
			best = c
		}
	}
	if best != nil {
		best.active++
		best.used++
	}
	return best
}

// mayGrow reports whether one more connection may be made.
func (o *origin) mayGrow() bool { return len(o.conns)+o.making < o.client.maxConns }

// unserved returns for how many of those that wait there is no room, even on the connections that are
// being made.
func (o *origin) unserved() int {
	each := o.learned
	if n := o.client.perConn; n > 0 {
		each = min(each, n)
	}
	return len(o.waiting) - o.making*each
}

// grow makes connections for those that wait. A server that allows no stream for now allows none on
// another connection either. Where no connection is ever going to have room, they fail.
func (o *origin) grow() {
	for o.unserved() > 0 && o.mayGrow() && (o.learned > 0 || len(o.conns)+o.making == 0) {
		o.making++
		o.client.work.Go(func() { o.make("") })
	}
	if o.making == 0 && !slices.ContainsFunc(o.conns, func(c *conn) bool { return !c.retired }) {
		o.fail(len(o.waiting), &dial.Error{Step: dial.StepConnect, Addr: o.addr, Err: dial.ErrTooManyConns})
	}
}

// fail ends the waiting of the first n with an error.
func (o *origin) fail(n int, err error) {
	for _, w := range o.waiting[:n] {
		w.granted <- grant{err: err}
	}
	o.waiting = slices.Delete(o.waiting, 0, n)
}

// serve gives those that wait to connections with room, and makes more of them where they are needed.
func (o *origin) serve() {
	now := time.Now()
	o.waiting = slices.DeleteFunc(o.waiting, func(w *waiter) bool {
		c := o.pick(now, w.wish)
		if c != nil {
			w.granted <- grant{conn: c}
		}
		return c != nil
	})
	if !o.closed {
		o.grow()
	}
}

// make makes a connection for those that wait, or, with an address, one to that, which has none; without
// it there are others.
func (o *origin) make(addr string) {
	connect := o.dial.Connect
	if addr != "" {
		connect = o.dial.ConnectOnly
	}
	r, err := connect(o.client.ctx, addr)
	if err == nil {
		o.use(r)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.making--
	if addr == "" {
		o.fail(max(0, min(o.unserved(), len(o.waiting))), err)
		return
	}
	o.serve() // Somebody may have begun to wait for it.
}

// use takes a connection that has been made.
func (o *origin) use(r dial.Ready) {
	o.mu.Lock()
	o.making--
	if o.closed {
		o.mu.Unlock()
		_ = r.Conn.Close() // Nothing was sent: nobody needs the error.
		return
	}
	o.made++
	c := newConn(o, r, time.Now())
	o.conns = append(o.conns, c)
	// It fails if it is closed already, which the watch will notice.
	_ = r.Conn.Open(r.Phases)
	c.session.greet()
	o.client.work.Go(c.watch)
	o.serve()
	o.mu.Unlock()
	o.spread()
}

// spread makes a connection to an address that has none, one at a time, while there is one to another.
func (o *origin) spread() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.conns) == 0 || o.making > 0 || !o.mayGrow() || o.closed || o.client.perConn == 1 {
		return
	}
	if addr := o.dial.Bare(maxSpread); addr != "" {
		o.making++
		o.client.work.Go(func() { o.make(addr) })
	}
}

// changed takes the addresses of the name. Connections to others end with their last requests.
func (o *origin) changed(addrs []string) {
	o.mu.Lock()
	for _, c := range slices.Clone(o.conns) {
		if !slices.Contains(addrs, c.ready.Addr) {
			c.retire()
		}
	}
	o.mu.Unlock()
	o.spread()
}

// remove removes a connection that has ended, or is about to.
func (o *origin) remove(c *conn) {
	o.conns = slices.DeleteFunc(o.conns, func(other *conn) bool { return other == c })
}

// close ends all connections and lets none be made.
func (o *origin) close() {
	o.mu.Lock()
	o.closed = true
	o.fail(len(o.waiting), dial.ErrClosed)
	conns := slices.Clone(o.conns)
	o.mu.Unlock()
	for _, c := range conns {
		_ = c.session.end(codeNone) // It has ended otherwise.
	}
}

// InUse reports whether there are connections or requests that wait for one.
func (o *origin) InUse() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns)+o.making+len(o.waiting) > 0
}

// newConn returns a connection that has been made.
func newConn(o *origin, r dial.Ready, now time.Time) *conn {
	s, _ := r.Over.(*session) // It is what handshake made.
	c := &conn{
		origin: o, session: s, ready: r, number: o.made,
		most: math.MaxInt, retireAt: httpreq.RetireAt(now, o.client.maxAge), idleSince: now, done: make(chan struct{}),
		streams: make(map[streamID]stream),
	}
	if n := o.client.perConn; n > 0 {
		c.most = n
	}
	return c
}
