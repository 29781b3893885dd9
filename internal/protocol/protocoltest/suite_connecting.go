package protocoltest

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

func (s Suite) reportsFailuresOfConnecting(t *testing.T) {
	t.Run("nothing listens there", func(t *testing.T) {
		l := Listen(t)
		_ = l.Close()
		wantReason(t, s.client(t, s.plain().options(t, l.Addr().String())), protocol.ReasonRefused)
	})
	t.Run("the name does not resolve", func(t *testing.T) {
		wantReason(t, s.client(t, s.plain().options(t, "nowhere.invalid")), protocol.ReasonDNS)
	})
	for _, test := range []struct {
		name             string
		target           string
		connect, timeout time.Duration
		want             protocol.Reason
	}{
		{"the name server does not respond", "nowhere.test", time.Second, time.Minute, protocol.ReasonDNS},
		{"nobody responds to the connect", "127.0.0.1:1", time.Second, time.Minute, protocol.ReasonConnectTimeout},
		{"the request times out before the connect", "127.0.0.1:1", time.Minute, time.Second, protocol.ReasonTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := s.plain().options(t, test.target)
				o.ConnectTimeout, o.Timeout = test.connect, test.timeout
				o.Net = dial.Net{Resolver: silence{}, DialContext: silence{}.DialContext}
				if r := wantReason(t, s.client(t, o), test.want); r.Service() != time.Second {
					t.Errorf("took %s", r.Service())
				}
			})
		})
	}
	for errno, want := range map[syscall.Errno]protocol.Reason{
		syscall.EMFILE:       protocol.ReasonLocal,
		syscall.ENFILE:       protocol.ReasonLocal,
		syscall.ENOBUFS:      protocol.ReasonLocal,
		syscall.EADDRINUSE:   protocol.ReasonLocal,
		syscall.ECONNREFUSED: protocol.ReasonDNS,
		syscall.ENETUNREACH:  protocol.ReasonDNS,
	} {
		t.Run("the kernel says to the resolver "+errno.Error(), func(t *testing.T) {
			d := net.Dialer{ControlContext: func(context.Context, string, string, syscall.RawConn) error { return errno }}
			o := s.plain().options(t, "somewhere.test")
			o.Net.Resolver = &net.Resolver{PreferGo: true, Dial: d.DialContext}
			if r := wantReason(t, s.client(t, o), want); want == protocol.ReasonLocal && !errors.Is(r.Err, errno) {
				t.Errorf("error %v", r.Err)
			}
		})
	}
	for errno, want := range map[syscall.Errno]protocol.Reason{
		syscall.EMFILE:        protocol.ReasonLocal,
		syscall.ENFILE:        protocol.ReasonLocal,
		syscall.EADDRNOTAVAIL: protocol.ReasonLocal,
		syscall.EACCES:        protocol.ReasonDenied,
		syscall.EPERM:         protocol.ReasonDenied,
		syscall.ECONNREFUSED:  protocol.ReasonRefused,
		syscall.EHOSTUNREACH:  protocol.ReasonRefused,
		syscall.ENETUNREACH:   protocol.ReasonRefused,
		syscall.ETIMEDOUT:     protocol.ReasonConnectTimeout,
		syscall.ECONNRESET:    protocol.ReasonReset,
	} {
		t.Run("the kernel says "+errno.Error(), func(t *testing.T) {
			d := net.Dialer{ControlContext: func(context.Context, string, string, syscall.RawConn) error { return errno }}
			o := s.plain().options(t, "127.0.0.1:1")
			o.Net.DialContext = d.DialContext
			wantReason(t, s.client(t, o), want)
		})
	}
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

// Gate is a listener that holds back what it accepts until it is let go.
type Gate struct {
	net.Listener

	Let <-chan struct{}
}

// Accept implements net.Listener.
func (g Gate) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	<-g.Let
	return c, err
}
