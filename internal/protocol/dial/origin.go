package dial

import (
	"context"
	"crypto/tls"
	"maps"
	"slices"
	"sync"
	"time"
)

// restTime is how long an address that was not reached is left alone where there is another
// one.
const restTime = 5 * time.Second

// Target is what an Origin makes connections to.
type Target struct {
	// Addr is host:port.
	Addr string
	// Secure asks for TLS.
	Secure bool
	// Forward says that in the clear a proxy that speaks HTTP may forward requests one by one.
	// Otherwise it is asked for a tunnel.
	Forward bool
	// Changed, if not nil, is called with the addresses of the name each time that they
	// differ from those before: connections to any other address must be retired. Calls do
	// not overlap. An Origin whose host is an address calls it at once.
	Changed func(addrs []string)
	// Handshake, if not nil, makes connections over UDP, in place of TCP and TLS. No proxy carries
	// them.
	Handshake Handshake
}

// Origin makes the connections of one client to one origin: to the addresses of its name,
// each the one with the fewest connections first. Connections count from the moment that they
// are begun until they are closed. Safe for concurrent use.
type Origin struct {
	dialer *Dialer
	target Target
	// name is what connections are made to the addresses of: the target's or, where a proxy
	// resolves that, the proxy's.
	name *name
	// proxy is nil without one; via is its name where it does not resolve the target's.
	proxy *proxy
	via   *name
	// broken is why no connection can be made at all; nil if it can.
	broken error

	mu sync.Mutex
	// at holds the state of addresses; nothing is known of those that are not in it.
	at map[string]*address
}

// address is the state of one address.
type address struct {
	// conns is how many connections there are, those that are being made included.
	conns int
	// missed is when it was last not reached, though another one was.
	missed time.Time
}

// Origin returns an Origin without connections.
func (d *Dialer) Origin(t Target) *Origin {
	o := &Origin{dialer: d, target: t, at: make(map[string]*address)}
	o.proxy, o.broken = d.proxies.to(t)
	if o.proxy != nil && t.Handshake != nil {
		o.proxy, o.broken = nil, errNoUDP
	}
	addr := t.Addr
	switch {
	case o.proxy == nil:
	case o.proxy.resolves:
		addr = o.proxy.addr
	default:
		o.via = newName(d, o.proxy.addr, func([]string) {})
	}
	o.name = newName(d, addr, o.changed)
	return o
}

// Forwards reports whether requests go to a proxy that forwards them, so that they have to be
// in absolute form (RFC 9112, section 3.2.2), and returns the Proxy-Authorization that they
// need; empty for none.
func (o *Origin) Forwards() (authorization string, ok bool) {
	if !o.forwards() {
		return "", false
	}
	return o.proxy.authorization(), true
}

func (o *Origin) forwards() bool {
	return o.proxy != nil && !o.proxy.socks && o.target.Forward && !o.target.Secure
}

// changed takes the addresses of the name.
func (o *Origin) changed(addrs []string) {
	o.mu.Lock()
	maps.DeleteFunc(o.at, func(addr string, a *address) bool { return a.conns <= 0 && !slices.Contains(addrs, addr) })
	o.mu.Unlock()
	if o.target.Changed != nil {
		o.target.Changed(addrs)
	}
}

// Refresh resolves the name again, in the background, when that is due. It does not block
// and costs next to nothing when it is not.
func (o *Origin) Refresh(now time.Time) { o.name.refresh(now) }

// Unresolved returns the error for a caller that cannot wait any longer for a connection, if
// the connection waits for the name; nil if it does not.
func (o *Origin) Unresolved() error { return o.name.waiting() }

// Resting reports whether an address is left alone for now, since it was not reached lately.
func (o *Origin) Resting(addr string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.resting(addr, now)
}

func (o *Origin) resting(addr string, now time.Time) bool {
	a := o.at[addr]
	return a != nil && now.Sub(a.missed) < restTime
}

// Bare returns one of the first n addresses that has no connection, nor is one being made,
// and that is not left alone for now; "" if there is none.
func (o *Origin) Bare(n int) string {
	addrs, err := o.permitted(o.name.addresses())
	if err != nil {
		return ""
	}
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, addr := range addrs[:min(n, len(addrs))] {
		if o.conns(addr) == 0 && !o.resting(addr, now) {
			return addr
		}
	}
	return ""
}

func (o *Origin) conns(addr string) int {
	if a := o.at[addr]; a != nil {
		return a.conns
	}
	return 0
}

// Connect makes a connection, within the Dialer's timeout: to the address that is asked for,
// or, with "" or if the name does not have it, to the one with the fewest connections. Where
// it is not reached, the others are tried in turn. Errors are of type *Error.
func (o *Origin) Connect(ctx context.Context, first string) (Ready, error) {
	return o.connect(ctx, first, false)
}

// ConnectOnly makes a connection to one address, as Connect does, and tries no other.
func (o *Origin) ConnectOnly(ctx context.Context, addr string) (Ready, error) {
	return o.connect(ctx, addr, true)
}

func (o *Origin) connect(ctx context.Context, first string, only bool) (r Ready, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.dialer.timeout)
	defer cancel()
	r.Began = time.Now()
	if o.broken != nil {
		return r, &Error{Step: StepConnect, Addr: o.target.Addr, Err: o.broken}
	}
	if err = o.refused(); err != nil {
		return r, err
	}
	f, err := o.name.current(ctx)
	if err != nil {
		return r, err
	}
	addrs, err := o.permitted(f.addrs)
	if err != nil {
		return r, err
	}
	addrs = o.book(addrs, first)
	booked := addrs[0]
	defer func() { o.add(booked, -1) }()
	if only {
		addrs = addrs[:1]
	}
	r.Phases.DNS = f.waited
	if err = o.open(ctx, &r, addrs); err != nil {
		if only {
			o.miss(booked)
		}
		return r, err
	}
	if f.outdated {
		o.dialer.observer.Outdated()
	}
	r.resolved = o.name.latest()
	o.Adopt(r)
	return r, nil
}

// open connects to one of the addresses and does what comes before the first request.
func (o *Origin) open(ctx context.Context, r *Ready, addrs []string) (err error) {
	begin := time.Now()
	if r.Conn, r.Addr, err = connectTo(ctx, addrs, o.reach); err != nil {
		return err
	}
	o.reached(addrs, r.Addr)
	defer func() {
		if err != nil {
			_ = r.Conn.Close() // There is another error to report.
		}
	}()
	if err = o.dialer.fence.add(r.Conn, o.hops(r)); err != nil {
		return err
	}
	over, err := o.through(ctx, r.Conn)
	if err != nil {
		return err
	}
	r.Phases.Protocol, r.Phases.Connect = o.dialer.clear, time.Since(begin)
	if r.Over = r.Conn.over; r.Over != nil {
		return nil
	}
	if !o.target.Secure {
		r.TLS, _ = over.(*tls.Conn) // A proxy's.
		return nil
	}
	begin = time.Now()
	if r.TLS, r.Phases.Protocol, err = o.dialer.handshake(ctx, over, o.target.Addr); err != nil {
		return err
	}
	r.Phases.TLS = time.Since(begin)
	return nil
}

// reach makes a connection to an address of the name: directly, or by a proxy that takes
// addresses.
func (o *Origin) reach(ctx context.Context, addr string) (*Conn, error) {
	if o.target.Handshake != nil {
		return o.dialer.shake(ctx, addr, o.target)
	}
	if o.via == nil {
		return o.dialer.try(ctx, addr)
	}
	f, err := o.via.current(ctx)
	if err != nil {
		return nil, err
	}
	addrs, err := o.dialer.fence.only(o.proxy.addr, f.addrs)
	if err != nil {
		return nil, err
	}
	c, _, err := connectTo(ctx, addrs, o.dialer.try)
	if err != nil {
		return nil, err
	}
	if err = o.proxy.socksTo(ctx, c, addr); err != nil {
		_ = c.Close() // There is another error to report.
		return nil, err
	}
	return c, nil
}

// Adopt has a connection count here from now on, in place of the Origin that made it, and takes
// what the name was resolved to for it. Use it before anybody else has the connection.
func (o *Origin) Adopt(r Ready) {
	o.name.adopt(r.resolved)
	o.add(r.Addr, 1)
	r.Conn.countFor(func() { o.add(r.Addr, -1) })
}

// book returns the addresses in the order to try them, and counts a connection to the first
// of them. Those that are left alone come last, unless they are asked for.
func (o *Origin) book(addrs []string, first string) []string {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	at := slices.Index(addrs, first)
	if at < 0 {
		at = o.fewest(addrs, now)
	}
	order := []string{addrs[at]}
	var last []string
	for i := range len(addrs) - 1 {
		if addr := addrs[(at+1+i)%len(addrs)]; o.resting(addr, now) {
			last = append(last, addr)
		} else {
			order = append(order, addr)
		}
	}
	o.of(addrs[at]).conns++
	return append(order, last...)
}

// fewest returns the index of the address with the fewest connections, of those that are not
// left alone if there are such.
func (o *Origin) fewest(addrs []string, now time.Time) int {
	best, bestRests := -1, false
	for i, addr := range addrs {
		rests := o.resting(addr, now)
		better := best < 0 || (bestRests && !rests) || (bestRests == rests && o.conns(addr) < o.conns(addrs[best]))
		if better {
			best, bestRests = i, rests
		}
	}
	return best
}

// of returns the state of an address.
func (o *Origin) of(addr string) *address {
	a := o.at[addr]
	if a == nil {
		a = new(address)
		o.at[addr] = a
	}
	return a
}

// add counts connections to an address.
func (o *Origin) add(addr string, n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a := o.of(addr)
	a.conns += n
	if a.conns <= 0 && time.Since(a.missed) >= restTime {
		delete(o.at, addr)
	}
}

// reached takes the address that was reached. Those that were tried before it in vain are
// left alone for a while.
func (o *Origin) reached(tried []string, addr string) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, missed := range tried[:max(0, slices.Index(tried, addr))] {
		o.of(missed).missed = now
	}
	o.of(addr).missed = time.Time{}
}

// miss leaves an address alone for a while.
func (o *Origin) miss(addr string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.of(addr).missed = time.Now()
}
