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
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// twoServers starts servers in the clear at two addresses, which count their requests, and
// returns options for the first one, and their port.
func twoServers(t *testing.T) (o httpreq.Options, port string, counts [2]*atomic.Int64) {
	t.Helper()
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
		counts[i] = count
	}
	return o, port, counts
}

// named returns a client that knows the server by a name, and what resolves that.
func named(t *testing.T, o httpreq.Options, port string, ips ...string) (*Client, *protocoltest.NameServer) {
	t.Helper()
	names := protocoltest.NewNameServer(t, ips...)
	o.Net.Resolver = names.Resolver()
	u, err := uri.Parse("http://target.test:" + port)
	if err != nil {
		t.Fatal(err)
	}
	o.Entries[0].URL = u
	return client(t, o), names
}

func TestConnectionsSpreadOverAddresses(t *testing.T) {
	o, port, counts := twoServers(t)
	w := new(protocoltest.ConnRecorder)
	o.Observer, o.ResolveEvery = w, time.Hour
	c, _ := named(t, o, port, "127.0.0.1", "127.0.0.2")
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
	o, port, _ := twoServers(t)
	w := new(protocoltest.ConnRecorder)
	o.Observer, o.ResolveEvery = w, short
	c, names := named(t, o, port, "127.0.0.1", "127.0.0.2")
	c.health.pingAfter = short
	mustSucceed(t, c)
	protocoltest.Eventually(t, "both addresses have a connection", func() bool { opened, _ := w.Counts(); return opened == 2 })
	names.Set("127.0.0.1")
	protocoltest.Eventually(t, "the second connection is closed", func() bool {
		opened, closed := w.Counts()
		return opened == 2 && closed == 1
	})
	mustSucceed(t, c)
}

func TestASilentAddressIsNoHindrance(t *testing.T) {
	o, port, _ := twoServers(t)
	w := new(protocoltest.ConnRecorder)
	o.Observer, o.ResolveEvery = w, time.Hour
	// Nothing listens at the first.
	c, _ := named(t, o, port, "127.0.0.9", "127.0.0.2")
	for range 3 {
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
	// Nor does it cost connections to the other one.
	c.Close()
	if opened, _ := w.Counts(); opened != 1 {
		t.Errorf("%d connections", opened)
	}
}

func TestWaitingForASilentResolverIsAFailureOfDNS(t *testing.T) {
	o, port, _ := twoServers(t)
	o.Timeout = short
	c, names := named(t, o, port)
	names.Silence()
	wantReason(t, c, protocol.ReasonDNS)
}
