package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/mesh"
)

const (
	// handshakeTimeout bounds what a stranger can hold up.
	handshakeTimeout = 5 * time.Second
	// maxConnections bounds the connections that are open at the gate: one of each other
	// replica, and those of the gossip.
	maxConnections = 4096
)

// gate is the port of the fleet. It brings connections of the mesh there, and all others to
// memberlist, which listens on a port of the loopback interface. With certificates it lets
// only those in who have one of the fleet's authority: memberlist's own TLS asks no client
// for one.
type gate struct {
	outer netip.AddrPort
	inner netip.AddrPort
	// certificates are nil without TLS.
	certificates *certificates
	minVersion   uint16
	// serverName is the name to verify instead of an address.
	serverName string
	// mesh serves a connection of the mesh, after its greeting.
	mesh    func(net.Conn)
	refused *atomic.Uint64
	logger  *slog.Logger

	listener net.Listener
	permits  chan struct{}
	ctx      context.Context //nolint:containedctx // The connections' life, which close ends.
	cancel   context.CancelFunc
	work     sync.WaitGroup
}

// newGate returns a gate that is not open yet. The certificates are nil for none, the server
// name is empty if addresses are verified.
func newGate(c *certificates, minVersion uint16, serverName string, outer netip.AddrPort, refused *atomic.Uint64, logger *slog.Logger) (*gate, error) {
	inner, err := freePort(context.Background(), netip.MustParseAddr("127.0.0.1"))
	if err != nil { // There may be no IPv4.
		inner, err = freePort(context.Background(), netip.IPv6Loopback())
	}
	if err != nil {
		return nil, err
	}
	g := &gate{
		outer: outer, inner: inner, certificates: c, minVersion: minVersion, serverName: serverName, refused: refused, logger: logger,
		permits: make(chan struct{}, maxConnections),
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g, nil
}

// config asks for certificates that those of now can vouch for.
func (g *gate) config() *tls.Config {
	now := g.certificates.now()
	return &tls.Config{
		Certificates: []tls.Certificate{now.cert},
		ClientCAs:    now.roots,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   max(g.minVersion, tls.VersionTLS12),
	}
}

// listen opens the gate.
func (g *gate) listen(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", g.outer.String())
	if err != nil {
		return fmt.Errorf("listen for gossip: %w", err)
	}
	g.listener = l
	g.work.Go(g.accept)
	return nil
}

func (g *gate) accept() {
	for {
		conn, err := g.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			g.logger.Warn("the gossip's listener failed to accept", "err", err)
			select {
			case <-g.ctx.Done():
				return
			case <-time.After(time.Second):
			}
			continue
		}
		select {
		case g.permits <- struct{}{}:
			g.work.Go(func() {
				defer func() { <-g.permits }()
				g.serve(conn)
			})
		default:
			_ = conn.Close() // Full: the sender tries another member.
		}
	}
}

// stream is a connection whose sides end separately, as both of TCP and TLS do.
type stream interface {
	net.Conn
	CloseWrite() error
}

// serve checks who asks and brings the connection where it belongs.
func (g *gate) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(g.ctx, func() { _ = conn.Close() })
	defer stop()

	outer, first, err := g.greet(conn)
	switch {
	case err != nil:
		if g.certificates != nil { // Without TLS it has said nothing, as a probe of the port does.
			g.refused.Add(1)
		}
		g.logger.Debug("a stranger was refused at the gossip's port", "remote_address", conn.RemoteAddr(), "err", err)
	case first == mesh.Greeting:
		g.mesh(outer)
	default:
		g.pass(outer, first)
	}
}

// greet makes the handshake, if there is one, and reads the first byte.
func (g *gate) greet(conn net.Conn) (s stream, first byte, err error) {
	_ = conn.SetDeadline(time.Now().Add(handshakeTimeout)) // The handshake or the read fails if this does.
	if g.certificates != nil {
		s = tls.Server(conn, g.config())
	} else {
		s = conn.(*net.TCPConn) //nolint:forcetypeassert // It comes from a listener of TCP.
	}
	var b [1]byte
	if _, err := s.Read(b[:]); err != nil {
		return nil, 0, err
	}
	return s, b[0], conn.SetDeadline(time.Time{})
}

// pass joins a connection, whose first byte has been read, to memberlist's.
func (g *gate) pass(outer stream, first byte) {
	inner, err := g.dial()
	if err == nil {
		_, err = inner.Write([]byte{first})
	}
	if err != nil {
		g.logger.Warn("the gossip behind its gate cannot be reached", "err", err)
		return
	}
	defer func() { _ = inner.Close() }()
	stop := context.AfterFunc(g.ctx, func() { _ = inner.Close() })
	defer stop()

	var back sync.WaitGroup
	back.Go(func() { pipe(outer, inner) })
	pipe(inner, outer)
	back.Wait()
}

// dial connects to memberlist. If there are certificates it speaks TLS as well. It is this
// process: nothing has to be verified.
func (g *gate) dial() (stream, error) {
	ctx, cancel := context.WithTimeout(g.ctx, handshakeTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", g.inner.String())
	if err != nil {
		return nil, err
	}
	if g.certificates == nil {
		return conn.(*net.TCPConn), nil //nolint:forcetypeassert // It was asked for.
	}
	return tls.Client(conn, &tls.Config{InsecureSkipVerify: true}), nil //nolint:gosec // Our own port on the loopback interface.
}

// dialOut connects to another replica's gate.
func (g *gate) dialOut(ctx context.Context, address string) (net.Conn, error) {
	if g.certificates == nil {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	now := g.certificates.now()
	d := tls.Dialer{Config: &tls.Config{
		Certificates: []tls.Certificate{now.cert}, RootCAs: now.roots, ServerName: g.serverName,
		MinVersion: max(g.minVersion, tls.VersionTLS12),
	}}
	return d.DialContext(ctx, "tcp", address)
}

// pipe copies until the source ends, and passes the end on.
func pipe(to, from stream) {
	_, _ = io.Copy(to, from) // Broken connections are normal: members die.
	_ = to.CloseWrite()
}

// close shuts the gate and waits for the connections through it to end.
func (g *gate) close() {
	if g.listener != nil {
		_ = g.listener.Close()
	}
	g.cancel()
	g.work.Wait()
}
