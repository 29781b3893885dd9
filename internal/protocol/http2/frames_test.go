package http2

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// status200 is ":status: 200" in HPACK's static table.
const status200 = "\x88"

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
	reset := func(why code) string { return frame(frameReset, 0, 1, number(uint32(why))) }
	goAway := func(last uint32, why code) string { return frame(frameGoAway, 0, 0, number(last)+number(uint32(why))) }
	head := frame(frameHeaders, flagEndHeaders, 1, status200)
	for _, test := range []struct {
		name   string
		frames string
		closes bool
		want   protocol.Reason
		code   string
	}{
		{"closes without a response", "", true, protocol.ReasonReset, ""},
		{"closes in the body", head + frame(frameData, 0, 1, "half"), true, protocol.ReasonReset, "200"},
		{"closes in a frame", head[:9], true, protocol.ReasonReset, ""},
		{"says nothing", "", false, protocol.ReasonTimeout, ""},
		{"stalls in the body", head + frame(frameData, 0, 1, "half"), false, protocol.ReasonTimeout, "200"},
		{"resets the stream as an internal error", reset(codeInternal), false, protocol.ReasonReset, ""},
		{"resets the stream as canceled", reset(codeCancel), false, protocol.ReasonReset, ""},
		{"resets the stream and wants calm", reset(codeCalm), false, protocol.ReasonReset, ""},
		{"resets the stream in the body", head + frame(frameData, 0, 1, "half") + reset(codeCancel), false, protocol.ReasonReset, "200"},
		{"resets the stream for flow control", reset(codeFlowControl), false, protocol.ReasonProtocol, ""},
		{"resets the stream as closed", reset(codeStreamClosed), false, protocol.ReasonProtocol, ""},
		{"resets the stream for a frame's size", reset(codeFrameSize), false, protocol.ReasonProtocol, ""},
		{"resets the stream for compression", reset(codeCompression), false, protocol.ReasonProtocol, ""},
		{"says goodbye with an error", goAway(0, codeInternal), false, protocol.ReasonReset, ""},
		{"says goodbye with an error and closes", goAway(1, codeCalm), true, protocol.ReasonReset, ""},
		{"says goodbye in order, but closes", goAway(1, codeNone), true, protocol.ReasonReset, ""},
		{"says goodbye in the body and closes", head + goAway(1, codeNone), true, protocol.ReasonReset, "200"},
		{"speaks something else", "HTTP/1.1 400 Bad Request\r\n\r\n", false, protocol.ReasonProtocol, ""},
		{"speaks something else and closes", "HTTP/1.1 400 Bad Request\r\n\r\n", true, protocol.ReasonProtocol, ""},
		{"sends a head without a status", frame(frameHeaders, flagEndHeaders, 1, ""), false, protocol.ReasonProtocol, ""},
		{"sends a head that is not HPACK", frame(frameHeaders, flagEndHeaders, 1, "\xff\xff\xff\xff\xff\xff\xff\xff"), false, protocol.ReasonProtocol, ""},
		{"sends data before the head", frame(frameData, 0, 1, "x"), false, protocol.ReasonProtocol, ""},
		{"resets stream 0", frame(frameReset, 0, 0, number(uint32(codeProtocol))), false, protocol.ReasonProtocol, ""},
		{"goes on for the other stream", frame(frameHeaders, flagEndHeaders|flagEndStream, 3, status200), false, protocol.ReasonProtocol, ""},
		{"answers a stream of its own", frame(frameHeaders, flagEndHeaders|flagEndStream, 2, status200), false, protocol.ReasonProtocol, ""},
		{"answers stream 0", frame(frameHeaders, flagEndHeaders|flagEndStream, 0, status200), false, protocol.ReasonProtocol, ""},
		{"sends data on stream 0", frame(frameData, 0, 0, "x"), false, protocol.ReasonProtocol, ""},
		{"pushes", frame(framePush, flagEndHeaders, 1, number(2)+status200), false, protocol.ReasonProtocol, ""},
		{"wants to push", frame(frameSettings, 0, 0, "\x00\x02"+number(1)), false, protocol.ReasonProtocol, ""},
		{"sends half a setting", frame(frameSettings, 0, 0, "\x00\x02"), false, protocol.ReasonProtocol, ""},
		{"sends settings for a stream", frame(frameSettings, 0, 1, ""), false, protocol.ReasonProtocol, ""},
		{"acknowledges settings with more", frame(frameSettings, flagAck, 0, "\x00\x02"+number(0)), false, protocol.ReasonProtocol, ""},
		{"sets too large a window", frame(frameSettings, 0, 0, "\x00\x04"+number(1<<31)), false, protocol.ReasonProtocol, ""},
		{"sets too small a frame", frame(frameSettings, 0, 0, "\x00\x05"+number(1)), false, protocol.ReasonProtocol, ""},
		{"sends a short PING", frame(framePing, 0, 0, "1234567"), false, protocol.ReasonProtocol, ""},
		{"sends a PING for a stream", frame(framePing, 0, 1, "12345678"), false, protocol.ReasonProtocol, ""},
		{"sends a short GOAWAY", frame(frameGoAway, 0, 0, "1234567"), false, protocol.ReasonProtocol, ""},
		{"sends a GOAWAY for a stream", frame(frameGoAway, 0, 1, "12345678"), false, protocol.ReasonProtocol, ""},
		{"sends a short RST_STREAM", frame(frameReset, 0, 1, "123"), false, protocol.ReasonProtocol, ""},
		{"sends a short WINDOW_UPDATE", frame(frameWindowUpdate, 0, 1, "123"), false, protocol.ReasonProtocol, ""},
		{"sends a short PRIORITY", frame(framePriority, 0, 1, "123"), false, protocol.ReasonProtocol, ""},
		{"sends a PRIORITY for nothing", frame(framePriority, 0, 0, "12345"), false, protocol.ReasonProtocol, ""},
		{"continues nothing", frame(frameContinuation, flagEndHeaders, 1, status200), false, protocol.ReasonProtocol, ""},
		{"continues something else", frame(frameHeaders, 0, 1, status200) + frame(frameContinuation, flagEndHeaders, 3, ""), false, protocol.ReasonProtocol, ""},
		{"interrupts a header", frame(frameHeaders, 0, 1, status200) + frame(framePing, 0, 0, "12345678"), false, protocol.ReasonProtocol, ""},
		{"sends a frame that is too long", "\x00\x40\x01\x00\x00" + number(1), false, protocol.ReasonProtocol, ""},
		{"pads DATA with more than there is", head + frame(frameData, flagPadded, 1, "\x05ab"), false, protocol.ReasonProtocol, "200"},
		{"pads HEADERS with more than there is", frame(frameHeaders, flagPadded|flagEndHeaders, 1, "\x05ab"), false, protocol.ReasonProtocol, ""},
		{"sends a priority that is too short", frame(frameHeaders, flagPriority|flagEndHeaders, 1, "\x00ab"), false, protocol.ReasonProtocol, ""},
		{"updates a window by nothing", frame(frameWindowUpdate, 0, 1, number(0)), false, protocol.ReasonProtocol, ""},
		{"updates the window by nothing", frame(frameWindowUpdate, 0, 0, number(0)), false, protocol.ReasonProtocol, ""},
		{"overflows a window", frame(frameWindowUpdate, 0, 1, number(maxWindow)), false, protocol.ReasonProtocol, ""},
		{"overflows the window", frame(frameWindowUpdate, 0, 0, number(maxWindow)), false, protocol.ReasonProtocol, ""},
		{"overflows a window by settings", frame(frameWindowUpdate, 0, 1, number(maxWindow-firstWindow)) + frame(frameSettings, 0, 0, "\x00\x04"+number(maxWindow)), false, protocol.ReasonProtocol, ""},
		{"has two statuses", frame(frameHeaders, flagEndHeaders, 1, status200+status200), false, protocol.ReasonProtocol, ""},
		{"has a status last", frame(frameHeaders, flagEndHeaders, 1, "\x00\x01a\x01b"+status200), false, protocol.ReasonProtocol, ""},
		{"has a path", frame(frameHeaders, flagEndHeaders, 1, status200+"\x84"), false, protocol.ReasonProtocol, ""},
		{"has a name in upper case", frame(frameHeaders, flagEndHeaders, 1, status200+"\x00\x01A\x01b"), false, protocol.ReasonProtocol, ""},
		{"has a line break in a value", frame(frameHeaders, flagEndHeaders, 1, status200+"\x00\x01a\x01\n"), false, protocol.ReasonProtocol, ""},
		{"speaks of the connection", frame(frameHeaders, flagEndHeaders, 1, status200+"\x00\x0aconnection\x05close"), false, protocol.ReasonProtocol, ""},
		{"has status 099", frame(frameHeaders, flagEndHeaders|flagEndStream, 1, "\x08\x03099"), false, protocol.ReasonProtocol, ""},
		{"has status 999", frame(frameHeaders, flagEndHeaders|flagEndStream, 1, "\x08\x03999"), false, protocol.ReasonStatus, "999"},
		{"has status 20", frame(frameHeaders, flagEndHeaders|flagEndStream, 1, "\x08\x0220"), false, protocol.ReasonProtocol, ""},
		{"has status 599", frame(frameHeaders, flagEndHeaders|flagEndStream, 1, "\x08\x03599"), false, protocol.ReasonStatus, "599"},
		{"switches protocols", frame(frameHeaders, flagEndHeaders, 1, "\x08\x03101"), false, protocol.ReasonProtocol, ""},
		{"ends with an interim answer", frame(frameHeaders, flagEndHeaders|flagEndStream, 1, "\x08\x03103"), false, protocol.ReasonProtocol, ""},
		{"has an interim answer", frame(frameHeaders, flagEndHeaders, 1, "\x08\x03103") + head + frame(frameData, flagEndStream, 1, ""), false, protocol.ReasonNone, "200"},
		{"has trailers", head + frame(frameHeaders, flagEndHeaders|flagEndStream, 1, "\x00\x01a\x01b"), false, protocol.ReasonNone, "200"},
		{"has trailers before the end", head + frame(frameHeaders, flagEndHeaders, 1, "\x00\x01a\x01b"), false, protocol.ReasonProtocol, "200"},
		{"has a status in trailers", head + frame(frameHeaders, flagEndHeaders|flagEndStream, 1, status200), false, protocol.ReasonProtocol, "200"},
		{"has two lengths", frame(frameHeaders, flagEndHeaders, 1, status200+"\x0f\x0d\x011\x0f\x0d\x012"), false, protocol.ReasonProtocol, ""},
		{"has a length that is none", frame(frameHeaders, flagEndHeaders, 1, status200+"\x0f\x0d\x01x"), false, protocol.ReasonProtocol, ""},
		{"sends less than the length", frame(frameHeaders, flagEndHeaders, 1, status200+"\x0f\x0d\x013") + frame(frameData, flagEndStream, 1, "ab"), false, protocol.ReasonProtocol, "200"},
		{"sends more than the length", frame(frameHeaders, flagEndHeaders, 1, status200+"\x0f\x0d\x011") + frame(frameData, flagEndStream, 1, "ab"), false, protocol.ReasonProtocol, "200"},
		{"sends the length", frame(frameHeaders, flagEndHeaders, 1, status200+"\x0f\x0d\x012") + frame(frameData, flagEndStream, 1, "ab"), false, protocol.ReasonNone, "200"},
		{"sends a body with no content", frame(frameHeaders, flagEndHeaders, 1, "\x89") + frame(frameData, flagEndStream, 1, "ab"), false, protocol.ReasonProtocol, "204"},
		{"pads", frame(frameHeaders, flagEndHeaders|flagPadded|flagPriority, 1, "\x02\x00\x00\x00\x00\x00"+status200+"..") + frame(frameData, flagEndStream|flagPadded, 1, "\x03x..."), false, protocol.ReasonNone, "200"},
		{"continues a header", frame(frameHeaders, flagEndStream, 1, "") + frame(frameContinuation, 0, 1, status200) + frame(frameContinuation, flagEndHeaders, 1, "\x00\x01a\x01b"), false, protocol.ReasonNone, "200"},
		{"uses types that are unknown", frame(0x42, 0xff, 1, "what") + head + frame(frameData, flagEndStream, 1, ""), false, protocol.ReasonNone, "200"},
		{"answers and says that no more is needed", head + frame(frameData, flagEndStream, 1, "") + reset(codeNone), false, protocol.ReasonNone, "200"},
		{"says that no more is needed before it answers", head + reset(codeNone), false, protocol.ReasonReset, "200"},
		{"reset a stream twice", reset(codeCancel) + reset(codeCancel), false, protocol.ReasonReset, ""},
		{"refuses twice", reset(codeRefused), false, protocol.ReasonReset, ""},
	} {
		t.Run("the server "+test.name, func(t *testing.T) {
			for _, secure := range []bool{false, true} {
				o := byHand(t, secure, h2(test.frames, test.closes))
				r := patiently(t, o, test.want, test.code)
				if r.Reason != test.want || r.Code != test.code {
					t.Errorf("TLS %t: code %q, reason %q, want %q, %q: %v", secure, r.Code, r.Reason, test.code, test.want, r.Err)
				}
			}
		})
	}
}

// byHand returns options for a server that speaks HTTP/2 by hand, with TLS or
// without. With TLS it closes gracefully, so that only TLS sees the end.
func byHand(t *testing.T, secure bool, serve func(net.Conn)) httpreq.Options {
	t.Helper()
	if !secure {
		o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, serve))
		o.Protocol = httpreq.H2C
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
	addr := protocoltest.Raw(t, protocoltest.Respond("HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Length: 0\r\n\r\n"))
	o := protocoltest.Options(t, "http://"+addr)
	o.Protocol = httpreq.H2C
	wantReason(t, client(t, o), protocol.ReasonProtocol)
}

func TestADeadConnectionIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(protocoltest.ConnRecorder)
		o := piped(t, func(*server) {})
		o.Observer, o.Timeout = w, time.Hour
		c := client(t, o)
		r := wantReason(t, c, protocol.ReasonReset)
		if took := r.Service(); took != c.health.pingAfter+c.health.pingTimeout {
			t.Errorf("it was noticed after %s", took)
		}
		synctest.Wait()
		if _, closed := w.Counts(); closed != 1 {
			t.Errorf("%d closed", closed)
		}
	})
}
