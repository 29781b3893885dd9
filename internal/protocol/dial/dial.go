// Package dial makes connections for clients: it resolves names and keeps their addresses
// current, spreads connections over them, connects, with TLS or without, and measures the
// steps. It sorts what goes wrong with connections into the closed set of protocol.Reason
// by the types of errors, never by their texts.
package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
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

// Resolver finds the addresses of names, as *net.Resolver does.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Net is how the network is reached. The zero Net reaches it as the system does.
type Net struct {
	// Resolver resolves names; nil is the system's.
	Resolver Resolver
	// DialContext connects to an address; nil is net.Dialer's. What it returns needs no
	// descriptor.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Options are what a Dialer is made from.
type Options struct {
	// TLS is how to speak TLS.
	TLS TLS
	// FullHandshakes makes each TLS connection begin with a full handshake. Otherwise sessions
	// are resumed where the server offers it (RFC 8446, section 2.2; RFC 5077).
	FullHandshakes bool
	// NextProtos are the protocols that TLS offers the server (ALPN), best first. In the
	// clear the first one is spoken.
	NextProtos []string
	// Timeout bounds the making of a connection as a whole, and each lookup of a name.
	Timeout time.Duration
	// Wait is how long a request may wait for a connection, if that is less.
	Wait time.Duration
	// ResolveEvery is how long the addresses of a name are used before it is resolved
	// again; 0 resolves it for each connection.
	ResolveEvery time.Duration
	// ResolveGrace is for how long beyond that connections go to the old addresses while the
	// name cannot be resolved again; 0 is as long as ResolveEvery, and less is not at all.
	ResolveGrace time.Duration
	// Descriptors are what connections share with those of other clients; nil is no end of
	// them.
	Descriptors *Descriptors
	// Proxy is what connections are made through.
	Proxy ProxyOptions
	// Fence says where connections may go; nil allows all.
	Fence *Fence
	// Net is how the network is reached.
	Net Net
	// Observer receives lookups, connections and bytes; nil is protocol.Discard.
	Observer protocol.ConnObserver
	// Logger receives a line when a file cannot be re-read or a name cannot be resolved;
	// nil discards it.
	Logger *slog.Logger
}

// Dialer makes the connections of one client. Close it. Safe for concurrent use.
type Dialer struct {
	net     Net
	tls     tlsSource
	timeout time.Duration
	// wait is how long requests wait for connections, and retry after what time a query for a
	// name is repeated first.
	wait, retry time.Duration
	every       time.Duration
	grace       time.Duration
	descriptors *Descriptors
	proxies     proxies
	fence       *Fence
	observer    protocol.ConnObserver
	logger      *slog.Logger
	// clear is the protocol spoken in the clear, and next the protocols that TLS offers.
	clear string
	next  []string

	// ctx ends with the Dialer, and with it the lookups.
	ctx    context.Context //nolint:containedctx // Lookups outlive the calls that begin them.
	cancel context.CancelFunc
	// mu guards the adding to work, which must not begin when the Dialer is closed.
	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup
}

// New returns a Dialer. It fails on files that cannot be used.
func New(o Options) (*Dialer, error) {
	if o.Observer == nil {
		o.Observer = protocol.Discard{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.ResolveGrace == 0 {
		o.ResolveGrace = o.ResolveEvery
	}
	if o.Net.Resolver == nil {
		o.Net.Resolver = new(net.Resolver)
	}
	if o.Net.DialContext == nil {
		o.Net.DialContext = new(net.Dialer).DialContext
	}
	source, err := newTLSSource(o)
	if err != nil {
		return nil, err
	}
	through, err := newProxies(o.Proxy)
	if err != nil {
		return nil, err
	}
	if o.Wait <= 0 || o.Wait > o.Timeout {
		o.Wait = o.Timeout
	}
	d := &Dialer{
		net: o.Net, tls: source, timeout: o.Timeout, wait: o.Wait, retry: min(retryEvery, max(shortestRetry, o.Wait/4)),
		every: o.ResolveEvery, grace: max(0, o.ResolveGrace),
		descriptors: o.Descriptors, proxies: through, fence: o.Fence, observer: o.Observer, logger: o.Logger, next: o.NextProtos,
	}
	if len(o.NextProtos) > 0 {
		d.clear = o.NextProtos[0]
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d, nil
}

// Offer has TLS offer other protocols. Use it before the first connection is made.
func (d *Dialer) Offer(next ...string) { d.next = next }

// Close ends lookups and waits for them. No connection can be made from then on; those that
// were made are not affected.
func (d *Dialer) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.work.Wait()
}

// spawn runs f in a goroutine that Close waits for. It returns false when the Dialer is
// closed.
func (d *Dialer) spawn(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.work.Go(f)
	return true
}

// handshake speaks TLS over a connection to addr, and returns which protocol was agreed on.
// A server that negotiates nothing speaks HTTP/1.1, since before there was a choice that was
// what there was.
func (d *Dialer) handshake(ctx context.Context, c net.Conn, addr string) (*tls.Conn, string, error) {
	over, agreed, err := d.agree(ctx, c, addr)
	if err != nil {
		return nil, "", &Error{Step: StepTLS, Addr: addr, Err: err}
	}
	return over, agreed, nil
}

func (d *Dialer) agree(ctx context.Context, c net.Conn, addr string) (over *tls.Conn, agreed string, err error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, "", err
	}
	config := d.tls.configFor(host, addr)
	config.NextProtos = d.next
	over = tls.Client(c, config)
	if err = over.HandshakeContext(ctx); err != nil {
		return nil, "", err
	}
	if agreed = over.ConnectionState().NegotiatedProtocol; agreed == "" {
		agreed = protocol.HTTP1
	}
	if !slices.Contains(d.next, agreed) {
		return nil, "", ErrNotAgreed
	}
	return over, agreed, nil
}
