package websocket_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"

	library "github.com/coder/websocket"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

func TestProxiesAreAskedForTunnels(t *testing.T) {
	for _, f := range flavours() {
		for name, p := range map[string]*protocoltest.Proxy{
			"http": protocoltest.HTTPProxy(t, nil, true, 0), "socks5": protocoltest.SOCKSProxy(t, "socks5", true, 0),
		} {
			t.Run(f.Name+" by "+name, func(t *testing.T) {
				o := options(f.Serve(t, accept(echo)))
				o.HTTP.Proxy = dial.ProxyOptions{URL: p.URL}
				r := exchange(t, open(t, o), o, talk(t, sends(t, "hello"), receives(t, "r", "hello")), nil)
				check(t, r, "1000", protocol.ReasonNone, "")
				if asked := p.Asked(); len(asked) != 1 {
					t.Errorf("the proxy was asked for %q", asked)
				}
			})
		}
	}
	p := protocoltest.HTTPProxy(t, nil, false, http.StatusForbidden)
	o := serve(t, accept(echo))
	o.HTTP.Proxy = dial.ProxyOptions{URL: p.URL}
	check(t, exchange(t, open(t, o), o, nil, nil), "", protocol.ReasonDenied, "403")
}

// twoAddresses resolves every name to two addresses.
type twoAddresses struct{}

func (twoAddresses) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}, nil
}

// TestExchangesAreSpreadOverAddresses holds exchanges open: there are as many at each address.
func TestExchangesAreSpreadOverAddresses(t *testing.T) {
	const exchanges = 10
	var mu sync.Mutex
	at, all := map[string]int{}, make(chan struct{})
	server := httptest.NewUnstartedServer(accept(func(ctx context.Context, c *library.Conn) {
		<-all
		_ = c.Write(ctx, library.MessageText, []byte("go"))
		drain(ctx, c)
	}))
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		mu.Lock()
		defer mu.Unlock()
		at[c.LocalAddr().(*net.TCPAddr).IP.String()]++
		if at["127.0.0.1"]+at["127.0.0.2"] == exchanges {
			close(all)
		}
		return ctx
	}
	server.Start()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	second, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.2:"+port)
	if err != nil {
		t.Skipf("there is no second address: %v", err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Config.Serve(second)
	}()
	t.Cleanup(func() {
		_ = second.Close()
		<-served
	})
	o := options(protocoltest.Options(t, "http://target.test:"+port))
	o.HTTP.Net.Resolver = twoAddresses{}
	c := open(t, o)
	var running sync.WaitGroup
	for range exchanges {
		talk := talk(t, script.Receive{Name: "r", Within: protocoltest.Long})
		running.Go(func() { check(t, exchange(t, c, o, talk, nil), "1000", protocol.ReasonNone, "") })
	}
	running.Wait()
	if at["127.0.0.1"] != exchanges/2 || at["127.0.0.2"] != exchanges/2 {
		t.Errorf("exchanges by address: %v", at)
	}
}
