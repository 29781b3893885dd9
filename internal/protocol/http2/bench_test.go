package http2

import (
	"io"
	"net"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// responder is a server that sends the same head and body for each HEADERS, at the least
// cost: one write responds to everything that came with one read.
func responder(body int) func(net.Conn) {
	head := status200 + "\x0f\x0d" + string(appendRaw(nil, strconv.Itoa(body))) + "\x0f\x10\x0atext/plain"
	answer := []byte(frame(frameHeaders, flagEndHeaders, 0, head) + frame(frameData, flagEndStream, 0, string(make([]byte, body))))
	second := headerLen + len(head)
	return func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, len(preface))); err != nil {
			return
		}
		out := []byte(frame(frameSettings, 0, 0, "\x00\x03"+number(1000)))
		in := make([]byte, 64<<10)
		have := 0
		for {
			n, err := c.Read(in[have:])
			if err != nil {
				return
			}
			have += n
			p := in[:have]
			for len(p) >= headerLen {
				size := int(p[0])<<16 | int(p[1])<<8 | int(p[2])
				if len(p) < headerLen+size {
					break
				}
				switch {
				case p[3] == frameHeaders && p[4]&flagEndStream != 0:
					from := len(out)
					out = append(out, answer...)
					copy(out[from+5:from+9], p[5:9])
					copy(out[from+second+5:from+second+9], p[5:9])
				case p[3] == frameSettings && p[4] == 0:
					out = appendAck(out)
				case p[3] == framePing && p[4] == 0:
					out = appendPing(out, flagAck, p[headerLen:headerLen+8])
				}
				p = p[headerLen+size:]
			}
			have = copy(in, p)
			if _, err := c.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
	}
}

// benchOptions are options for the responder, with all that differs between requests.
func benchOptions(tb testing.TB, body int) httpreq.Options {
	tb.Helper()
	o := h2cOptions(tb, "http://"+protocoltest.Raw(tb, responder(body)))
	o.SlotHeader, o.Traceparent = true, true
	o.MaxConns = 200
	return o
}

func BenchmarkExchange(b *testing.B) {
	for _, size := range []struct {
		name string
		body int
	}{{"200B", 200}, {"10kB", 10_000}} {
		for _, kind := range []string{"http2", "net/http"} {
			b.Run(size.name+"/"+kind, func(b *testing.B) {
				o := benchOptions(b, size.body)
				var c protocol.Client
				if kind == "http2" {
					c = client(b, o)
				} else {
					c = protocoltest.NetHTTP(b, o)
				}
				protocoltest.BenchmarkClient(b, c, make([]protocol.Call, 100))
			})
		}
	}
}

func TestAnExchangeAllocatesNothing(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	c := client(t, benchOptions(t, 200))
	calls := make([]protocol.Call, 20)
	protocoltest.Drive(t, c, calls, 1000)
	const n = 2000
	allocs := testing.AllocsPerRun(1, func() { protocoltest.Drive(t, c, calls, n) })
	// What the driving itself allocates is the same for any number of exchanges.
	if allocs > n/20 {
		t.Errorf("%v allocations for %d exchanges", allocs, n)
	}
}
