package app

import (
	"slices"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// optionsOf returns what the client of the first scenario is made from.
func optionsOf(t *testing.T, scenario string) httpreq.Options {
	t.Helper()
	cfg := parse(t, scenario)
	m, err := newMix(cfg.Scenarios[0], apart(cfg))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := m.part(family{sends: isHTTP})
	return httpOptions(cfg.Scenarios[0], p, apart(cfg))
}

func TestHeadersArriveInTheOrderOfTheFile(t *testing.T) {
	t.Setenv("TENANT", "seven")
	o := optionsOf(t, `  - name: s
    rate: 1/s
    requests:
      - name: r
        url: http://a/
        headers: {zeta: 1, Accept: [b, c], X-Tenant: "${TENANT}", x-api-key: d}
`)
	if got, want := o.Entries[0].Fields, []protocol.Field{
		{Name: "zeta", Value: "1"},
		{Name: "Accept", Value: "b"},
		{Name: "Accept", Value: "c"},
		{Name: "X-Tenant", Value: "seven", Secret: true},
		{Name: "x-api-key", Value: "d", Secret: true},
	}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestConnectionsAreMadeAsTheFileSays(t *testing.T) {
	o := optionsOf(t, scenarioText("s", "1/s", url, `    http_config:
      proxy_url: socks5://mary:hunter2@proxy.example.org
      no_proxy: internal.example.org
      proxy_connect_header: {X-B: [1, 2], X-A: 3}
      tls_session_resumption: false
`))
	p := o.Proxy
	if p.URL.String() != "socks5://mary:hunter2@proxy.example.org" || p.NoProxy != "internal.example.org" || p.FromEnvironment {
		t.Errorf("proxy %+v", p)
	}
	if want := []protocol.Field{
		{Name: "X-B", Value: "1", Secret: true}, {Name: "X-B", Value: "2", Secret: true}, {Name: "X-A", Value: "3", Secret: true},
	}; !slices.Equal(p.ConnectHeader, want) {
		t.Errorf("headers of the proxy %v, want %v", p.ConnectHeader, want)
	}
	if !o.FullHandshakes {
		t.Error("TLS sessions are resumed")
	}
	o = optionsOf(t, scenarioText("s", "1/s", url, ""))
	if o.Proxy.URL != nil || o.Proxy.FromEnvironment || o.FullHandshakes {
		t.Errorf("by default: proxy %+v, full handshakes %v", o.Proxy, o.FullHandshakes)
	}
	if o = optionsOf(t, scenarioText("s", "1/s", url, "    http_config: {proxy_from_environment: true}\n")); !o.Proxy.FromEnvironment {
		t.Error("the environment's proxy is not used")
	}
}

// A grace below 0 is none.
func TestOldAddressesDoForTheGrace(t *testing.T) {
	for keys, want := range map[string]time.Duration{
		"dns_ttl: 7s":                 7 * time.Second,
		"dns_ttl: 7s, dns_grace: 1m":  time.Minute,
		"dns_ttl: 7s, dns_grace: 0":   -1,
		"dns_ttl: 7s, dns_grace: 0s":  -1,
		"dns_ttl: 7s, dns_grace: 7s":  7 * time.Second,
		"dns_ttl: 7s, dns_grace: 1ms": time.Millisecond,
	} {
		o := optionsOf(t, scenarioText("s", "1/s", url, "    http_config: {"+keys+"}\n"))
		if o.ResolveEvery != 7*time.Second || o.ResolveGrace != want {
			t.Errorf("%s: every %v, grace %v, want %v", keys, o.ResolveEvery, o.ResolveGrace, want)
		}
	}
}
