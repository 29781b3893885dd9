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

// conns bounds the connections of a server: for a new one beyond the limit it closes the
// one that has been without a request for the longest time, so that a client that holds
// connections keeps out neither scrapes nor probes. Requests that are being served are
// cut off only if all connections have one.
//
// It hooks into http.Server and not into its listeners, since the exporter-toolkit opens
// some of them itself. Safe for concurrent use.
type conns struct {
	limit  int
	logger *slog.Logger
	// sometimes bounds how often the log reports that connections are closed.
	sometimes rate.Sometimes

	mu sync.Mutex
	// events counts what happens on connections; it stands for the time.
	events uint64
	open   map[net.Conn]*conn
}

// conn is a connection that is open.
type conn struct {
	net.Conn
	// serving is the number of requests that handlers are at, and last the event at which
	// a request began or ended. The conns' mutex guards them.
	serving int
	last    uint64
}

// connKey is the key of the *conn in the context of a request.
type connKey struct{}

func newConns(limit int, logger *slog.Logger) *conns {
	return &conns{
		limit: limit, logger: logger,
		sometimes: rate.Sometimes{First: 1, Interval: time.Minute},
		open:      map[net.Conn]*conn{},
	}
}

// bound makes the server one whose connections are bounded.
func (c *conns) bound(s *http.Server) {
	s.ConnContext = c.opened
	s.ConnState = c.changed
	s.Handler = c.serve(s.Handler)
}

// opened is the server's ConnContext: a connection has been accepted.
func (c *conns) opened(ctx context.Context, nc net.Conn) context.Context {
	n := &conn{Conn: nc}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) >= c.limit {
		c.closeOne()
	}
	c.open[nc] = n
	c.touch(n)
	return context.WithValue(ctx, connKey{}, n)
}

// changed is the server's ConnState.
func (c *conns) changed(nc net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateClosed, http.StateHijacked:
		delete(c.open, nc)
	case http.StateIdle:
		if n, ok := c.open[nc]; ok {
			c.touch(n)
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
	c.touch(n)
}

// touch notes that something has happened on the connection just now.
func (c *conns) touch(n *conn) {
	c.events++
	n.last = c.events
}

// closeOne closes the connection that can be missed best.
func (c *conns) closeOne() {
	var worst *conn
	for _, n := range c.open {
		if worst == nil || n.before(worst) {
			worst = n
		}
	}
	if worst == nil {
		return
	}
	delete(c.open, worst.Conn)
	worst.cut()
	c.sometimes.Do(func() {
		c.logger.Warn("too many connections, the longest idle ones are closed", "limit", c.limit, "remote_address", worst.RemoteAddr().String())
	})
}

// before reports whether n can be missed better than o.
func (n *conn) before(o *conn) bool {
	if idle := n.serving == 0; idle != (o.serving == 0) {
		return idle
	}
	return n.last < o.last
}

// cut closes the connection at once. TLS would say goodbye first, and wait for that.
func (n *conn) cut() {
	nc := n.Conn
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	_ = nc.Close() // It is of no more use, whether or not it can be closed.
}
