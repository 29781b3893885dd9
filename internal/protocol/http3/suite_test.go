package http3_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	quichttp "github.com/quic-go/quic-go/http3"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/http3"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestTheClientDoesWhatAllClientsDo(t *testing.T) {
	protocoltest.Suite{New: newSynced, Flavours: []protocoltest.Flavour{flavour()}}.Run(t)
}

// order orders the work of handlers behind the work before calls, and before the work after them. The
// race detector knows by itself that TCP orders them, but nothing of the packets of UDP.
var order sync.Mutex

// pass passes through what orders.
func pass() {
	order.Lock()
	defer order.Unlock()
}

// synced is a client whose calls are ordered with their handlers, as the race detector sees it.
type synced struct{ protocol.Client }

// newSynced returns one.
func newSynced(o httpreq.Options) (protocol.Client, error) {
	c, err := http3.New(o)
	return synced{c}, err
}

// Start implements protocol.Client.
func (s synced) Start(c *protocol.Call) {
	done := c.Done
	c.Done = func() {
		c.Done = done
		pass()
		done()
	}
	pass()
	s.Client.Start(c)
}

// flavour is HTTP/3, spoken by quic-go's server.
func flavour() protocoltest.Flavour {
	return protocoltest.Flavour{Name: "HTTP/3", Protocol: httpreq.HTTP3, Major: 3, TLS: true, Start: start, OneShot: oneShot}
}

// start serves HTTP/3.
func start(tb testing.TB, server *httptest.Server) string {
	tb.Helper()
	conn := listen(tb)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pass()
		server.Config.Handler.ServeHTTP(w, r)
		pass()
	})
	s := &quichttp.Server{Handler: handler, TLSConfig: quichttp.ConfigureTLSConfig(server.TLS)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(conn)
	}()
	tb.Cleanup(func() {
		_ = s.Close()
		<-done
		_ = conn.Close()
	})
	return conn.LocalAddr().String()
}

// listen returns a socket on loopback that is closed with the test.
func listen(tb testing.TB) *net.UDPConn {
	tb.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return conn
}
