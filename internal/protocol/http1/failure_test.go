package http1

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// short is a timeout that tests do wait for.
const short = 50 * time.Millisecond

func TestFailuresOfConnecting(t *testing.T) {
	t.Run("nothing listens there", func(t *testing.T) {
		l := protocoltest.Listen(t)
		_ = l.Close()
		wantReason(t, client(t, protocoltest.Options(t, "http://"+l.Addr().String())), protocol.ReasonRefused)
	})
	t.Run("the name does not resolve", func(t *testing.T) {
		wantReason(t, client(t, protocoltest.Options(t, "http://nowhere.invalid")), protocol.ReasonDNS)
	})
	for _, test := range []struct {
		name             string
		target           string
		connect, timeout time.Duration
		want             protocol.Reason
		after            time.Duration
	}{
		{"the name server does not answer", "http://nowhere.test", time.Second, time.Minute, protocol.ReasonDNS, time.Second},
		{"nobody answers the connect", "http://127.0.0.1:1", time.Second, time.Minute, protocol.ReasonConnectTimeout, time.Second},
		{"the request times out before the connect", "http://127.0.0.1:1", time.Minute, time.Second, protocol.ReasonTimeout, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := protocoltest.Options(t, test.target)
				o.ConnectTimeout, o.Timeout = test.connect, test.timeout
				o.Net = dial.Net{Resolver: silence{}, DialContext: silence{}.DialContext}
				if r := wantReason(t, client(t, o), test.want); r.Service() != test.after {
					t.Errorf("took %s", r.Service())
				}
			})
		})
	}
	for _, test := range []struct {
		errno syscall.Errno
		want  protocol.Reason
	}{
		{syscall.EMFILE, protocol.ReasonLocal},
		{syscall.ENFILE, protocol.ReasonLocal},
		{syscall.EACCES, protocol.ReasonDenied},
		{syscall.EPERM, protocol.ReasonDenied},
		{syscall.EADDRNOTAVAIL, protocol.ReasonLocal},
		{syscall.ECONNREFUSED, protocol.ReasonRefused},
		{syscall.EHOSTUNREACH, protocol.ReasonRefused},
		{syscall.ENETUNREACH, protocol.ReasonRefused},
		{syscall.ETIMEDOUT, protocol.ReasonConnectTimeout},
		{syscall.ECONNRESET, protocol.ReasonReset},
	} {
		t.Run("the kernel says "+test.errno.Error(), func(t *testing.T) {
			fail := func(context.Context, string, string, syscall.RawConn) error { return test.errno }
			c := dialling(t, protocoltest.Options(t, "http://127.0.0.1:1"), &net.Dialer{ControlContext: fail})
			wantReason(t, c, test.want)
		})
	}
}

// dialling returns a client that dials with the dialer.
func dialling(t *testing.T, o httpreq.Options, d *net.Dialer) waiting {
	t.Helper()
	o.Net.DialContext = d.DialContext
	return client(t, o)
}

// silence is a network that never responds.
type silence struct{}

// LookupNetIP implements dial.Resolver.
func (silence) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, &net.DNSError{Err: ctx.Err().Error(), Name: host, IsTimeout: true}
}

// DialContext connects to nothing.
func (silence) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
