package dial

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// lookup returns the addresses of a host. Once those of one family are there, it waits for those of
// the other no longer than patience: a resolver may be silent about them, as behind a firewall that
// drops queries for AAAA records. They are of one name, though the resolver may try several by
// its search list.
//
// A net.Resolver makes one query of those for the same name at the same time, which is one too few
// where that is lost: each lookup has its own. Where this machine has nothing left to ask a name
// server with, the error is the kernel's; a net.DNSError would keep only its string.
func (n Net) lookup(ctx context.Context, host string, patience time.Duration) ([]netip.Addr, error) {
	r, ok := n.Resolver.(*net.Resolver)
	if !ok {
		return n.Resolver.LookupNetIP(ctx, "ip", host)
	}
	connect := r.Dial
	if connect == nil {
		connect = new(net.Dialer).DialContext
	}
	over, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var local atomic.Pointer[error]
	own := &net.Resolver{PreferGo: r.PreferGo, StrictErrors: r.StrictErrors, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithCancel(ctx)
		context.AfterFunc(over, cancel)
		c, err := connect(ctx, network, addr)
		if err != nil {
			if isLocal(err) {
				local.Store(&err)
			}
			return nil, err
		}
		context.AfterFunc(over, func() { _ = c.SetDeadline(time.Now()) })
		return watch(c, question{found: func() { time.AfterFunc(patience, giveUp) }, over: over}), nil
	}}
	ips, err := own.LookupNetIP(ctx, "ip", host)
	if why := local.Load(); err != nil && why != nil {
		err = *why
	}
	return ips, err
}

// watch returns a connection to a DNS server for a question. To a net.Resolver datagrams are a
// net.PacketConn, and anything else is a stream.
func watch(c net.Conn, q question) net.Conn {
	switch c := c.(type) {
	case *net.UDPConn:
		return &datagrams{c, q}
	case *net.TCPConn:
		return &stream{TCPConn: c, question: q}
	}
	return c
}

// datagrams is a connection of UDP, for one question.
type datagrams struct {
	*net.UDPConn
	question
}

// Write implements net.Conn.
func (d *datagrams) Write(p []byte) (int, error) {
	d.ask(p)
	return d.UDPConn.Write(p)
}

// Read implements net.Conn.
func (d *datagrams) Read(p []byte) (int, error) {
	n, err := d.UDPConn.Read(p)
	d.look(p[:n])
	return n, err
}

// SetDeadline implements net.Conn.
func (d *datagrams) SetDeadline(t time.Time) error { return d.until(d.UDPConn, t) }

// stream is a connection of TCP, for one question. Messages have their length before them (RFC 1035,
// section 4.2.2).
type stream struct {
	*net.TCPConn
	question

	// got holds the bytes read. The resolver reads no more than a message.
	got []byte
}

// Write implements net.Conn.
func (s *stream) Write(p []byte) (int, error) {
	s.ask(p[min(2, len(p)):])
	return s.TCPConn.Write(p)
}

// Read implements net.Conn.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.TCPConn.Read(p)
	s.got = append(s.got, p[:n]...)
	s.look(s.got[min(2, len(s.got)):])
	return n, err
}

// SetDeadline implements net.Conn.
func (s *stream) SetDeadline(t time.Time) error { return s.until(s.TCPConn, t) }

// question is a question to a DNS server.
type question struct {
	id uint16
	// found is called when a response with addresses has come.
	found func()
	// over ends when nobody waits for a response any more.
	over context.Context //nolint:containedctx // The question's life.
}

// until sets the deadline of the connection, which has passed when nobody waits any more. A
// net.Resolver would keep the socket until its own timeout, and sets that only once the connection
// has been made, perhaps after its end.
func (q *question) until(c net.Conn, t time.Time) error {
	err := c.SetDeadline(t)
	if q.over.Err() != nil {
		err = c.SetDeadline(time.Now())
	}
	return err
}

// ask takes the message with the question.
func (q *question) ask(message []byte) {
	if len(message) >= 2 {
		q.id = binary.BigEndian.Uint16(message)
	}
}

// look calls found if a message, or the beginning of one, has addresses for the question. A
// truncated one is asked for again over TCP.
func (q *question) look(message []byte) {
	var p dnsmessage.Parser
	h, err := p.Start(message)
	if err != nil || h.ID != q.id || h.Truncated || p.SkipAllQuestions() != nil {
		return
	}
	for {
		record, err := p.AnswerHeader()
		if err != nil {
			return
		}
		if record.Type == dnsmessage.TypeA || record.Type == dnsmessage.TypeAAAA {
			q.found()
			return
		}
		if p.SkipAnswer() != nil {
			return
		}
	}
}
