package http2

import (
	"context"
	"slices"
	"sync"
	"time"
)

// maxSpread is the most addresses of a name that connections are kept to without need.
const maxSpread = 16

// addresses are those of an origin's name, as far as they are known, and the connections
// to each. The zero addresses know nothing. Safe for concurrent use.
type addresses struct {
	// resolving is held while the name is resolved.
	resolving sync.Mutex

	mu       sync.Mutex
	known    []string
	resolved time.Time
	conns    map[string]int
}

// fresh returns the addresses if they need not be resolved.
func (a *addresses) fresh(every time.Duration) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.resolved.IsZero() || every <= 0 || time.Since(a.resolved) >= every {
		return nil
	}
	return a.known
}

// resolve returns the addresses of the origin, and how long it took to find them out. A
// name that cannot be resolved any more keeps those that it had.
func (o *origin) resolve(ctx context.Context) (addrs []string, took time.Duration, err error) {
	a, every := &o.addresses, o.client.resolveEvery
	if addrs = a.fresh(every); addrs != nil {
		return addrs, 0, nil
	}
	a.resolving.Lock()
	defer a.resolving.Unlock()
	if addrs = a.fresh(every); addrs != nil {
		return addrs, 0, nil // Somebody else has done it.
	}
	addrs, took, err = o.client.dialer.Resolve(ctx, o.addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		if a.known == nil {
			return nil, took, err
		}
		addrs = a.known
	}
	a.known, a.resolved = addrs, time.Now()
	return addrs, took, nil
}

// book counts a connection that is to be made to the address that has the fewest, and
// returns which that is.
func (o *origin) book(addrs []string) string {
	a := &o.addresses
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conns == nil {
		a.conns = make(map[string]int)
	}
	best := addrs[0]
	for _, addr := range addrs {
		if a.conns[addr] < a.conns[best] {
			best = addr
		}
	}
	a.conns[best]++
	return best
}

// note counts a connection to the address.
func (o *origin) note(addr string) {
	o.addresses.mu.Lock()
	defer o.addresses.mu.Unlock()
	if o.addresses.conns == nil {
		o.addresses.conns = make(map[string]int)
	}
	o.addresses.conns[addr]++
}

// unbook takes back what book or note counted.
func (o *origin) unbook(addr string) {
	a := &o.addresses
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conns[addr]--; a.conns[addr] <= 0 {
		delete(a.conns, addr)
	}
}

// lonely returns how many addresses have no connection at all, of those that are to.
func (o *origin) lonely() (n int) {
	a := &o.addresses
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, addr := range a.known[:min(maxSpread, len(a.known))] {
		if a.conns[addr] == 0 {
			n++
		}
	}
	return n
}

// has reports whether the name still has the address, as far as is known.
func (a *addresses) has(addr string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known == nil || slices.Contains(a.known, addr)
}

// startingWith returns the addresses with one of them first and the others in turn.
func startingWith(first string, addrs []string) []string {
	i := max(0, slices.Index(addrs, first))
	return append(slices.Clone(addrs[i:]), addrs[:i]...)
}
