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
)

const (
	// handshakeTimeout bounds what a stranger can hold up.
	handshakeTimeout = 5 * time.Second
	// maxConnections bounds the connections that are open through the gate.
	maxConnections = 1024
)

// gate lets only those to the gossip who have a certificate of the fleet's authority.
// memberlist's own TLS asks no client for one, so that it listens on a port of the
// loopback interface, behind the gate.
type gate struct {
	outer        netip.AddrPort
	inner        netip.AddrPort
	certificates *certificates
	minVersion   uint16
	refused      *atomic.Uint64
	logger       *slog.Logger

	listener net.Listener
	permits  chan struct{}
	ctx      context.Context //nolint:containedctx // The connections' life, which close ends.
	cancel   context.CancelFunc
	work     sync.WaitGroup
}

// newGate returns a gate that is not open yet.
func newGate(c *certificates, minVersion uint16, outer netip.AddrPort, refused *atomic.Uint64, logger *slog.Logger) (*gate, error) {
	inner, err := freePort(context.Background(), netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		return nil, err
	}
	g := &gate{
		outer: outer, inner: inner, certificates: c, minVersion: minVersion, refused: refused, logger: logger,
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

// serve checks who asks and joins the connection to memberlist's.
func (g *gate) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(g.ctx, func() { _ = conn.Close() })
	defer stop()

	outer, err := g.greet(conn)
	if err != nil {
		g.refused.Add(1)
		g.logger.Debug("a stranger was refused at the gossip's port", "remote_address", conn.RemoteAddr(), "err", err)
		return
	}
	inner, err := g.dial()
	if err != nil {
		g.logger.Warn("the gossip behind its gate cannot be reached", "err", err)
		return
	}
	defer func() { _ = inner.Close() }()
	stopInner := context.AfterFunc(g.ctx, func() { _ = inner.Close() })
	defer stopInner()

	var back sync.WaitGroup
	back.Go(func() { pipe(outer, inner) })
	pipe(inner, outer)
	back.Wait()
}

// greet makes the TLS handshake.
func (g *gate) greet(conn net.Conn) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(g.ctx, handshakeTimeout)
	defer cancel()
	c := tls.Server(conn, g.config())
	return c, c.HandshakeContext(ctx)
}

// dial connects to memberlist, which speaks TLS as well. It is this process: nothing
// has to be verified.
func (g *gate) dial() (*tls.Conn, error) {
	config := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // Our own port on the loopback interface.
	d := tls.Dialer{Config: config, NetDialer: &net.Dialer{Timeout: handshakeTimeout}}
	c, err := d.DialContext(g.ctx, "tcp", g.inner.String())
	if err != nil {
		return nil, err
	}
	return c.(*tls.Conn), nil
}

// pipe copies until the source ends, and passes the end on.
func pipe(to, from *tls.Conn) {
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
