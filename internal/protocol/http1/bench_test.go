package http1

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// benchConns is how many connections the benchmarks keep busy.
const benchConns = 64

// benchResponse is a response of 200 bytes.
const benchResponse = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Mon, 23 Nov 2026 07:00:00 GMT\r\nContent-Length: 104\r\n\r\n"

// responder sends a response for each read, at the least cost. Each request must come in
// one piece.
func responder(c net.Conn) {
	answer := []byte(benchResponse + strings.Repeat("x", 104))
	buf := make([]byte, 4096)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// benchOptions are options for a responder, with all that differs between requests.
func benchOptions(tb testing.TB, secure bool) httpreq.Options {
	tb.Helper()
	var o httpreq.Options
	if secure {
		ca := protocoltest.NewAuthority(tb)
		config := ca.ServerConfig(tb, nil)
		o = protocoltest.Options(tb, "https://"+protocoltest.Raw(tb, func(c net.Conn) { responder(tls.Server(c, config)) }))
		o.TLS.CA = ca.PEM
	} else {
		o = protocoltest.Options(tb, "http://"+protocoltest.Raw(tb, responder))
	}
	o.Protocol, o.MaxConns = httpreq.HTTP1, benchConns
	o.SlotHeader, o.Traceparent = true, true
	return o
}

// BenchmarkExchange compares with net/http's client. The CPU time is that of the whole
// process, with its server.
func BenchmarkExchange(b *testing.B) {
	for _, flavour := range []struct {
		name   string
		secure bool
	}{{"plain", false}, {"TLS", true}} {
		for _, kind := range []string{"http1", "http1 with a late tap", "net/http"} {
			b.Run(flavour.name+"/"+kind, func(b *testing.B) {
				o := benchOptions(b, flavour.secure)
				var c protocol.Client
				if kind == "net/http" {
					c = protocoltest.NetHTTP(b, o)
				} else {
					c = client(b, o)
				}
				calls := make([]protocol.Call, benchConns)
				if kind == "http1 with a late tap" {
					for i := range calls {
						calls[i].Late = func(protocol.Reason, time.Time) protocol.Tap { return nil }
					}
				}
				protocoltest.BenchmarkClient(b, c, calls)
			})
		}
	}
}
