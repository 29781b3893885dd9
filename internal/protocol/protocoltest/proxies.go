package protocoltest

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// Proxy is a proxy on loopback. It resolves no names: whatever host it is asked for, it
// connects to its port on loopback.
type Proxy struct {
	// URL is its address, with the user and the password that it wants, if it wants any.
	URL *url.URL

	mu     sync.Mutex
	asked  []string
	header http.Header
}

// Asked returns what it was asked for: "CONNECT host:port", or the method and the target of a
// request that it forwards, or for SOCKS5 host:port.
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// Header returns the header of the last request.
func (p *Proxy) Header() http.Header {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.header.Clone()
}

func (p *Proxy) note(what string, h http.Header) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.header = append(p.asked, what), h.Clone()
}

// local returns the address on loopback with the same port.
func local(hostport string) string {
	_, port, _ := net.SplitHostPort(hostport)
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// HTTPProxy returns a proxy that makes tunnels and forwards requests; over TLS, if there is an
// authority. If it wants a user, that is "user" with "pass word". With a status it responds
// that and nothing else.
func HTTPProxy(tb testing.TB, ca *Authority, wantsUser bool, status int) *Proxy {
	tb.Helper()
	p := new(Proxy)
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("user:pass word"))
	var tunnels sync.WaitGroup
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.note(r.Method+" "+r.RequestURI, r.Header)
		switch {
		case status != 0:
			w.WriteHeader(status)
		case wantsUser && r.Header.Get("Proxy-Authorization") != want:
			w.WriteHeader(http.StatusProxyAuthRequired)
		case r.Method == http.MethodConnect:
			tunnels.Add(1) // The server does not wait for it.
			defer tunnels.Done()
			tunnel(w, r)
		default:
			forward(w, r)
		}
	}))
	s.Config.ErrorLog = Quiet()
	if ca != nil {
		s.TLS = ca.ServerConfig(tb, nil)
		s.StartTLS()
	} else {
		s.Start()
	}
	tb.Cleanup(tunnels.Wait)
	tb.Cleanup(s.Close)
	p.URL, _ = url.Parse(s.URL)
	if wantsUser {
		p.URL.User = url.UserPassword("user", "pass word")
	}
	return p
}

// tunnel connects a client to the target that it has asked for. The response and what the
// target says first come together.
func tunnel(w http.ResponseWriter, r *http.Request) {
	to, err := new(net.Dialer).DialContext(context.WithoutCancel(r.Context()), "tcp", local(r.Host))
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	c, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = to.Close()
		return
	}
	_, _ = io.WriteString(c, "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
	join(c, buffered, to)
}

// join copies between two connections, until one of them ends.
func join(c net.Conn, from io.Reader, to net.Conn) {
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(c, to)
		_ = c.Close()
	})
	_, _ = io.Copy(to, from)
	_ = to.Close()
	back.Wait()
}

// forward makes a request to the target that stands in it.
func forward(w http.ResponseWriter, r *http.Request) {
	if !r.URL.IsAbs() {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	out := r.Clone(r.Context())
	out.RequestURI, out.Host = "", r.URL.Host
	out.URL.Host = local(r.URL.Host)
	out.Header.Del("Proxy-Authorization")
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = response.Body.Close() }()
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}

// SOCKSProxy returns a proxy that speaks SOCKS5. If it wants a user, that is "user" with "pass
// word". It gives the reply to each request; 0 is success.
func SOCKSProxy(tb testing.TB, scheme string, wantsUser bool, reply byte) *Proxy {
	tb.Helper()
	p := new(Proxy)
	addr := Raw(tb, func(c net.Conn) {
		defer func() { _ = c.Close() }()
		if to := p.socks(c, wantsUser, reply); to != nil {
			join(c, c, to)
		}
	})
	p.URL = &url.URL{Scheme: scheme, Host: addr}
	if wantsUser {
		p.URL.User = url.UserPassword("user", "pass word")
	}
	return p
}

// socks does what SOCKS5 wants before the connection to the target (RFC 1928), which it
// returns; nil if there is none.
func (p *Proxy) socks(c net.Conn, wantsUser bool, reply byte) net.Conn {
	buf := make([]byte, 512)
	read := func(n int) []byte {
		if _, err := io.ReadFull(c, buf[:n]); err != nil {
			clear(buf)
		}
		return buf[:n]
	}
	methods := slices.Clone(read(int(read(2)[1])))
	switch {
	case !wantsUser:
		_, _ = c.Write([]byte{5, 0})
	case !slices.Contains(methods, 2):
		_, _ = c.Write([]byte{5, 0xff})
		return nil
	default:
		_, _ = c.Write([]byte{5, 2})
		user := string(read(int(read(2)[1])))
		password := string(read(int(read(1)[0])))
		if user != "user" || password != "pass word" {
			_, _ = c.Write([]byte{1, 1})
			return nil
		}
		_, _ = c.Write([]byte{1, 0})
	}
	host := ""
	switch read(4)[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	case 4:
		host = net.IP(read(16)).String()
	}
	addr := net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(read(2)))))
	p.note(addr, nil)
	if reply != 0 {
		_, _ = c.Write([]byte{5, reply, 0, 1, 0, 0, 0, 0, 0, 0})
		return nil
	}
	to, err := new(net.Dialer).DialContext(context.Background(), "tcp", local(addr))
	if err != nil {
		_, _ = c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return nil
	}
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	return to
}
