package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// hosts knows the names under which this server may be asked to change something. A page
// whose name has been made to resolve to this server (DNS rebinding) is of the same
// origin for a browser, but it cannot make the browser name another host than its own.
type hosts struct{ names map[string]bool }

// newHosts returns the hosts of the allowed names and of the URL, if there is one.
func newHosts(allowed []string, externalURL string) (hosts, error) {
	h := hosts{names: map[string]bool{"localhost": true}}
	for _, list := range allowed {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.TrimSpace(name)
			host := hostOf(name)
			if host == "" || strings.ContainsAny(name, "/*@ ") {
				return h, fmt.Errorf("--web.allowed-hosts: found %q, expected the name of a host such as traffic.example.com", name)
			}
			h.names[host] = true
		}
	}
	if externalURL == "" {
		return h, nil
	}
	u, err := url.Parse(externalURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return h, fmt.Errorf("--web.external-url: found %q, expected a URL such as https://traffic.example.com", externalURL)
	}
	h.names[hostOf(u.Host)] = true
	return h, nil
}

// check returns why a request may not change anything by the host that it names, or nil.
func (h hosts) check(r *http.Request) error {
	host := hostOf(r.Host)
	if h.names[host] || isLocal(host, r) {
		return nil
	}
	return refuse(http.StatusForbidden, "found the host %s, expected localhost, the address that was connected to, or a name that --web.allowed-hosts or --web.external-url allows", quote(r.Host))
}

// hostOf returns the host of a Host header in the form in which hosts are compared.
func hostOf(authority string) string {
	host := authority
	if h, _, err := net.SplitHostPort(authority); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return addr.Unmap().WithZone("").String()
	}
	return host
}

// isLocal reports whether the host is an address of ours: a loopback one, under which
// also the port of a container is reached, or the one that the request came to.
func isLocal(host string, r *http.Request) bool {
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && host == hostOf(local.IP.String())
}
