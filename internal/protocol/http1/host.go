package http1

import (
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// idleTimeout closes connections that nobody used for so long.
const idleTimeout = 90 * time.Second

// host is where requests of an origin go: the addresses of its name, which take turns,
// and the connections to them. Safe for concurrent use.
type host struct {
	client *Client
	addr   string
	// origin makes the connections.
	origin *dial.Origin

	mu        sync.Mutex
	addresses []*address
	turn      int
	// conns is how many connections there are, those that are being made included.
	conns int
}

// newHost returns a host without connections.
func newHost(c *Client, u uri.URI) *host {
	h := &host{client: c, addr: u.Addr()}
	h.origin = c.dialer.Origin(dial.Target{Addr: h.addr, Secure: u.Secure(), Forward: true, Changed: h.changed})
	return h
}

// address is one address of a host. The host's mu guards it.
type address struct {
	addr string
	// last is the connection that became idle last; the others follow it.
	last *conn
	// gone says that the name does not have the address any more.
	gone bool
}

// acquire returns an idle connection of the address whose turn it is. Where it has none, it
// returns the address, if any is known, to make one for, which is counted; and where no more
// may be made, an idle one of any other address.
func (h *host) acquire(now time.Time) (*conn, *address, error) {
	h.origin.Refresh(now)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.client.closed.Load() {
		return nil, nil, dial.ErrClosed
	}
	p := h.next(now)
	if p != nil {
		if k := h.pop(p, now); k != nil {
			return k, p, nil
		}
	}
	if h.conns < h.client.maxConns {
		h.conns++
		return nil, p, nil
	}
	for _, other := range h.addresses {
		if k := h.pop(other, now); k != nil {
			return k, other, nil
		}
	}
	return nil, nil, &dial.Error{Step: dial.StepConnect, Addr: h.addr, Err: dial.ErrTooManyConns}
}

// next returns the address whose turn it is, nil if none is known. Those that were not
// reached a while ago are passed over, unless all were; otherwise each of their turns
// would make a connection, to another address in the end, while there are idle ones.
func (h *host) next(now time.Time) *address {
	n := len(h.addresses)
	for i := range n {
		p := h.addresses[(h.turn+1+i)%n]
		if p.last != nil || !h.origin.Resting(p.addr, now) {
			h.turn = (h.turn + 1 + i) % n
			return p
		}
	}
	if n == 0 {
		return nil
	}
	h.turn = (h.turn + 1) % n
	return h.addresses[h.turn]
}

// pop takes the connection that became idle last. Those that are too old it ends.
func (h *host) pop(p *address, now time.Time) *conn {
	for k := p.last; k != nil; k = p.last {
		if !k.isOld(now) {
			p.unlink(k)
			return k
		}
		h.dismiss(k)
	}
	return nil
}

// link makes a connection the last in the list.
func (p *address) link(k *conn) {
	k.older, k.newer, k.idle = p.last, nil, true
	if p.last != nil {
		p.last.newer = k
	}
	p.last = k
}

// unlink takes a connection out of the list.
func (p *address) unlink(k *conn) {
	if k.newer != nil {
		k.newer.older = k.older
	} else {
		p.last = k.older
	}
	if k.older != nil {
		k.older.newer = k.newer
	}
	k.older, k.newer, k.idle = nil, nil, false
}

// put makes a free connection idle, or ends it if it is not needed.
func (h *host) put(k *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k.address.link(k)
	if k.address.gone || h.client.closed.Load() {
		h.dismiss(k)
	}
}

// dismiss ends an idle connection and has it closed. The caller holds mu.
func (h *host) dismiss(k *conn) {
	k.address.unlink(k)
	if k.state.CompareAndSwap(connFree, connEnded) {
		h.conns--
	}
	k.giveUp(errRetired)
}

// retire ends a connection if it is idle.
func (h *host) retire(k *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !k.idle {
		return false
	}
	h.dismiss(k)
	return true
}

// end ends a free connection, which does not count any more from then on: a caller that has
// just taken it finds that there is room for another one.
func (h *host) end(k *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !k.state.CompareAndSwap(connFree, connEnded) {
		return false
	}
	if k.idle {
		k.address.unlink(k)
	}
	h.conns--
	return true
}

// release counts one connection less that was busy, or being made.
func (h *host) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns--
}

// adopt counts a connection that somebody else has made.
func (h *host) adopt(r dial.Ready) *address {
	h.origin.Adopt(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns++
	return h.addressOf(r.Addr)
}

// arrive returns the address that a connection was made to.
func (h *host) arrive(addr string) *address {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.addressOf(addr)
}

// another returns the address to make a connection to for an exchange whose connection is
// dead.
func (h *host) another() *address {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.next(time.Now())
}

// addressOf returns the entry of an address: one that is gone if the host does not have it.
func (h *host) addressOf(addr string) *address {
	for _, p := range h.addresses {
		if p.addr == addr {
			return p
		}
	}
	if len(h.addresses) == 0 {
		p := &address{addr: addr}
		h.addresses = append(h.addresses, p)
		return p
	}
	return &address{addr: addr, gone: true}
}

// changed takes the addresses of the name. Idle connections to others are closed, and busy
// ones when they become idle.
func (h *host) changed(addrs []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.addresses
	h.addresses = make([]*address, 0, len(addrs))
	for _, addr := range addrs {
		p := &address{addr: addr}
		for i, q := range old {
			if q != nil && q.addr == addr {
				p, old[i] = q, nil
			}
		}
		h.addresses = append(h.addresses, p)
	}
	for _, q := range old {
		if q == nil {
			continue
		}
		q.gone = true
		for k := q.last; k != nil; k = q.last {
			h.dismiss(k)
		}
	}
}

// InUse reports whether there are connections, or soon will be.
func (h *host) InUse() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.conns > 0
}
