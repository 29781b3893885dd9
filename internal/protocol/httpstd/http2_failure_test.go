package httpstd

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// Types and flags of HTTP/2 frames, as far as the servers below speak them.
const (
	frameData     = 0x0
	frameHeaders  = 0x1
	frameReset    = 0x3
	frameSettings = 0x4
	frameGoAway   = 0x7
	flagEnd       = 0x4 // END_HEADERS
	// status200 is ":status: 200" in HPACK's static table.
	status200 = "\x88"
)

// frame returns a frame of HTTP/2.
func frame(kind, flags byte, stream uint32, payload string) string {
	b := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	b = binary.BigEndian.AppendUint32(b, stream)
	return string(b) + payload
}

// number returns a number of four bytes.
func number(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }

// h2 returns a server that speaks HTTP/2 by hand: its settings, then the frames as
// soon as the first request's HEADERS came. Then it says no more, with a close or
// without, and waits for the client to go.
func h2(frames string, closes bool) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
			return
		}
		_, _ = io.WriteString(c, frame(frameSettings, 0, 0, ""))
		head := make([]byte, 9)
		for head[3] = 0xff; head[3] != frameHeaders; {
			if _, err := io.ReadFull(c, head); err != nil {
				return
			}
			size := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
			if _, err := io.CopyN(io.Discard, c, size); err != nil {
				return
			}
		}
		_, _ = io.WriteString(c, frames)
		if half, can := c.(interface{ CloseWrite() error }); can && closes {
			_ = half.CloseWrite() // In order: closing with bytes unread would be a reset.
		}
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	}
}

func TestFailuresOfHTTP2OnTheWire(t *testing.T) {
	reset := func(code uint32) string { return frame(frameReset, 0, 1, number(code)) }
	goAway := func(last, code uint32) string { return frame(frameGoAway, 0, 0, number(last)+number(code)) }
	head := frame(frameHeaders, flagEnd, 1, status200)
	const (
		noError, protocolError, internalError, flowControl, streamClosed, frameSize = 0, 1, 2, 3, 5, 6
		canceled, compression, calm                                                 = 8, 9, 11
	)
	for _, test := range []struct {
		name   string
		frames string
		closes bool
		want   protocol.Reason
		code   string
	}{
		{"closes without an answer", "", true, protocol.ReasonReset, ""},
		{"closes in the body", head + frame(frameData, 0, 1, "half"), true, protocol.ReasonReset, "200"},
		{"closes in a frame", head[:9], true, protocol.ReasonReset, ""},
		{"says nothing", "", false, protocol.ReasonTimeout, ""},
		{"stalls in the body", head + frame(frameData, 0, 1, "half"), false, protocol.ReasonTimeout, "200"},
		{"resets the stream as an internal error", reset(internalError), false, protocol.ReasonReset, ""},
		{"resets the stream as canceled", reset(canceled), false, protocol.ReasonReset, ""},
		{"resets the stream and wants calm", reset(calm), false, protocol.ReasonReset, ""},
		{"resets the stream in the body", head + frame(frameData, 0, 1, "half") + reset(canceled), false, protocol.ReasonReset, "200"},
		{"resets the stream for flow control", reset(flowControl), false, protocol.ReasonProtocol, ""},
		{"resets the stream as closed", reset(streamClosed), false, protocol.ReasonProtocol, ""},
		{"resets the stream for a frame's size", reset(frameSize), false, protocol.ReasonProtocol, ""},
		{"resets the stream for compression", reset(compression), false, protocol.ReasonProtocol, ""},
		{"says goodbye with an error", goAway(0, internalError), false, protocol.ReasonReset, ""},
		{"says goodbye with an error and closes", goAway(1, calm), true, protocol.ReasonReset, ""},
		{"says goodbye in order, but closes", goAway(1, noError), true, protocol.ReasonReset, ""},
		{"says goodbye in the body and closes", head + goAway(1, noError), true, protocol.ReasonReset, "200"},
		{"speaks something else", "HTTP/1.1 400 Bad Request\r\n\r\n", false, protocol.ReasonProtocol, ""},
		{"speaks something else and closes", "HTTP/1.1 400 Bad Request\r\n\r\n", true, protocol.ReasonProtocol, ""},
		{"sends a head without a status", frame(frameHeaders, flagEnd, 1, ""), false, protocol.ReasonProtocol, ""},
		{"sends a head that is not HPACK", frame(frameHeaders, flagEnd, 1, "\xff\xff\xff\xff\xff\xff\xff\xff"), false, protocol.ReasonProtocol, ""},
		{"sends data before the head", frame(frameData, 0, 1, "x"), false, protocol.ReasonProtocol, ""},
		{"resets stream 0", frame(frameReset, 0, 0, number(protocolError)), false, protocol.ReasonProtocol, ""},
	} {
		t.Run("the server "+test.name, func(t *testing.T) {
			for _, secure := range []bool{false, true} {
				o := h2Options(t, secure, h2(test.frames, test.closes))
				r := patiently(t, o, test.want, test.code)
				if r.Reason != test.want || r.Code != test.code {
					t.Errorf("TLS %t: code %q, reason %q, want %q, %q: %v", secure, r.Code, r.Reason, test.code, test.want, r.Err)
				}
			}
		})
	}
}

// h2Options returns options for a server that speaks HTTP/2 by hand, with TLS or
// without. With TLS it closes in order, so that only TLS sees the end.
func h2Options(t *testing.T, secure bool, serve func(net.Conn)) httpmix.Options {
	t.Helper()
	if !secure {
		o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, serve))
		o.Protocol = httpmix.H2C
		return o
	}
	ca := protocoltest.NewAuthority(t)
	config := ca.ServerConfig(t, nil)
	config.NextProtos = []string{"h2"}
	o := protocoltest.Options(t, "https://"+protocoltest.Raw(t, func(c net.Conn) {
		over := tls.Server(c, config)
		serve(over)
		_ = over.Close()
	}))
	o.TLS.CA = ca.PEM
	return o
}

func TestAnHTTP1ServerToAnHTTP2Client(t *testing.T) {
	addr := protocoltest.Raw(t, protocoltest.Answer("HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Length: 0\r\n\r\n"))
	o := protocoltest.Options(t, "http://"+addr)
	o.Protocol = httpmix.H2C
	wantReason(t, client(t, o), protocol.ReasonProtocol)
}

func TestADeadHTTP2ConnectionIsNoticed(t *testing.T) {
	w := new(protocoltest.Wire)
	o := h2Options(t, false, h2("", false))
	o.Wire = w
	c := client(t, o)
	c.transport.HTTP2.SendPingTimeout, c.transport.HTTP2.PingTimeout = short, short
	c.tooQuiet = short
	wantReason(t, c, protocol.ReasonReset)
	protocoltest.Eventually(t, "the dead connection is closed", func() bool {
		_, closed := w.Counts()
		return closed == 1
	})
}
