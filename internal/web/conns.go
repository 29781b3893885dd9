package web

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// grace is how long a connection is open at least before it may be closed for another one. A
// handshake of TLS and a request fit in.
const grace = 200 * time.Millisecond

// conns bounds the connections of a server: for a new one beyond the limit it closes the
// one that has been without a request for the longest time, so that a client that holds
// connections keeps out neither scrapes nor probes. Requests that are being served are
// cut off only if all connections have one.
//
// Each connection has time for its first request. Until it is over, new ones wait in the queue of
// the listener, so that clients that come back at once keep nobody out either.
//
// It hooks into http.Server and not into its listeners, since the exporter-toolkit opens
// some of them itself. Safe for concurrent use.
type conns struct {
	limit  int
	logger *slog.Logger
	// sometimes bounds how often the log reports that connections are closed.
	sometimes rate.Sometimes

	// closed has an element after a connection was closed.
	closed chan struct{}

	mu   sync.Mutex
	open map[net.Conn]*conn
}

// conn is a connection that is open.
type conn struct {
	net.Conn
	// opened is when there was room for it, and last when a request began or ended.
	opened, last time.Time
	// serving is the number of requests that handlers are at. The conns' mutex guards all of this.
	serving int
}

// connKey is the key of the *conn in the context of a request.
type connKey struct{}

func newConns(limit int, logger *slog.Logger) *conns {
	return &conns{
		limit: limit, logger: logger,
		sometimes: rate.Sometimes{First: 1, Interval: time.Minute},
		closed:    make(chan struct{}, 1),
		open:      map[net.Conn]*conn{},
	}
}

// bound makes the server one whose connections are bounded.
func (c *conns) bound(s *http.Server) {
	s.ConnContext = c.opened
	s.ConnState = c.changed
	s.Handler = c.serve(s.Handler)
}

// opened is the server's ConnContext: a connection has been accepted. The next one is not, until
// there is room for it.
func (c *conns) opened(ctx context.Context, nc net.Conn) context.Context {
	n := &conn{Conn: nc}
	for wait := c.enter(n); wait > 0; wait = c.enter(n) {
		timer := time.NewTimer(wait)
		select {
		case <-c.closed:
		case <-timer.C:
		}
		timer.Stop()
	}
	return context.WithValue(ctx, connKey{}, n)
}

// enter adds a connection, if need be in the place of another one, or returns how long to wait
// before the next attempt.
func (c *conns) enter(n *conn) (wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if len(c.open) >= c.limit {
		worst := c.worst()
		if wait = worst.opened.Add(grace).Sub(now); wait > 0 {
			return wait
		}
		c.close(worst)
	}
	c.open[n.Conn] = n
	n.opened, n.last = now, now
	return 0
}

// changed is the server's ConnState.
func (c *conns) changed(nc net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateClosed, http.StateHijacked:
		delete(c.open, nc)
		select {
		case c.closed <- struct{}{}:
		default: // There is one.
		}
	case http.StateIdle:
		if n, ok := c.open[nc]; ok {
			n.last = time.Now()
		}
	default: // Part of a request is none yet: a client that sends no more is as good as idle.
	}
}

// serve returns a handler that keeps count of the requests of each connection.
func (c *conns) serve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, ok := r.Context().Value(connKey{}).(*conn); ok {
			c.count(n, 1)
			defer c.count(n, -1)
		}
		next.ServeHTTP(w, r)
	})
}

func (c *conns) count(n *conn, more int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n.serving += more
	n.last = time.Now()
}

// worst returns the connection that can be missed best; there is one.
func (c *conns) worst() *conn {
	var worst *conn
	for _, n := range c.open {
		if worst == nil || n.before(worst) {
			worst = n
		}
	}
	return worst
}

// close closes a connection to make room.
func (c *conns) close(n *conn) {
	delete(c.open, n.Conn)
	n.cut()
	c.sometimes.Do(func() {
		c.logger.Warn("too many connections, the longest idle ones are closed", "limit", c.limit, "remote_address", n.RemoteAddr().String())
	})
}

// before reports whether n can be missed better than o.
func (n *conn) before(o *conn) bool {
	if idle := n.serving == 0; idle != (o.serving == 0) {
		return idle
	}
	return n.last.Before(o.last)
}

// cut closes the connection at once. TLS would say goodbye first, and wait for that.
func (n *conn) cut() {
	nc := n.Conn
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	_ = nc.Close() // It is of no more use, whether or not it can be closed.
}
