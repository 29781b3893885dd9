package http2

import (
	"context"
	"net"
	"time"
)

// readAheadTLS is how much is read at once below TLS.
const readAheadTLS = 64 << 10

// connect makes a connection to the origin that is ready for requests, all within the
// connect timeout.
func (c *Client) connect(o *origin) (*conn, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.connectTimeout)
	defer cancel()
	raw, phases, err := c.dialer.Connect(ctx, o.addr)
	if err != nil {
		return nil, err
	}
	sock := newSocket(raw, c.wire, &c.work)
	through := net.Conn(sock)
	if o.secure {
		sock.readAhead(readAheadTLS)
		begin := time.Now()
		over, err := c.dialer.Handshake(ctx, sock, o.addr)
		if err != nil {
			_ = sock.Close() // What went wrong before is the error to tell.
			return nil, err
		}
		phases.TLS = time.Since(begin)
		through = over
	}
	made := newConn(o, through, sock, time.Now())
	made.phases = phases
	sock.drained = made.resume
	return made, nil
}
