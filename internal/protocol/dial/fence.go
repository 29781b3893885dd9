package dial

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/allow"
)

// DeniedError is a connection that the Fence does not allow.
type DeniedError struct {
	// Target is host:port as it was asked for.
	Target string
	// Addrs are the addresses that it would have been made to; none where they are not known here.
	Addrs []string
}

// Error implements error.
func (e *DeniedError) Error() string {
	if len(e.Addrs) == 0 {
		return fmt.Sprintf("%q is not allowed by allow", e.Target)
	}
	return fmt.Sprintf("%q at %s is not allowed by allow", e.Target, strings.Join(e.Addrs, ", "))
}

// Fence keeps connections to an allow list, that of all clients of the process. It knows the connections that are
// open, so that another list closes those that it does not allow. A nil Fence allows all. Safe for concurrent use.
type Fence struct {
	// mu guards the rest.
	mu   sync.Mutex
	list allow.List
	open map[*Conn][]hop
}

// hop is one end of a connection: of those through a proxy there are two.
type hop struct {
	// target is host:port as it was asked for, and addr the address that was connected to; empty where a proxy
	// resolves the name.
	target, addr string
}

func (h hop) allowedBy(l allow.List) bool {
	if h.addr == "" {
		return l.Named(h.target)
	}
	return l.Direct(h.target, h.addr)
}

func (h hop) denied() error {
	e := &DeniedError{Target: h.target}
	if h.addr != "" {
		e.Addrs = []string{h.addr}
	}
	return &Error{Step: StepConnect, Addr: h.target, Err: e}
}

// NewFence returns a Fence with a list.
func NewFence(l allow.List) *Fence { return &Fence{list: l, open: make(map[*Conn][]hop)} }

// Set has another list hold from now on. Connections that it does not allow are closed at once, and the exchanges in
// flight on them fail.
func (f *Fence) Set(l allow.List) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = l
	for c, hops := range f.open {
		if i := slices.IndexFunc(hops, func(h hop) bool { return !h.allowedBy(l) }); i >= 0 {
			c.Fail(hops[i].denied())
		}
	}
}

// current returns the list. The Fence may be nil.
func (f *Fence) current() allow.List {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list
}

// check fails if a hop is not allowed.
func (f *Fence) check(h hop) error {
	if h.allowedBy(f.current()) {
		return nil
	}
	return h.denied()
}

// only returns the addresses of a target that are allowed. It fails if none is.
func (f *Fence) only(target string, addrs []string) ([]string, error) {
	l := f.current()
	if len(l) == 0 {
		return addrs, nil
	}
	var some []string
	for _, addr := range addrs {
		if l.Direct(target, addr) {
			some = append(some, addr)
		}
	}
	if len(some) == 0 {
		return nil, &Error{Step: StepConnect, Addr: target, Err: &DeniedError{Target: target, Addrs: addrs}}
	}
	return some, nil
}

// add takes a connection that has been made. It fails if the list has changed meanwhile, so that the connection is not
// allowed any more.
func (f *Fence) add(c *Conn, hops []hop) error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, h := range hops {
		if !h.allowedBy(f.list) {
			return h.denied()
		}
	}
	if c.state.Load() != connClosed { // Close lets go of it after that.
		f.open[c] = hops
	}
	return nil
}

// remove lets go of a connection that is closed.
func (f *Fence) remove(c *Conn) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, c)
}

// DialContext connects as net.Dialer does, where that is allowed, for clients that are not made of this package's
// connections. It looks at each address before it is connected to. Such connections are not closed by Set.
func (f *Fence) DialContext(ctx context.Context, network, target string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, addr string, _ syscall.RawConn) error { return f.check(hop{target, addr}) }}
	return d.DialContext(ctx, network, target)
}

// Proxied fails if a proxy must not be asked for a target, host:port, whose name it resolves.
func (f *Fence) Proxied(target string) error { return f.check(hop{target: target}) }

// refused fails if no address of the target, or of what it is reached through, could be allowed, so that its name
// need not be resolved.
func (o *Origin) refused() error {
	l := o.dialer.fence.current()
	switch {
	case o.proxy != nil && o.proxy.resolves:
		return o.dialer.fence.Proxied(o.target.Addr)
	case !l.Possible(o.target.Addr):
		return hop{target: o.target.Addr}.denied()
	}
	return nil
}

// permitted returns those of the addresses of the name that are allowed.
func (o *Origin) permitted(addrs []string) ([]string, error) {
	target := o.target.Addr
	if o.proxy != nil && o.proxy.resolves {
		target = o.proxy.addr
	}
	return o.dialer.fence.only(target, addrs)
}

// hops returns what a connection was made to.
func (o *Origin) hops(r *Ready) []hop {
	switch {
	case o.proxy == nil:
		return []hop{{o.target.Addr, r.Addr}}
	case o.proxy.resolves:
		return []hop{{target: o.target.Addr}, {o.proxy.addr, r.Addr}}
	default:
		return []hop{{o.target.Addr, r.Addr}, {o.proxy.addr, r.Conn.RemoteAddr().String()}}
	}
}
