package httpstd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"slices"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// errNoHTTP2 is a server that speaks TLS but does not agree to HTTP/2.
var errNoHTTP2 = errors.New("server does not agree to HTTP/2")

// step is a step in the making of a connection.
type step string

// The steps, in order. Resolving a name is a part of connecting, but has error types
// of its own.
const (
	stepConnect step = "connect"
	stepTLS     step = "TLS handshake"
)

// dialError is a failure to make a connection.
type dialError struct {
	step step
	addr string
	err  error
}

// Error implements error.
func (e *dialError) Error() string { return fmt.Sprintf("%s with %q: %v", e.step, e.addr, e.err) }

// Unwrap returns the cause.
func (e *dialError) Unwrap() error { return e.err }

// dialer makes connections within a time, and reports them to the Wire when they are
// ready. Safe for concurrent use.
type dialer struct {
	net     net.Dialer
	timeout time.Duration
	wire    protocol.Wire
	set     *connSet
	tls     *reloading[*tls.Config]
	// h2c says that connections in the clear speak HTTP/2.
	h2c bool
}

// attempt is the place that a connection being made holds in the set.
type attempt struct {
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (a *attempt) Close() error {
	a.cancel()
	return nil
}

// plain makes a connection without TLS.
func (d *dialer) plain(ctx context.Context, network, addr string) (net.Conn, error) {
	return d.dial(ctx, network, addr, false)
}

// secure makes a connection with TLS, with the handshake done.
func (d *dialer) secure(ctx context.Context, network, addr string) (net.Conn, error) {
	return d.dial(ctx, network, addr, true)
}

// dial makes a connection that is ready for requests, all within the timeout.
func (d *dialer) dial(ctx context.Context, network, addr string, secure bool) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	c, phases, err := d.admit(ctx, cancel, network, addr)
	if err != nil {
		return nil, &dialError{step: stepConnect, addr: addr, err: err}
	}
	ready := net.Conn(c)
	if d.h2c {
		c.frames = new(frames)
	}
	if secure {
		begin := time.Now()
		ready, err = d.handshake(ctx, c, addr)
		phases.TLS = time.Since(begin)
	}
	if err == nil {
		err = c.open(phases)
	}
	if err != nil {
		_ = c.Close() // What went wrong before is the error to tell.
		return nil, &dialError{step: stepTLS, addr: addr, err: err}
	}
	return ready, nil
}

// admit connects with a place in the set, which a closing client takes away.
func (d *dialer) admit(ctx context.Context, cancel context.CancelFunc, network, addr string) (*conn, protocol.Phases, error) {
	a := &attempt{cancel: cancel}
	if err := d.set.add(a); err != nil {
		return nil, protocol.Phases{}, err
	}
	c, phases, err := d.connect(ctx, network, addr)
	if err != nil {
		d.set.remove(a)
		return nil, protocol.Phases{}, err
	}
	if err := d.set.replace(a, c); err != nil {
		_ = c.Close() // The client is gone, and with it whoever could be told.
		return nil, protocol.Phases{}, err
	}
	return c, phases, nil
}

// connect resolves the name and connects, and tells how long each took. It tries all
// of the name's addresses as net.Dialer does.
func (d *dialer) connect(ctx context.Context, network, addr string) (*conn, protocol.Phases, error) {
	var phases protocol.Phases
	var asked time.Time
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { asked = time.Now() },
		DNSDone:  func(httptrace.DNSDoneInfo) { phases.DNS = time.Since(asked) },
	})
	begin := time.Now()
	raw, err := d.net.DialContext(ctx, network, addr)
	if err != nil {
		return nil, protocol.Phases{}, err
	}
	phases.Connect = time.Since(begin) - phases.DNS
	return &conn{Conn: raw, wire: d.wire, set: d.set}, phases, nil
}

// handshake speaks TLS over the connection. A connection that agreed to HTTP/2 comes
// as the bare *tls.Conn, since net/http reads the agreement off its type.
func (d *dialer) handshake(ctx context.Context, c *conn, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	config := tlsConfigFor(d.tls, host)
	over := tls.Client(c, config)
	if err := over.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	if over.ConnectionState().NegotiatedProtocol == "h2" {
		return over, nil
	}
	if !slices.Contains(config.NextProtos, "http/1.1") {
		return nil, errNoHTTP2
	}
	return &tlsStream{Conn: over, under: c}, nil
}
