package http2

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// short is a timeout that tests do wait for.
const short = 50 * time.Millisecond

func TestFailuresOfConnecting(t *testing.T) {
	t.Run("nothing listens there", func(t *testing.T) {
		l := protocoltest.Listen(t)
		_ = l.Close()
		wantReason(t, client(t, h2cOptions(t, "http://"+l.Addr().String())), protocol.ReasonRefused)
	})
	t.Run("the name does not resolve", func(t *testing.T) {
		wantReason(t, client(t, h2cOptions(t, "http://nowhere.invalid")), protocol.ReasonDNS)
	})
	t.Run("the name server does not answer", func(t *testing.T) {
		o := h2cOptions(t, "http://nowhere.test")
		o.ConnectTimeout = short
		r := wantReason(t, dialling(t, o, &net.Dialer{Resolver: &net.Resolver{
			PreferGo: true,
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
		}}), protocol.ReasonDNS)
		if r.Service() < short {
			t.Errorf("took only %s", r.Service())
		}
	})
	t.Run("nobody answers the connect", func(t *testing.T) {
		o := h2cOptions(t, "http://127.0.0.1:1")
		o.ConnectTimeout = short
		r := wantReason(t, dialling(t, o, blackhole()), protocol.ReasonConnectTimeout)
		if r.Service() < short {
			t.Errorf("took only %s", r.Service())
		}
	})
	t.Run("the request times out before the connect", func(t *testing.T) {
		o := h2cOptions(t, "http://127.0.0.1:1")
		o.Timeout = short
		wantReason(t, dialling(t, o, blackhole()), protocol.ReasonTimeout)
	})
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
			c := dialling(t, h2cOptions(t, "http://127.0.0.1:1"), &net.Dialer{ControlContext: fail})
			wantReason(t, c, test.want)
		})
	}
}

// dialling returns a client that dials with the dialer.
func dialling(t *testing.T, o httpreq.Options, d *net.Dialer) *Client {
	t.Helper()
	o.Net.DialContext = d.DialContext
	if d.Resolver != nil {
		o.Net.Resolver = d.Resolver
	}
	return client(t, o)
}

// blackhole returns a dialer whose connects get no answer.
func blackhole() *net.Dialer {
	return &net.Dialer{ControlContext: func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
		<-ctx.Done()
		return ctx.Err()
	}}
}

func TestAServerThatDoesNotKnowHTTP2IsAFailureOfTLS(t *testing.T) {
	for _, next := range [][]string{nil, {"http/1.1"}} {
		o := protocoltest.Flavours()[2].Serve(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) {
			s.TLS.NextProtos = next
		})
		o.Protocol = httpreq.HTTP2
		wantReason(t, client(t, o), protocol.ReasonTLS)
	}
}

// patiently makes one exchange with a client of its own, and checks that its
// connections open and close in pairs. Where it has to time out, it does so soon, but
// gives a slow machine more time to come as far as the code.
func patiently(t *testing.T, o httpreq.Options, want protocol.Reason, code string) protocol.Result {
	t.Helper()
	if want == protocol.ReasonTimeout {
		o.Timeout = 4 * short
	}
	for ; ; o.Timeout *= 2 {
		w := new(protocoltest.Wire)
		o.Wire = w
		c := client(t, o)
		r := do(t, c)
		checkClosed(t, c, w)
		if want != protocol.ReasonTimeout || r.Reason != want || r.Code == code || o.Timeout > protocoltest.Long {
			return r
		}
	}
}
