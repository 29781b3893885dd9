package http3_test

import (
	"net"
	"net/http/httptest"
	"testing"

	quichttp "github.com/quic-go/quic-go/http3"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/http3"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestTheClientDoesWhatAllClientsDo(t *testing.T) {
	protocoltest.Suite{New: http3.New, Flavours: []protocoltest.Flavour{flavour()}}.Run(t)
}

// flavour is HTTP/3, spoken by quic-go's server.
func flavour() protocoltest.Flavour {
	return protocoltest.Flavour{Name: "HTTP/3", Protocol: httpreq.HTTP3, Major: 3, TLS: true, Start: start, OneShot: oneShot}
}

// start serves HTTP/3.
func start(tb testing.TB, server *httptest.Server) string {
	tb.Helper()
	conn := listen(tb)
	s := &quichttp.Server{Handler: server.Config.Handler, TLSConfig: quichttp.ConfigureTLSConfig(server.TLS)}
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
