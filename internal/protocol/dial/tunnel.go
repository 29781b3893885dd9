package dial

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	socks "golang.org/x/net/proxy"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

const (
	// longestConnectHead is the longest head of a response to CONNECT, in bytes.
	longestConnectHead = 64 << 10
	// mostInterim is how many interim responses there may be before it.
	mostInterim = 16
)

// through makes a connection to a proxy one to the target. It returns the connection to
// speak over, and does not close c when it fails.
func (o *Origin) through(ctx context.Context, c *Conn) (over net.Conn, err error) {
	p := o.proxy
	over = c
	if p == nil || (p.socks && !p.resolves) {
		return over, nil
	}
	if p.secure {
		if over, err = o.dialer.secureProxy(ctx, c, p); err != nil {
			return nil, err
		}
	}
	switch {
	case p.socks:
		err = p.socksTo(ctx, c, o.target.Addr)
	case !o.forwards():
		err = p.connectTo(ctx, over, o.target.Addr)
	}
	return over, err
}

// secureProxy speaks TLS to a proxy.
func (d *Dialer) secureProxy(ctx context.Context, c *Conn, p *proxy) (*tls.Conn, error) {
	host, _, err := net.SplitHostPort(p.addr)
	if err == nil {
		config := d.tls.configFor(host, p.addr)
		config.ServerName, config.NextProtos = host, []string{protocol.HTTP1} // A name that is configured is the target's.
		over := tls.Client(c, config)
		if err = over.HandshakeContext(ctx); err == nil {
			return over, nil
		}
	}
	return nil, &Error{Step: StepTLS, Addr: p.addr, Err: err}
}

// connectTo asks a proxy for a tunnel (RFC 9110, section 9.3.6).
func (p *proxy) connectTo(ctx context.Context, c net.Conn, addr string) error {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	status, line, err := p.ask(c, addr)
	if !stop() {
		err = ctx.Err()
	}
	if err == nil && status/100 != 2 {
		err = p.refused(line, reasonOfConnect(status))
	}
	if err != nil {
		return &Error{Step: StepConnect, Addr: addr, Err: err}
	}
	return nil
}

// ask sends a CONNECT and returns the status of the response, and it with its phrase.
func (p *proxy) ask(c net.Conn, addr string) (status int, line string, err error) {
	b := fmt.Appendf(nil, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", addr, addr)
	auth := p.authorization()
	if auth != "" {
		b = fmt.Appendf(b, "Proxy-Authorization: %s\r\n", auth)
	}
	for _, f := range p.header {
		if strings.EqualFold(f.Name, "Host") || (auth != "" && strings.EqualFold(f.Name, "Proxy-Authorization")) {
			continue
		}
		b = fmt.Appendf(b, "%s: %s\r\n", f.Name, f.Value)
	}
	if _, err = c.Write(append(b, "\r\n"...)); err != nil {
		return 0, "", err
	}
	for range mostInterim + 1 {
		if status, line, err = p.response(c); err != nil || status >= http.StatusOK {
			return status, line, err
		}
	}
	return 0, "", p.refused("too many interim responses", protocol.ReasonProtocol)
}

// response reads the head of a response and nothing of what comes behind it, which is the
// target's.
func (p *proxy) response(c net.Conn) (status int, line string, err error) {
	var head []byte
	one := make([]byte, 1)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) && !bytes.HasSuffix(head, []byte("\n\n")) {
		if _, err = io.ReadFull(c, one); err != nil {
			return 0, "", err
		}
		if head = append(head, one[0]); len(head) > longestConnectHead {
			return 0, "", p.refused("a head that does not end", protocol.ReasonProtocol)
		}
	}
	first, _, _ := bytes.Cut(head, []byte("\n"))
	version, line, _ := strings.Cut(strings.TrimSuffix(string(first), "\r"), " ")
	code, _, _ := strings.Cut(line, " ")
	if status, err = strconv.Atoi(code); err != nil || len(code) != 3 || !strings.HasPrefix(version, "HTTP/1.") {
		return 0, "", p.refused(fmt.Sprintf("%.40s", first), protocol.ReasonProtocol)
	}
	return status, line, nil
}

// reasonOfConnect sorts the statuses of proxies: those that say that the target is not
// reached, those that say that the proxy does not want to, and others, which are none to
// CONNECT.
func reasonOfConnect(status int) protocol.Reason {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return protocol.ReasonRefused
	case http.StatusForbidden, http.StatusProxyAuthRequired:
		return protocol.ReasonDenied
	default:
		return protocol.ReasonProtocol
	}
}

// socksTo asks a proxy for a connection to an address, by SOCKS5 (RFC 1928).
func (p *proxy) socksTo(ctx context.Context, c *Conn, addr string) error {
	heard := &hearing{Conn: c}
	var auth *socks.Auth
	if p.user != nil {
		password, _ := p.user.Password()
		auth = &socks.Auth{User: p.user.Username(), Password: password}
	}
	d, err := socks.SOCKS5("tcp", p.addr, auth, heard)
	if err == nil {
		dialer, ok := d.(socks.ContextDialer)
		if !ok {
			return errors.ErrUnsupported
		}
		_, err = dialer.DialContext(ctx, "tcp", addr)
	}
	if err == nil {
		return nil
	}
	if says, r := heard.refusal(); r != protocol.ReasonNone {
		err = p.refused(says, r)
	} else if ctx.Err() != nil {
		err = ctx.Err()
	}
	return &Error{Step: StepConnect, Addr: addr, Err: err}
}

// hearing is a connection that keeps what it has read, since the errors of SOCKS5 have no
// types. It dials itself.
type hearing struct {
	*Conn

	heard []byte
}

// Read implements net.Conn.
func (h *hearing) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	h.heard = append(h.heard, p[:n]...)
	return n, err
}

// Dial implements golang.org/x/net/proxy.Dialer.
func (h *hearing) Dial(string, string) (net.Conn, error) { return h, nil }

// DialContext implements golang.org/x/net/proxy.ContextDialer.
func (h *hearing) DialContext(context.Context, string, string) (net.Conn, error) { return h, nil }

// refusal returns what a proxy of SOCKS5 responded, if it was no success: to the choice of a
// method (RFC 1928, section 3), to a user and a password (RFC 1929) or to the request (RFC
// 1928, section 6).
func (h *hearing) refusal() (says string, r protocol.Reason) {
	const noMethod, byPassword = 0xff, 2
	b := h.heard
	switch {
	case len(b) > 0 && b[0] != 5:
		return fmt.Sprintf("something else than SOCKS5: %.40q", b), protocol.ReasonProtocol
	case len(b) < 2:
		return "", protocol.ReasonNone
	case b[1] == noMethod:
		return "no acceptable authentication method", protocol.ReasonDenied
	case b[1] == byPassword && len(b) >= 4 && b[3] != 0:
		return "user and password are not accepted", protocol.ReasonDenied
	case b[1] == byPassword:
		b = b[min(2, len(b)-2):]
	}
	if len(b) < 4 || b[3] == 0 {
		return "", protocol.ReasonNone
	}
	return reasonOfSOCKS(b[3])
}

// reasonOfSOCKS sorts the reply codes of SOCKS5.
func reasonOfSOCKS(code byte) (says string, r protocol.Reason) {
	says = fmt.Sprintf("SOCKS5 reply %d", code)
	switch code {
	case 1:
		return says + ": general failure", protocol.ReasonRefused
	case 2:
		return says + ": not allowed by its rules", protocol.ReasonDenied
	case 3:
		return says + ": network unreachable", protocol.ReasonRefused
	case 4:
		return says + ": host unreachable", protocol.ReasonRefused
	case 5:
		return says + ": connection refused", protocol.ReasonRefused
	case 6:
		return says + ": TTL expired", protocol.ReasonRefused
	default:
		return says, protocol.ReasonProtocol
	}
}
