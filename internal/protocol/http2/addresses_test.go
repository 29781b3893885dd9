package http2

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// twoServers starts servers in the clear at two addresses, which count their requests, and
// returns options for the first one, and both addresses.
func twoServers(t *testing.T) (o httpreq.Options, addrs []string, counts [2]*atomic.Int64) {
	t.Helper()
	port := ""
	for i, ip := range []string{"127.0.0.1", "127.0.0.2"} {
		count := new(atomic.Int64)
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(ip, port))
		if err != nil {
			t.Skip(err) // Not every system has more than one address.
		}
		served := flavours()[2].Serve(t, func(http.ResponseWriter, *http.Request) { count.Add(1) }, func(s *httptest.Server) {
			_ = s.Listener.Close()
			s.Listener = l
		})
		if i == 0 {
			o = served
			_, port, _ = net.SplitHostPort(l.Addr().String())
		}
		addrs, counts[i] = append(addrs, l.Addr().String()), count
	}
	return o, addrs, counts
}

// resolveTo makes the client's first origin have these addresses.
func resolveTo(c *Client, addrs []string) {
	a := &c.origins[0].addresses
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known, a.resolved = addrs, time.Now()
}

func TestConnectionsSpreadOverAddresses(t *testing.T) {
	o, addrs, counts := twoServers(t)
	w := new(protocoltest.Wire)
	o.Wire, o.ResolveEvery = w, time.Hour
	c := client(t, o)
	resolveTo(c, addrs)
	mustSucceed(t, c)
	protocoltest.Eventually(t, "both addresses have a connection", func() bool { opened, _ := w.Counts(); return opened == 2 })
	for range 20 {
		mustSucceed(t, c)
	}
	if first, second := counts[0].Load(), counts[1].Load(); first < 5 || second < 5 {
		t.Errorf("%d and %d requests", first, second)
	}
}

func TestConnectionsToAddressesThatAreGoneEnd(t *testing.T) {
	o, addrs, _ := twoServers(t)
	w := new(protocoltest.Wire)
	o.Wire, o.ResolveEvery = w, 4*short
	c := client(t, o)
	c.health.pingAfter = short
	resolveTo(c, addrs)
	mustSucceed(t, c)
	// What the name really has is the first address alone.
	protocoltest.Eventually(t, "the second connection is closed", func() bool {
		opened, closed := w.Counts()
		return opened == 2 && closed == 1
	})
	mustSucceed(t, c)
}

func TestAnAddressThatDoesNotAnswerIsNoHindrance(t *testing.T) {
	o, addrs, _ := twoServers(t)
	l := protocoltest.Listen(t)
	_ = l.Close()
	o.ResolveEvery = time.Hour
	c := client(t, o)
	resolveTo(c, []string{l.Addr().String(), addrs[1]})
	var all []<-chan protocol.Result
	for range 10 {
		all = append(all, begin(c, protocol.Request{}))
	}
	c.Flush()
	for _, results := range all {
		if r := <-results; r.Failed() {
			t.Errorf("reason %q: %v", r.Reason, r.Err)
		}
	}
}
