package grpc_test

import (
	"bytes"
	"io"
	"net"
	"runtime/debug"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// frame returns a frame of stream 0.
func frame(kind http2.FrameType, flags http2.Flags, payload string) string {
	n := len(payload)
	return string([]byte{byte(n >> 16), byte(n >> 8), byte(n), byte(kind), byte(flags), 0, 0, 0, 0}) + payload
}

// field returns a field that is written out.
func field(name, value string) string {
	return "\x00" + string(rune(len(name))) + name + string(rune(len(value))) + value
}

// responder is a server that responds to each call with the same message.
func responder(c net.Conn) {
	respondAlike(c, "\x88"+field("content-type", "application/grpc"), field("grpc-status", "0")+field("grpc-message", ""))
}

// nginxResponder is a responder with the header of nginx, which puts no field into a table and sends all as
// Huffman code.
func nginxResponder(c net.Conn) {
	respondAlike(c, literals(
		":status", "200", "server", "nginx/1.22.1", "date", "Sat, 28 Nov 2026 18:52:07 GMT", "content-type", "application/grpc",
		"content-length", "9", "last-modified", "Sat, 28 Nov 2026 18:50:11 GMT", "etag", `"692a0b53-9"`, "accept-ranges", "bytes",
	), literals("grpc-status", "0"))
}

// literals returns fields, name and value in turn. None of them goes into a table.
func literals(fields ...string) string {
	var out bytes.Buffer
	e := hpack.NewEncoder(&out)
	e.SetMaxDynamicTableSize(0)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return out.String()
}

// respondAlike responds to each call with the same head, message and trailers, at the least cost: all that
// comes with one read it responds to with one write.
func respondAlike(c net.Conn, head, trailers string) {
	parts := []string{
		frame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, head),
		frame(http2.FrameData, 0, message(0, hello)),
		frame(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream, trailers),
	}
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	out := []byte(frame(http2.FrameSettings, 0, "\x00\x03\x00\x00\x03\xe8"))
	in := make([]byte, 64<<10)
	have, unreturned := 0, 0
	for {
		n, err := c.Read(in[have:])
		if err != nil {
			return
		}
		have += n
		p := in[:have]
		for len(p) >= 9 {
			size := int(p[0])<<16 | int(p[1])<<8 | int(p[2])
			if len(p) < 9+size {
				break
			}
			switch kind, flags := http2.FrameType(p[3]), http2.Flags(p[4]); {
			case kind == http2.FrameData && flags.Has(http2.FlagDataEndStream):
				unreturned += size
				for _, part := range parts {
					from := len(out)
					out = append(out, part...)
					copy(out[from+5:from+9], p[5:9])
				}
			case kind == http2.FrameSettings && flags == 0:
				out = append(out, frame(http2.FrameSettings, http2.FlagSettingsAck, "")...)
			case kind == http2.FramePing && flags == 0:
				out = append(out, frame(http2.FramePing, http2.FlagPingAck, string(p[9:17]))...)
			}
			p = p[9+size:]
		}
		have = copy(in, p)
		if unreturned > 32<<10 {
			out = append(out, frame(http2.FrameWindowUpdate, 0, string([]byte{0, 0, byte(unreturned >> 8), byte(unreturned)}))...)
			unreturned = 0
		}
		if _, err := c.Write(out); err != nil {
			return
		}
		out = out[:0]
	}
}

// benchClient returns a client of a server, with all that differs between calls.
func benchClient(tb testing.TB, server func(net.Conn)) *grpc.Client {
	tb.Helper()
	o := protocoltest.Options(tb, "http://"+protocoltest.Raw(tb, server))
	o.SlotHeader, o.Traceparent = true, true
	return open(tb, optionsOf(o, "Unary", `{"text": "hi"}`))
}

func BenchmarkCall(b *testing.B) {
	for name, server := range map[string]func(net.Conn){"grpc": responder, "nginx": nginxResponder} {
		b.Run(name, func(b *testing.B) {
			protocoltest.BenchmarkClient(b, benchClient(b, server), make([]protocol.Call, 100))
		})
	}
}

// witnessed returns calls that somebody may look at when they have ended, but does not.
func witnessed(n int) []protocol.Call {
	calls := make([]protocol.Call, n)
	for i := range calls {
		calls[i].Late = func(protocol.Reason, time.Time) protocol.Tap { return nil }
	}
	return calls
}

func BenchmarkWitnessedCall(b *testing.B) {
	protocoltest.BenchmarkClient(b, benchClient(b, responder), witnessed(100))
}

func TestACallOfAFixedMessageAllocatesNothing(t *testing.T) {
	t.Run("with nobody looking", func(t *testing.T) { allocatesNothing(t, responder, make([]protocol.Call, 20)) })
	t.Run("with somebody who may look", func(t *testing.T) { allocatesNothing(t, responder, witnessed(20)) })
	t.Run("with a server that puts no field into a table", func(t *testing.T) { allocatesNothing(t, nginxResponder, witnessed(20)) })
}

func allocatesNothing(t *testing.T, server func(net.Conn), calls []protocol.Call) {
	t.Helper()
	if underRace {
		t.Skip("the race detector allocates")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	c := benchClient(t, server)
	protocoltest.Drive(t, c, calls, 1000)
	const n = 2000
	allocs := testing.AllocsPerRun(1, func() { protocoltest.Drive(t, c, calls, n) })
	// What the driving itself allocates is the same for any number of calls.
	if allocs > n/20 {
		t.Errorf("%v allocations for %d calls", allocs, n)
	}
}
