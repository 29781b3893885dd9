package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/net/ipv4"
)

// errNoUDP is a target over UDP behind a proxy.
var errNoUDP = errors.New("a proxy carries no UDP")

// Handshake makes a connection of a protocol over UDP, such as QUIC, on a socket to its peer. The
// configuration is one of its own, with the server's name, certificates, a place for sessions and
// the protocols to offer. What it returns is closed before the socket is; when it fails, the socket
// is closed for it. An error that is no *Error is taken for one of StepConnect.
type Handshake func(ctx context.Context, p *Packets, config *tls.Config) (io.Closer, error)

// shake makes a connection over UDP to an address.
func (d *Dialer) shake(ctx context.Context, addr string, t Target) (*Conn, error) {
	c, err := d.open(ctx, "udp", addr)
	if err != nil {
		return nil, &Error{Step: StepConnect, Addr: addr, Err: err}
	}
	if err = d.shakeOn(ctx, c, t); err == nil {
		return c, nil
	}
	_ = c.Close() // There is another error to report.
	if _, ok := errors.AsType[*Error](err); !ok {
		err = &Error{Step: StepConnect, Addr: addr, Err: err}
	}
	return nil, err
}

func (d *Dialer) shakeOn(ctx context.Context, c *Conn, t Target) error {
	p, err := newPackets(c)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(t.Addr)
	if err != nil {
		return err
	}
	config := d.tls.configFor(host, t.Addr)
	config.NextProtos = d.next
	c.over, err = t.Handshake(ctx, p, config)
	return err
}

// Packets is the UDP socket of a Conn as libraries want it that send packets to several peers. It is
// connected to one: where packets are sent to is not looked at, and the system reports that nobody
// listens there (ICMP). It counts bytes for the observer, of UDP's payload. Safe for concurrent use.
type Packets struct {
	*net.UDPConn

	conn  *Conn
	batch *ipv4.PacketConn
}

func newPackets(c *Conn) (*Packets, error) {
	socket, ok := c.Conn.(*net.UDPConn)
	if !ok {
		return nil, fmt.Errorf("%T is no UDP socket", c.Conn)
	}
	// Messages are read alike with IPv6: the addresses in them are the socket's own.
	return &Packets{UDPConn: socket, conn: c, batch: ipv4.NewPacketConn(socket)}, nil
}

// Failure returns why this side has given the connection up; nil if it has not.
func (p *Packets) Failure() error { return p.conn.failure() }

// ReadBatch reads several packets at once, as ipv4.PacketConn does.
func (p *Packets) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	n, err := p.batch.ReadBatch(ms, flags)
	for i := range max(0, n) {
		p.conn.observer.Transferred(0, ms[i].N)
	}
	return n, err
}

// ReadMsgUDP reads a packet, as net.UDPConn does.
func (p *Packets) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	n, oobn, flags, addr, err = p.UDPConn.ReadMsgUDP(b, oob)
	p.conn.observer.Transferred(0, max(0, n))
	return n, oobn, flags, addr, err
}

// ReadFrom implements net.PacketConn.
func (p *Packets) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := p.UDPConn.ReadFrom(b)
	p.conn.observer.Transferred(0, max(0, n))
	return n, addr, err
}

// WriteMsgUDP sends packets to the peer.
func (p *Packets) WriteMsgUDP(b, oob []byte, _ *net.UDPAddr) (n, oobn int, err error) {
	n, oobn, err = p.UDPConn.WriteMsgUDP(b, oob, nil)
	p.conn.observer.Transferred(max(0, n), 0)
	return n, oobn, err
}

// WriteTo implements net.PacketConn: it sends a packet to the peer.
func (p *Packets) WriteTo(b []byte, _ net.Addr) (int, error) {
	n, err := p.Write(b)
	p.conn.observer.Transferred(max(0, n), 0)
	return n, err
}
