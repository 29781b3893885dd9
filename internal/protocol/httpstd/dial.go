package httpstd

import (
	"context"
	"net"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// dialer makes connections within a time, and reports them to the Wire when they are
// ready. Safe for concurrent use.
type dialer struct {
	*dial.Dialer

	timeout time.Duration
	wire    protocol.Wire
	set     *connSet
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
func (d *dialer) plain(ctx context.Context, _, addr string) (net.Conn, error) {
	return d.dial(ctx, addr, false)
}

// secure makes a connection with TLS, with the handshake done.
func (d *dialer) secure(ctx context.Context, _, addr string) (net.Conn, error) {
	return d.dial(ctx, addr, true)
}

// dial makes a connection that is ready for requests, all within the timeout.
func (d *dialer) dial(ctx context.Context, addr string, secure bool) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	c, phases, err := d.admit(ctx, cancel, addr)
	if err != nil {
		return nil, err
	}
	ready, h2 := net.Conn(c), d.h2c
	if d.h2c {
		c.frames = new(frames)
	}
	if secure {
		begin := time.Now()
		ready, h2, err = d.handshake(ctx, c, addr)
		phases.TLS = time.Since(begin)
	}
	phases.Protocol = protocol.HTTP1
	if h2 {
		phases.Protocol = protocol.HTTP2
	}
	if err == nil {
		err = c.open(phases)
	}
	if err != nil {
		_ = c.Close() // What went wrong before is the error to tell.
		return nil, err
	}
	return ready, nil
}

// admit connects with a place in the set, which a closing client takes away.
func (d *dialer) admit(ctx context.Context, cancel context.CancelFunc, addr string) (*conn, protocol.Phases, error) {
	a := &attempt{cancel: cancel}
	if err := d.set.add(a); err != nil {
		return nil, protocol.Phases{}, &dial.Error{Step: dial.StepConnect, Addr: addr, Err: err}
	}
	raw, phases, err := d.Connect(ctx, addr)
	if err != nil {
		d.set.remove(a)
		return nil, protocol.Phases{}, err
	}
	c := &conn{Conn: raw, wire: d.wire, set: d.set}
	if err := d.set.replace(a, c); err != nil {
		_ = c.Close() // The client is gone, and with it whoever could be told.
		return nil, protocol.Phases{}, err
	}
	return c, phases, nil
}

// handshake speaks TLS over the connection. A connection that agreed to HTTP/2 comes
// as the bare *tls.Conn, since net/http reads the agreement off its type.
func (d *dialer) handshake(ctx context.Context, c *conn, addr string) (ready net.Conn, h2 bool, err error) {
	over, err := d.Handshake(ctx, c, addr)
	if err != nil {
		return nil, false, err
	}
	if over.ConnectionState().NegotiatedProtocol == protocol.HTTP2 {
		return over, true, nil
	}
	return &tlsStream{Conn: over, under: c}, false, nil
}
