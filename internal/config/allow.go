package config

import (
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/allow"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// Allowed is where connections may go: a host, *.domain, an address or a network, each with a port if need be, or the port of all hosts.
type Allowed struct {
	allow.Rule
}

func (Allowed) expectation() string { return allow.ErrSyntax.Error() }

// UnmarshalText sets the entry from its text. An error names the expected syntax.
func (a *Allowed) UnmarshalText(text []byte) error {
	e, err := allow.Parse(string(text))
	switch {
	case err != nil && strings.Contains(string(text), "@"):
		return maskedError("found user info, expected " + a.expectation())
	case err != nil:
		return expectedError(err.Error())
	}
	a.Rule = e
	return nil
}

// MarshalText returns the entry as it is written.
func (a Allowed) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// reachable reports a URL that is fixed and could never be connected to.
func (v validator) reachable(at string, to uri.URI, h HTTPConfig) {
	l := v.allowed()
	switch target := to.Addr(); {
	case !l.Possible(target):
		v.fail(at, "found %s, but allow has neither its host nor an address for its port", v.found(at))
	case h.ProxyURL.resolves() && h.NoProxy == "" && !l.Named(target):
		v.fail(at, "found %s, but allow does not have its host, which the proxy resolves", v.found(at))
	}
}

// proxyReachable reports a proxy that could never be connected to. Its URL may have a password.
func (v validator) proxyReachable(at string, p ProxyURL) {
	if p.URL != nil && !v.allowed().Possible(p.addr()) {
		v.fail(at, "found a proxy, but allow has neither its host nor an address for its port")
	}
}

// allowed returns where connections may go. Errors in the list cause no others elsewhere.
func (v validator) allowed() allow.List {
	if !v.ok("allow") {
		return nil
	}
	return v.c.Allowed()
}
