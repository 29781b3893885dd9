package http1

import (
	"context"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// idleTimeout closes connections that nobody used for so long.
const idleTimeout = 90 * time.Second

// host is where requests of an origin go: the addresses of its name, which take turns,
// and the connections to them. Safe for concurrent use.
type host struct {
	client *Client
	addr   string
	secure bool

	// resolving is held while the name is resolved for somebody who waits for it.
	resolving sync.Mutex

	mu     sync.Mutex
	places []*place
	turn   int
	// conns is how many connections there are, those that are being made included.
	conns int
	// resolved is when the name was resolved last, and refreshing that it is again.
	resolved   time.Time
	refreshing bool
}

// place is one address of a host. The host's mu guards it.
type place struct {
	addr string
	// idle are its connections that may be used, the last one first.
	idle []*conn
	// gone says that the name does not have the address any more.
	gone bool
}

// take returns an idle connection of the place whose turn it is. Where it has none, it
// returns the place, if any is known, to make one for; and where no more may be made, an
// idle one of any other place.
func (h *host) take(now time.Time) (*conn, *place, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refresh(now)
	var p *place
	if n := len(h.places); n > 0 {
		h.turn = (h.turn + 1) % n
		p = h.places[h.turn]
		if k := p.pop(now); k != nil {
			return k, p, nil
		}
	}
	if h.conns < h.client.maxConns {
		h.conns++
		return nil, p, nil
	}
	for _, other := range h.places {
		if k := other.pop(now); k != nil {
			return k, other, nil
		}
	}
	return nil, nil, &dial.Error{Step: dial.StepConnect, Addr: h.addr, Err: dial.ErrTooManyConns}
}

// pop takes the connection that became idle last. Those that are too old it closes.
func (p *place) pop(now time.Time) *conn {
	for n := len(p.idle); n > 0; n = len(p.idle) {
		k := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		if !k.isOld(now) {
			return k
		}
		k.retire()
	}
	return nil
}

// put makes a connection idle. It returns false if the connection is not needed.
func (h *host) put(p *place, k *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.gone || h.client.closed.Load() {
		return false
	}
	p.idle = append(p.idle, k)
	return true
}

// putBack makes a connection idle that was taken and not used.
func (h *host) putBack(k *conn) {
	if k != nil && !h.put(k.place, k) {
		k.retire()
	}
}

// remove takes an idle connection away. It returns false if somebody else has it.
func (h *host) remove(p *place, k *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range p.idle {
		if p.idle[i] == k {
			last := len(p.idle) - 1
			copy(p.idle[i:], p.idle[i+1:])
			p.idle[last] = nil
			p.idle = p.idle[:last]
			return true
		}
	}
	return false
}

// drop gives up a connection, or the making of one.
func (h *host) drop(p *place, k *conn) {
	if k != nil {
		h.remove(p, k)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns--
}

// adopt counts a connection that somebody else has made.
func (h *host) adopt(addr string) *place {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns++
	return h.placeOf(addr)
}

// another returns the place to make a connection to for an exchange whose connection is
// dead.
func (h *host) another() *place {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns++
	if len(h.places) == 0 {
		return nil
	}
	h.turn = (h.turn + 1) % len(h.places)
	return h.places[h.turn]
}

// arrive returns the place that a connection was made to.
func (h *host) arrive(p *place, addr string) *place {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p != nil && p.addr == addr {
		return p
	}
	return h.placeOf(addr)
}

// placeOf returns the place of an address: one that is gone if the host does not have it.
func (h *host) placeOf(addr string) *place {
	for _, p := range h.places {
		if p.addr == addr {
			return p
		}
	}
	if len(h.places) == 0 {
		p := &place{addr: addr}
		h.places = append(h.places, p)
		return p
	}
	return &place{addr: addr, gone: true}
}

// order returns the addresses to connect to: the place's, then the others. It resolves
// the name if that has not been done, or is to be done each time, and tells how long
// that took.
func (h *host) order(ctx context.Context, p *place) (addrs []string, took time.Duration, err error) {
	h.mu.Lock()
	known := len(h.places) > 0 && !h.resolved.IsZero()
	h.mu.Unlock()
	if !known || h.client.resolveEvery == 0 {
		if took, err = h.resolve(ctx, !known); err != nil && !known {
			return nil, 0, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	from := h.turn
	if p == nil { // The turns begin with the first connections.
		h.turn++
	}
	for i, q := range h.places {
		if q == p {
			from = i
		}
	}
	for i := range h.places {
		addrs = append(addrs, h.places[(from+i)%len(h.places)].addr)
	}
	return addrs, took, nil
}

// resolve resolves the name, unless once is enough and it has been done meanwhile.
func (h *host) resolve(ctx context.Context, once bool) (time.Duration, error) {
	h.resolving.Lock()
	defer h.resolving.Unlock()
	if once {
		h.mu.Lock()
		done := !h.resolved.IsZero()
		h.mu.Unlock()
		if done {
			return 0, nil
		}
	}
	addrs, took, err := h.client.dialer.Resolve(ctx, h.addr)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		return took, err
	}
	h.resolved = time.Now()
	h.settle(addrs)
	return took, nil
}

// settle makes these the host's addresses. Idle connections to others are closed, and
// busy ones when they become idle.
func (h *host) settle(addrs []string) {
	old := h.places
	h.places = make([]*place, 0, len(addrs))
	for _, addr := range addrs {
		p := &place{addr: addr}
		for i, q := range old {
			if q != nil && q.addr == addr {
				p, old[i] = q, nil
			}
		}
		h.places = append(h.places, p)
	}
	for _, q := range old {
		if q == nil {
			continue
		}
		q.gone = true
		for _, k := range q.idle {
			k.retire()
		}
		q.idle = nil
	}
}

// refresh resolves the name again, in the background, when that is due. What cannot be
// resolved any more keeps its addresses.
func (h *host) refresh(now time.Time) {
	every := h.client.resolveEvery
	if every == 0 || h.refreshing || h.resolved.IsZero() || now.Sub(h.resolved) < every {
		return
	}
	h.refreshing = h.client.spawn(func() {
		ctx, cancel := context.WithTimeout(h.client.ctx, h.client.connectTimeout)
		defer cancel()
		_, err := h.resolve(ctx, false)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.refreshing = false
		if err != nil {
			h.resolved = time.Now() // Not again at once.
		}
	})
}
