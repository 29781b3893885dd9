// Package dial makes connections for clients, with TLS or without, measures the steps,
// and sorts what goes wrong with connections into the closed set of protocol.Reason by
// the types of errors, never by their texts.
package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptrace"
	"slices"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Step is a step in the making of a connection.
type Step string

// The steps, in order. Resolving a name is a part of connecting, but has error types
// of its own.
const (
	StepConnect Step = "connect"
	StepTLS     Step = "TLS handshake"
)

// Error is a failure to make a connection.
type Error struct {
	Step Step
	Addr string
	Err  error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s with %q: %v", e.Step, e.Addr, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrNotAgreed is a server that speaks TLS but none of the protocols that it was asked
// for.
var ErrNotAgreed = errors.New("server does not agree to the protocol")

// Options are what a Dialer is made from.
type Options struct {
	// TLS is how to speak TLS.
	TLS TLS
	// NextProtos are the protocols that TLS offers the server (ALPN), best first.
	NextProtos []string
	// Net connects; the zero Dialer does.
	Net net.Dialer
	// Logger is told when a file cannot be re-read.
	Logger *slog.Logger
}

// Dialer makes connections. Safe for concurrent use.
type Dialer struct {
	net net.Dialer
	tls tlsSource
	// next replaces the protocols that TLS offers, unless it is nil.
	next []string
}

// New returns a Dialer. It fails on files that cannot be used.
func New(o Options) (*Dialer, error) {
	source, err := newTLSSource(o.TLS, o.NextProtos, o.Logger)
	if err != nil {
		return nil, err
	}
	return &Dialer{net: o.Net, tls: source}, nil
}

// Offering returns a Dialer that offers other protocols.
func (d *Dialer) Offering(next ...string) *Dialer {
	return &Dialer{net: d.net, tls: d.tls, next: next}
}

// Connect resolves the name in addr, which is host:port, connects, and tells how long
// each took. It tries all of the name's addresses as net.Dialer does. Its errors are of
// type *Error.
func (d *Dialer) Connect(ctx context.Context, addr string) (net.Conn, protocol.Phases, error) {
	var phases protocol.Phases
	var asked time.Time
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { asked = time.Now() },
		DNSDone:  func(httptrace.DNSDoneInfo) { phases.DNS = time.Since(asked) },
	})
	begin := time.Now()
	c, err := d.net.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, protocol.Phases{}, &Error{Step: StepConnect, Addr: addr, Err: err}
	}
	phases.Connect = time.Since(begin) - phases.DNS
	return c, phases, nil
}

// Handshake speaks TLS over a connection to addr. A server that negotiates nothing
// speaks HTTP/1.1, since before there was a choice that was what there was. Its errors
// are of type *Error.
func (d *Dialer) Handshake(ctx context.Context, c net.Conn, addr string) (*tls.Conn, error) {
	over, err := d.handshake(ctx, c, addr)
	if err != nil {
		return nil, &Error{Step: StepTLS, Addr: addr, Err: err}
	}
	return over, nil
}

func (d *Dialer) handshake(ctx context.Context, c net.Conn, addr string) (*tls.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	config := d.tls.configFor(host)
	if d.next != nil {
		config.NextProtos = d.next
	}
	over := tls.Client(c, config)
	if err := over.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	agreed := over.ConnectionState().NegotiatedProtocol
	if agreed == "" {
		agreed = protocol.HTTP1
	}
	if !slices.Contains(config.NextProtos, agreed) {
		return nil, ErrNotAgreed
	}
	return over, nil
}
