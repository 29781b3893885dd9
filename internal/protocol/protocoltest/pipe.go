package protocoltest

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// Pipe is what Raw is without a network: options for a server that is reached through a
// BufferedPipe, so that a test can run in the virtual time of testing/synctest. The server is
// waited for at the end of the test.
func Pipe(tb testing.TB, secure bool, serve func(net.Conn)) httpreq.Options {
	tb.Helper()
	o := Options(tb, "http://target.test")
	if secure {
		ca := NewAuthority(tb)
		config, plain := ca.ServerConfig(tb, nil), serve
		o = Options(tb, "https://target.test")
		o.TLS.CA = ca.PEM
		serve = func(c net.Conn) {
			over := tls.Server(c, config)
			plain(over)
			_ = over.Close()
		}
	}
	var running sync.WaitGroup
	tb.Cleanup(running.Wait)
	o.Net.Resolver = Here{}
	o.Net.DialContext = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := BufferedPipe()
		running.Go(func() {
			serve(theirs)
			_ = theirs.Close()
		})
		return ours, nil
	}
	return o
}

// Here is a resolver that knows one address for every name.
type Here struct{}

// LookupNetIP implements dial.Resolver.
func (Here) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
}
