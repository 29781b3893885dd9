package http2

import (
	"net/http"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// TestEveryConnectionGoesThroughATunnel has proxies that speak HTTP, with TLS and without, and
// one that speaks SOCKS5.
func TestEveryConnectionGoesThroughATunnel(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			ca := protocoltest.NewAuthority(t)
			o := f.Serve(t, func(http.ResponseWriter, *http.Request) {})
			o.TLS.CA += ca.PEM
			for _, p := range []*protocoltest.Proxy{
				protocoltest.HTTPProxy(t, nil, true, 0), protocoltest.HTTPProxy(t, ca, false, 0), protocoltest.SOCKSProxy(t, "socks5h", true, 0),
			} {
				o.Proxy = dial.ProxyOptions{URL: p.URL}
				w := new(protocoltest.ConnRecorder)
				o.Observer = w
				c := client(t, o)
				mustSucceed(t, c)
				mustSucceed(t, c)
				if asked := p.Asked(); len(asked) != 1 || strings.HasPrefix(asked[0], "GET") {
					t.Errorf("the proxy was asked for %q", asked)
				}
				checkClosed(t, c, w)
			}
		})
	}
}
