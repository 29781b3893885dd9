package dial_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// noNames is a resolver that nobody should ask.
type noNames struct{ t *testing.T }

func (n noNames) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.t.Errorf("%q is resolved here", host)
	return nil, errors.New("nobody should ask")
}

// oneName is a resolver that knows one.
type oneName string

func (n oneName) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if host == string(n) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	return nil, &net.DNSError{Name: host, IsNotFound: true}
}

// proxied returns a Dialer that goes through a proxy.
func proxied(t *testing.T, u *url.URL, change func(*dial.Options)) *dial.Dialer {
	t.Helper()
	o := dial.Options{
		NextProtos: []string{protocol.HTTP1}, Timeout: protocoltest.Long, ResolveEvery: time.Hour,
		Proxy: dial.ProxyOptions{URL: u}, Net: dial.Net{Resolver: noNames{t}},
	}
	if change != nil {
		change(&o)
	}
	d, err := dial.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// greeting is a server that says "hello" first, which a proxy may pass on together with its own
// response.
func greeting(t *testing.T) (port string) {
	t.Helper()
	_, port, _ = net.SplitHostPort(protocoltest.Raw(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "hello")
		_, _ = io.Copy(c, c)
	}))
	return port
}

// wantEcho checks that a connection leads to the server.
func wantEcho(t *testing.T, c io.ReadWriter) {
	t.Helper()
	buf := make([]byte, 9)
	if _, err := io.WriteString(c, "echo"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "helloecho" {
		t.Errorf("read %q, %v", buf, err)
	}
}

func TestATunnelLeadsToTheTarget(t *testing.T) {
	ca := protocoltest.NewAuthority(t)
	for name, p := range map[string]*protocoltest.Proxy{
		"HTTP":               protocoltest.HTTPProxy(t, nil, false, 0),
		"HTTP with a user":   protocoltest.HTTPProxy(t, nil, true, 0),
		"HTTP over TLS":      protocoltest.HTTPProxy(t, ca, true, 0),
		"SOCKS5":             protocoltest.SOCKSProxy(t, "socks5h", false, 0),
		"SOCKS5 with a user": protocoltest.SOCKSProxy(t, "socks5h", true, 0),
	} {
		t.Run(name, func(t *testing.T) {
			w := new(protocoltest.ConnRecorder)
			d := proxied(t, p.URL, func(o *dial.Options) { o.TLS.CA, o.Observer = ca.PEM, w })
			target := "target.test:" + greeting(t)
			r, err := d.Origin(dial.Target{Addr: target}).Connect(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Conn.Close() }()
			if r.TLS != nil {
				wantEcho(t, r.TLS)
			} else {
				wantEcho(t, r.Conn)
			}
			if (r.TLS != nil) != (p.URL.Scheme == "https") || r.Phases.Protocol != protocol.HTTP1 || r.Phases.Connect <= 0 || r.Addr != p.URL.Host {
				t.Errorf("got %+v", r)
			}
			if asked := p.Asked(); len(asked) != 1 || strings.TrimPrefix(asked[0], "CONNECT ") != target {
				t.Errorf("it was asked for %q", asked)
			}
		})
	}
}

// TestTLSGoesThroughATunnel has the server's certificate checked, not the proxy's.
func TestTLSGoesThroughATunnel(t *testing.T) {
	addr, ca := secureServer(t, 0)
	for _, p := range []*protocoltest.Proxy{
		protocoltest.HTTPProxy(t, nil, false, 0), protocoltest.HTTPProxy(t, ca, false, 0), protocoltest.SOCKSProxy(t, "socks5", false, 0),
	} {
		d := proxied(t, p.URL, func(o *dial.Options) { o.TLS.CA = ca.PEM })
		o := d.Origin(dial.Target{Addr: addr, Secure: true, Forward: true})
		if resumes(t, o) {
			t.Error("the first connection resumed a session")
		}
		if !resumes(t, o) {
			t.Errorf("%s: no session is resumed", p.URL.Scheme)
		}
		if _, ok := o.Forwards(); ok {
			t.Error("requests of https are to be forwarded")
		}
	}
}

func TestSOCKS5OfTheFirstKindReceivesAddresses(t *testing.T) {
	port := greeting(t)
	p := protocoltest.SOCKSProxy(t, "socks5", false, 0)
	d := proxied(t, p.URL, func(o *dial.Options) { o.Net.Resolver = oneName("target.test") })
	r, err := d.Origin(dial.Target{Addr: "target.test:" + port}).Connect(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Conn.Close() }()
	wantEcho(t, r.Conn)
	if want := "127.0.0.1:" + port; r.Addr != want || !slices.Equal(p.Asked(), []string{want}) {
		t.Errorf("connected to %s, and asked for %q", r.Addr, p.Asked())
	}
	if _, err = d.Origin(dial.Target{Addr: "nowhere.test:" + port}).Connect(t.Context(), ""); dial.Reason(err) != protocol.ReasonDNS {
		t.Errorf("a name that is not there: %v", err)
	}
}

func TestAProxysRefusalNamesIt(t *testing.T) {
	wrongUser := func(p *protocoltest.Proxy, user *url.Userinfo) *protocoltest.Proxy {
		p.URL.User = user
		return p
	}
	wrong := url.UserPassword("user", "secret")
	raw := func(text string) *protocoltest.Proxy {
		return &protocoltest.Proxy{URL: &url.URL{Scheme: "http", Host: protocoltest.Raw(t, func(c net.Conn) {
			protocoltest.ReadHead(c)
			_, _ = io.WriteString(c, text)
			_ = c.Close()
		})}}
	}
	for _, test := range []struct {
		name string
		p    *protocoltest.Proxy
		want protocol.Reason
		says string
	}{
		{"no user", wrongUser(protocoltest.HTTPProxy(t, nil, true, 0), nil), protocol.ReasonDenied, "407 Proxy Authentication Required"},
		{"a wrong user", wrongUser(protocoltest.HTTPProxy(t, nil, true, 0), wrong), protocol.ReasonDenied, "407 Proxy Authentication Required"},
		{"a target that is not allowed", protocoltest.HTTPProxy(t, nil, false, 403), protocol.ReasonDenied, "403 Forbidden"},
		{"a target that is down", protocoltest.HTTPProxy(t, nil, false, 502), protocol.ReasonRefused, "502 Bad Gateway"},
		{"a proxy that is overloaded", protocoltest.HTTPProxy(t, nil, false, 503), protocol.ReasonRefused, "503 Service Unavailable"},
		{"a target that is slow", protocoltest.HTTPProxy(t, nil, false, 504), protocol.ReasonRefused, "504 Gateway Timeout"},
		{"a server that is no proxy", protocoltest.HTTPProxy(t, nil, false, 405), protocol.ReasonProtocol, "405 Method Not Allowed"},
		{"a server that redirects", protocoltest.HTTPProxy(t, nil, false, 302), protocol.ReasonProtocol, "302 Found"},
		{"something else than HTTP", raw("SSH-2.0-x\r\n\r\n"), protocol.ReasonProtocol, "SSH-2.0-x"},
		{"a proxy that hangs up", raw("HTTP/1.1 200"), protocol.ReasonReset, "EOF"},
		{"SOCKS5 without a user", wrongUser(protocoltest.SOCKSProxy(t, "socks5h", true, 0), nil), protocol.ReasonDenied, "no acceptable authentication method"},
		{"SOCKS5 with a wrong user", wrongUser(protocoltest.SOCKSProxy(t, "socks5h", true, 0), wrong), protocol.ReasonDenied, "user and password are not accepted"},
		{"SOCKS5 with rules", protocoltest.SOCKSProxy(t, "socks5h", false, 2), protocol.ReasonDenied, "reply 2"},
		{"SOCKS5 and a target that is down", protocoltest.SOCKSProxy(t, "socks5h", true, 5), protocol.ReasonRefused, "reply 5"},
		{"SOCKS5 that cannot", protocoltest.SOCKSProxy(t, "socks5", true, 7), protocol.ReasonProtocol, "reply 7"},
		{"SOCKS5 at a server of HTTP", &protocoltest.Proxy{URL: &url.URL{Scheme: "socks5h", Host: protocoltest.HTTPProxy(t, nil, false, 0).URL.Host}}, protocol.ReasonConnectTimeout, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := proxied(t, test.p.URL, func(o *dial.Options) {
				if test.want == protocol.ReasonConnectTimeout {
					o.Timeout = 50 * time.Millisecond
				}
			})
			_, err := d.Origin(dial.Target{Addr: "127.0.0.1:1"}).Connect(t.Context(), "")
			if got := dial.Reason(err); got != test.want {
				t.Errorf("reason %q, want %q: %v", got, test.want, err)
			}
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v", err)
			}
			refusal, ok := errors.AsType[*dial.ProxyError](err)
			if ok && !strings.Contains(refusal.Error(), test.p.URL.Host) {
				t.Errorf("it does not name the proxy: %v", err)
			}
		})
	}
}

func TestAProxyThatIsSilentIsNotWaitedForLonger(t *testing.T) {
	for _, scheme := range []string{"http", "https", "socks5", "socks5h"} {
		addr := protocoltest.Raw(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		all := dial.NewDescriptors(10)
		d := proxied(t, &url.URL{Scheme: scheme, Host: addr}, func(o *dial.Options) { o.Timeout, o.Descriptors = 50*time.Millisecond, all })
		_, err := d.Origin(dial.Target{Addr: "127.0.0.1:1"}).Connect(t.Context(), "")
		if dial.Reason(err) != protocol.ReasonConnectTimeout {
			t.Errorf("%s: failed as %q: %v", scheme, dial.Reason(err), err)
		}
		protocoltest.Eventually(t, "no descriptor is in use", func() bool { return all.InUse() == 0 })
	}
}

func TestConnectCarriesTheFieldsOfTheConfiguration(t *testing.T) {
	p := protocoltest.HTTPProxy(t, nil, true, 0)
	d := proxied(t, p.URL, func(o *dial.Options) {
		o.Proxy.ConnectHeader = []protocol.Field{{Name: "X-Who", Value: "me"}, {Name: "Proxy-Authorization", Value: "none"}, {Name: "Host", Value: "x"}}
	})
	r, err := d.Origin(dial.Target{Addr: "target.test:" + greeting(t)}).Connect(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Conn.Close()
	h := p.Header()
	if h.Get("X-Who") != "me" || len(h["Proxy-Authorization"]) != 1 {
		t.Errorf("got %v", h)
	}
}

func TestAProxyForwardsWhatIsInTheClear(t *testing.T) {
	u := func(text string) *url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for _, test := range []struct {
		proxy  string
		target dial.Target
		auth   string
		want   bool
	}{
		{"http://127.0.0.1:1", dial.Target{Forward: true}, "", true},
		{"http://a:b@127.0.0.1:1", dial.Target{Forward: true}, "Basic YTpi", true},
		{"https://a:@127.0.0.1:1", dial.Target{Forward: true}, "Basic YTo=", true},
		{"http://127.0.0.1:1", dial.Target{Forward: false}, "", false},
		{"http://127.0.0.1:1", dial.Target{Forward: true, Secure: true}, "", false},
		{"socks5://127.0.0.1:1", dial.Target{Forward: true}, "", false},
	} {
		test.target.Addr = "127.0.0.1:1"
		auth, ok := proxied(t, u(test.proxy), nil).Origin(test.target).Forwards()
		if ok != test.want || auth != test.auth {
			t.Errorf("%s, %+v: got %q, %t", test.proxy, test.target, auth, ok)
		}
	}
}

func TestSomeHostsNeedNoProxy(t *testing.T) {
	p := protocoltest.HTTPProxy(t, nil, false, 0)
	port := greeting(t)
	direct := func(t *testing.T, d *dial.Dialer, addr string, want bool) {
		t.Helper()
		before := len(p.Asked())
		r, err := d.Origin(dial.Target{Addr: addr}).Connect(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Conn.Close()
		if got := len(p.Asked()) == before; got != want {
			t.Errorf("%s: without the proxy: %t", addr, got)
		}
	}
	names := dial.Net{Resolver: oneName("a.inside.test")}
	d := proxied(t, p.URL, func(o *dial.Options) { o.Net = names })
	direct(t, d, "127.0.0.1:"+port, false)
	direct(t, d, "a.inside.test:"+port, false)
	d = proxied(t, p.URL, func(o *dial.Options) { o.Net, o.Proxy.NoProxy = names, "inside.test" })
	direct(t, d, "127.0.0.1:"+port, true)
	direct(t, d, "a.inside.test:"+port, true)
	direct(t, d, "outside.test:"+port, false)
	// The same of the environment, with a proxy that does not say its scheme.
	t.Setenv("http_proxy", "")
	t.Setenv("HTTP_PROXY", p.URL.Host)
	t.Setenv("no_proxy", "inside.test")
	t.Setenv("REQUEST_METHOD", "")
	d = proxied(t, nil, func(o *dial.Options) { o.Net, o.Proxy = names, dial.ProxyOptions{FromEnvironment: true} })
	direct(t, d, "a.inside.test:"+port, true)
	direct(t, d, "outside.test:"+port, false)
	// The environment is ignored unless asked for.
	d = proxied(t, nil, func(o *dial.Options) { o.Net, o.Proxy = names, dial.ProxyOptions{} })
	direct(t, d, "a.inside.test:"+port, true)
}

func TestAProxyThatMakesNoSenseIsRefused(t *testing.T) {
	u := &url.URL{Scheme: "http", Host: "proxy.test"}
	for _, o := range []dial.ProxyOptions{
		{URL: &url.URL{Scheme: "ftp", Host: "proxy.test"}},
		{URL: &url.URL{Scheme: "http"}},
		{URL: &url.URL{Scheme: "http", Host: "proxy.test", User: url.UserPassword("a:b", "c")}},
		{URL: &url.URL{Scheme: "socks5", Host: "proxy.test", User: url.UserPassword("", "c")}},
		{URL: &url.URL{Scheme: "socks5", Host: "proxy.test", User: url.UserPassword(strings.Repeat("a", 256), "c")}},
		{URL: &url.URL{Scheme: "socks5h", Host: "proxy.test", User: url.UserPassword("a", strings.Repeat("c", 256))}},
		{URL: u, FromEnvironment: true},
		{NoProxy: "a.test"},
		{URL: u, ConnectHeader: []protocol.Field{{Name: "A", Value: "b\r\nC: d"}}},
		{URL: u, ConnectHeader: []protocol.Field{{Name: "A B", Value: "c"}}},
	} {
		if d, err := dial.New(dial.Options{Proxy: o}); err == nil {
			d.Close()
			t.Errorf("taken: %+v", o)
		}
	}
	t.Setenv("https_proxy", "ftp://user:secret@proxy.test")
	if _, err := dial.New(dial.Options{Proxy: dial.ProxyOptions{FromEnvironment: true}}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestAProxyOfTheEnvironmentMayHaveAnInternationalName(t *testing.T) {
	p := protocoltest.HTTPProxy(t, nil, false, 0)
	t.Setenv("http_proxy", "")
	t.Setenv("HTTP_PROXY", "http://bücher.test:"+p.URL.Port())
	t.Setenv("no_proxy", "")
	t.Setenv("REQUEST_METHOD", "")
	d := proxied(t, nil, func(o *dial.Options) {
		o.Net.Resolver, o.Proxy = oneName("xn--bcher-kva.test"), dial.ProxyOptions{FromEnvironment: true}
	})
	r, err := d.Origin(dial.Target{Addr: "target.test:" + greeting(t)}).Connect(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Conn.Close()
	for _, bad := range []string{"http://bücher.test:0", "http://bücher.test:65536", "http://-\u200d-.test"} {
		t.Setenv("HTTP_PROXY", bad)
		if d, err := dial.New(dial.Options{Proxy: dial.ProxyOptions{FromEnvironment: true}}); err == nil {
			d.Close()
			t.Errorf("taken: %q", bad)
		}
	}
}

func TestAProxyThatOnlySaysToGoOnIsNotReadForLong(t *testing.T) {
	addr := protocoltest.Raw(t, func(c net.Conn) {
		protocoltest.ReadHead(c)
		for err := error(nil); err == nil; {
			_, err = io.WriteString(c, "HTTP/1.1 102 Processing\r\n\r\n")
		}
	})
	d := proxied(t, &url.URL{Scheme: "http", Host: addr}, func(o *dial.Options) { o.Timeout = time.Second })
	_, err := d.Origin(dial.Target{Addr: "target.test:443"}).Connect(t.Context(), "")
	if r := dial.Reason(err); r != protocol.ReasonProtocol {
		t.Errorf("reason %q: %v", r, err)
	}
}
