// Package allow decides where connections may go: by the names of hosts, by addresses and by ports.
// It is pure: it resolves nothing and dials nothing.
package allow

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// List are the entries of an allow list. A connection is allowed if any entry matches it; an empty List allows
// all. Targets and addresses are host:port, as net.Dial takes them.
type List []Rule

// Direct reports whether a connection to target may be made at addr, one of the addresses of its host: an entry
// matches the host as it was written, or the address.
func (l List) Direct(target, addr string) bool {
	if l.Named(target) {
		return true
	}
	a, err := netip.ParseAddrPort(addr)
	return err == nil && slices.ContainsFunc(l, func(e Rule) bool { return e.holds(a.Addr(), a.Port()) })
}

// Named reports whether an entry matches the host of target as it was written, so that it may be reached at any
// address, and by a proxy that resolves names. A host that is an address is matched as one.
func (l List) Named(target string) bool {
	if len(l) == 0 {
		return true
	}
	host, port, ok := split(target)
	if !ok {
		return false
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return slices.ContainsFunc(l, func(e Rule) bool { return e.holds(a, port) })
	}
	return slices.ContainsFunc(l, func(e Rule) bool { return e.names(host, port) })
}

// Possible reports whether target may be allowed at some address: it is Named, or its host is a name that could
// have an address that an entry matches.
func (l List) Possible(target string) bool {
	if l.Named(target) {
		return true
	}
	host, port, ok := split(target)
	if _, err := netip.ParseAddr(host); !ok || err == nil {
		return false
	}
	return slices.ContainsFunc(l, func(e Rule) bool { return e.network.IsValid() && e.covers(port) })
}

// split splits host:port. Hosts are compared in lower case and without the final dot of a rooted name.
func split(target string) (host string, port uint16, ok bool) {
	host, text, err := net.SplitHostPort(target)
	if err != nil {
		return "", 0, false
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return strings.ToLower(strings.TrimSuffix(host, ".")), uint16(n), err == nil
}

// names reports whether the entry matches the name of a host.
func (e Rule) names(host string, port uint16) bool {
	switch {
	case !e.covers(port) || e.network.IsValid():
		return false
	case e.below:
		return strings.HasSuffix(host, "."+e.name) && len(host) > len(e.name)+1
	default:
		return e.name == "" || e.name == host
	}
}

// holds reports whether the entry matches an address. IPv4 addresses are the same when written as IPv6, and a zone
// does not count.
func (e Rule) holds(a netip.Addr, port uint16) bool {
	if !e.covers(port) {
		return false
	}
	if !e.network.IsValid() {
		return e.name == "" && !e.below
	}
	return e.network.Contains(a.Unmap().WithZone(""))
}

func (e Rule) covers(port uint16) bool { return e.port == 0 || e.port == port }
