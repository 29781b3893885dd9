//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// TestRequestsGoThroughProxies sends them to a name that only the proxies know.
func TestRequestsGoThroughProxies(t *testing.T) {
	t.Parallel()
	ca := protocoltest.NewAuthority(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	handler := func(http.ResponseWriter, *http.Request) {}
	ports, authorities := map[string]string{}, ca.PEM
	for _, f := range protocoltest.Flavours() {
		name := fmt.Sprintf("%d-%t", f.Major, f.TLS)
		o := f.Serve(t, handler)
		ports[name] = o.Entries[0].URL.Port
		if f.TLS {
			authorities += o.TLS.CA
		}
	}
	write(t, file, authorities)
	var tests []*proxied
	for _, p := range []struct {
		kind  string
		proxy *protocoltest.Proxy
	}{
		{"http", protocoltest.HTTPProxy(t, nil, false, 0)},
		{"user", protocoltest.HTTPProxy(t, nil, true, 0)},
		{"https", protocoltest.HTTPProxy(t, ca, false, 0)},
		{"socks5h", protocoltest.SOCKSProxy(t, "socks5h", false, 0)},
	} {
		for _, target := range []struct{ url, protocol, port string }{
			{"http", "http1", ports["1-false"]}, {"https", "http1", ports["1-true"]}, {"https", "http2", ports["2-true"]}, {"http", "h2c", ports["2-false"]},
		} {
			host := "target.test:" + target.port
			want := "CONNECT " + host
			switch {
			case p.kind == "socks5h":
				want = host
			case target.url == "http" && target.protocol == "http1":
				want = "GET http://" + host + "/"
			}
			tests = append(tests, &proxied{
				name:     p.kind + "-" + target.protocol + "-" + target.url,
				url:      target.url + "://" + host + "/",
				protocol: target.protocol, proxy: p.proxy, asks: want,
			})
		}
	}
	config := "scenarios:\n"
	for _, x := range tests {
		config += x.scenario(file)
	}
	e := startExporter(t, config)
	for _, x := range tests {
		e.reaches(t, fmt.Sprintf(`traffic_requests_total{code="200",request="r",scenario=%q}`, x.name), 5)
		asked := strings.Join(x.proxy.Asked(), "\n")
		if !strings.Contains(asked+"\n", x.asks+"\n") {
			t.Errorf("%s: the proxy was not asked for %q", x.name, x.asks)
		}
	}
	if failed := failures(e.metrics(t)); failed != "" {
		t.Errorf("some failed:\n%s", failed)
	}
	e.stop(t)
	if out := e.out.String(); strings.Contains(out, "pass word") || strings.Contains(out, "pass%20word") {
		t.Error("the password of a proxy is in the log")
	}
}

// proxied is a scenario whose requests go through a proxy, and what the proxy is asked for.
type proxied struct {
	name, url, protocol, asks string
	proxy                     *protocoltest.Proxy
}

// scenario returns it in YAML.
func (x *proxied) scenario(ca string) string {
	trust := ""
	if strings.HasPrefix(x.url, "https:") || x.proxy.URL.Scheme == "https" {
		trust = fmt.Sprintf(", tls_config: {ca_file: %q}", ca)
	}
	return fmt.Sprintf(`  - name: %s
    rate: 5/s
    http_config: {protocol: %s, proxy_url: %q%s}
    requests: [{name: r, url: %q}]
`, x.name, x.protocol, x.proxy.URL, trust, x.url)
}

// TestAProxyThatRefusesIsAFailure has proxies refuse all connections: no request is reported as
// a success, nor with the code of the proxy.
func TestAProxyThatRefusesIsAFailure(t *testing.T) {
	t.Parallel()
	config := "scenarios:\n"
	tests := []*proxied{
		{name: "connect", url: "https://target.test/", protocol: "http1", proxy: protocoltest.HTTPProxy(t, nil, false, http.StatusForbidden)},
		{name: "socks", url: "http://target.test/", protocol: "http1", proxy: protocoltest.SOCKSProxy(t, "socks5h", false, 2)},
	}
	for _, x := range tests {
		config += strings.Replace(x.scenario(""), ", tls_config: {ca_file: \"\"}", "", 1)
	}
	e := startExporter(t, config)
	for _, x := range tests {
		e.reaches(t, fmt.Sprintf(`traffic_requests_total{code="",request="r",scenario=%q}`, x.name), 10)
		if n := total(e.metrics(t), "traffic_requests_total", fmt.Sprintf("scenario=%q", x.name), `code="200"`); n > 0 {
			t.Errorf("%s: %v are reported with code 200", x.name, n)
		}
	}
	e.stop(t)
}
