package dial

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// stagger is how long one address is tried alone before the next one is tried as well, as
// RFC 8305 has it.
const stagger = 250 * time.Millisecond

// Resolve returns the addresses, as host:port, of what is at addr, host:port as well, and
// how long it took to find them out: no time if the host is an address. Those of IPv6 and
// of IPv4 take turns. Its errors are of type *Error.
func (d *Dialer) Resolve(ctx context.Context, addr string) ([]string, time.Duration, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, 0, &Error{Step: StepConnect, Addr: addr, Err: err}
	}
	if _, notIP := netip.ParseAddr(host); notIP == nil {
		return []string{addr}, 0, nil
	}
	r := d.net.Resolver
	if r == nil {
		r = net.DefaultResolver
	}
	begin := time.Now()
	found, err := r.LookupNetIP(ctx, "ip", host)
	if err == nil && len(found) == 0 {
		err = &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	if err != nil {
		return nil, 0, &Error{Step: StepConnect, Addr: addr, Err: err}
	}
	var all []string
	for _, ip := range interleave(found) {
		all = append(all, net.JoinHostPort(ip.Unmap().String(), port))
	}
	return all, time.Since(begin), nil
}

// interleave makes the families of addresses take turns, the first one's first.
func interleave(all []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	for _, ip := range all {
		if ip.Unmap().Is4() == all[0].Unmap().Is4() {
			first = append(first, ip)
		} else {
			second = append(second, ip)
		}
	}
	mixed := make([]netip.Addr, 0, len(all))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			mixed = append(mixed, first[i])
		}
		if i < len(second) {
			mixed = append(mixed, second[i])
		}
	}
	return mixed
}

// attempt is what became of one connection that was tried.
type attempt struct {
	conn net.Conn
	addr string
	err  error
}

// ConnectTo connects to one of several addresses and returns which: to the first that
// answers, where each is tried when the one before has failed or has not answered for a
// while. What is still being tried then is given up. Its errors are of type *Error, the
// first one's.
func (d *Dialer) ConnectTo(ctx context.Context, addrs []string) (net.Conn, string, error) {
	if len(addrs) == 1 {
		c, err := d.try(ctx, addrs[0])
		return c, addrs[0], err
	}
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan attempt, len(addrs))
	started, running := 0, 0
	defer func() {
		cancel()
		for ; running > 0; running-- {
			if a := <-results; a.err == nil {
				_ = a.conn.Close() // Another one was quicker.
			}
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var failure error
	for {
		next := timer.C
		if started == len(addrs) {
			next = nil
		}
		select {
		case <-next:
			addr := addrs[started]
			started++
			running++
			go func() {
				c, err := d.try(ctx, addr)
				results <- attempt{c, addr, err}
			}()
			timer.Reset(stagger)
		case a := <-results:
			running--
			if a.err == nil {
				return a.conn, a.addr, nil
			}
			if failure == nil {
				failure = a.err
			}
			// When the time is up there is no point in the others.
			if running == 0 && (started == len(addrs) || ctx.Err() != nil) {
				return nil, "", failure
			}
			timer.Reset(0)
		}
	}
}

func (d *Dialer) try(ctx context.Context, addr string) (net.Conn, error) {
	c, err := d.net.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, &Error{Step: StepConnect, Addr: addr, Err: err}
	}
	return c, nil
}
