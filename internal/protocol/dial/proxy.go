package dial

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// ProxyError is a proxy that does not make a connection to a target.
type ProxyError struct {
	// Proxy is its URL, without a password.
	Proxy string
	// Says is what it responded.
	Says string
	// reason is what becomes of it.
	reason protocol.Reason
}

// Error implements error.
func (e *ProxyError) Error() string { return fmt.Sprintf("proxy %q responds %q", e.Proxy, e.Says) }

// proxy is what connections are made through.
type proxy struct {
	// name is its URL, without a password.
	name string
	addr string
	user *url.Userinfo
	// secure says that TLS is spoken to it, and socks that SOCKS5 is, not HTTP.
	secure, socks bool
	// resolves says that it takes names, not addresses.
	resolves bool
	header   []protocol.Field
}

// proxies chooses proxies.
type proxies struct {
	// of returns the proxy for a target's URL, or nil; it is nil where there is none at all.
	of     func(*url.URL) (*url.URL, error)
	header []protocol.Field
}

// newProxies returns what the options say. It fails on what no connection could be made
// through.
func newProxies(o ProxyOptions) (proxies, error) {
	for _, f := range o.ConnectHeader {
		if f.Name == "" || strings.ContainsAny(f.Name+f.Value, "\r\n\x00") || strings.ContainsAny(f.Name, " \t:") {
			return proxies{}, fmt.Errorf("proxy: invalid header %q", f.Name)
		}
	}
	p := proxies{of: o.Choice(), header: o.ConnectHeader}
	switch {
	case o.FromEnvironment && (o.URL != nil || o.NoProxy != ""):
		return p, errors.New("proxy: the environment and a URL or hosts without a proxy exclude each other")
	case o.FromEnvironment:
		config := httpproxy.FromEnvironment()
		for _, text := range []string{config.HTTPProxy, config.HTTPSProxy} {
			if err := checkProxy(text); err != nil {
				return p, err
			}
		}
	case o.URL == nil:
		if o.NoProxy != "" {
			return p, errors.New("proxy: hosts without a proxy, but no proxy")
		}
	default:
		if _, err := newProxy(o.URL, nil); err != nil {
			return p, err
		}
	}
	return p, nil
}

// Choice returns what chooses the proxy for a URL, which is nil for none. It is nil itself where
// there is none at all. It may be called concurrently.
func (o ProxyOptions) Choice() func(*url.URL) (*url.URL, error) {
	switch {
	case o.FromEnvironment:
		return httpproxy.FromEnvironment().ProxyFunc()
	case o.URL == nil:
		return nil
	case o.NoProxy == "":
		return func(*url.URL) (*url.URL, error) { return o.URL, nil }
	default:
		config := httpproxy.Config{HTTPProxy: o.URL.String(), HTTPSProxy: o.URL.String(), NoProxy: o.NoProxy}
		return config.ProxyFunc()
	}
}

// checkProxy fails on a proxy of the environment that cannot be used. It need not have a
// scheme.
func checkProxy(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" {
		u, err = url.Parse("http://" + text)
	}
	if err != nil {
		return errors.New("proxy: a URL of the environment makes no sense") // It may have a password.
	}
	_, err = newProxy(u, nil)
	return err
}

// to returns the proxy for a target; nil if it is reached without one.
func (p proxies) to(t Target) (*proxy, error) {
	if p.of == nil {
		return nil, nil //nolint:nilnil // None is an answer.
	}
	target := &url.URL{Scheme: "http", Host: t.Addr}
	if t.Secure {
		target.Scheme = "https"
	}
	u, err := p.of(target)
	if err != nil || u == nil {
		return nil, err
	}
	return newProxy(u, p.header)
}

// newProxy returns the proxy that a URL means.
func newProxy(u *url.URL, header []protocol.Field) (*proxy, error) {
	p := &proxy{name: (&url.URL{Scheme: u.Scheme, Host: u.Host}).String(), user: u.User, resolves: true, header: header}
	port := ""
	switch u.Scheme {
	case "http":
		port = "80"
	case "https":
		port, p.secure = "443", true
	case "socks5":
		port, p.socks, p.resolves = "1080", true, false
	case "socks5h":
		port, p.socks = "1080", true
	default:
		return nil, fmt.Errorf("proxy %q: scheme is not http, https, socks5 or socks5h", p.name)
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("proxy %q: no host", p.name)
	}
	if err := p.checkUser(); err != nil {
		return nil, fmt.Errorf("proxy %q: %w", p.name, err)
	}
	host, err := uri.ASCII(u.Hostname())
	if err != nil {
		return nil, fmt.Errorf("proxy %q: %w", p.name, err)
	}
	if given := u.Port(); given != "" {
		port = given
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, fmt.Errorf("proxy %q: port is not 1 to 65535", p.name)
	}
	p.addr = net.JoinHostPort(host, port)
	return p, nil
}

// maxSOCKSText is how long a user and a password may be for SOCKS5, in bytes (RFC 1929, section 2).
const maxSOCKSText = 255

// checkUser fails on a user and a password that the proxy's protocol cannot carry.
func (p *proxy) checkUser() error {
	if p.user == nil {
		return nil
	}
	name := p.user.Username()
	password, _ := p.user.Password()
	switch {
	case p.socks && (name == "" || len(name) > maxSOCKSText || len(password) > maxSOCKSText):
		return errors.New("SOCKS5 needs a user of 1 to 255 bytes and a password of at most 255")
	case !p.socks && strings.Contains(name, ":"):
		return errors.New("a user with a colon is none for basic authentication") // RFC 7617, section 2.
	}
	return nil
}

// authorization returns the credentials for the proxy (RFC 9110, section 11.7.2); empty if
// there are none.
func (p *proxy) authorization() string {
	if p.user == nil {
		return ""
	}
	password, _ := p.user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(p.user.Username()+":"+password))
}

// refused returns the error for a proxy that responded something else than success.
func (p *proxy) refused(says string, r protocol.Reason) error {
	return &ProxyError{Proxy: p.name, Says: says, reason: r}
}
