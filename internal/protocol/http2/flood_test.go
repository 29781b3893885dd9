package http2

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lib "golang.org/x/net/http2"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// flood is what a server sends without end, after something that it sends once.
type flood struct {
	name, once, again string
}

// floods are ways to keep a client busy that do not lead to a response.
func floods() []flood {
	head := frame(frameHeaders, flagEndHeaders, 1, status200)
	settings := func(n int) string {
		return frame(frameSettings, 0, 0, strings.Repeat("\x00\x04"+number(firstWindow), n))
	}
	return []flood{
		{"PING", "", frame(framePing, 0, 0, "12345678")},
		{"PING that nobody asked for", "", frame(framePing, flagAck, 0, "12345678")},
		{"SETTINGS", "", frame(frameSettings, 0, 0, "")},
		{"SETTINGS with as many settings as there may be", "", settings(maxSettings)},
		{"SETTINGS with more", "", settings(maxSettings + 1)},
		{"SETTINGS that fill their frames", "", settings(maxFrame / settingLen)},
		{"WINDOW_UPDATE", "", frame(frameWindowUpdate, 0, 0, number(1))},
		{"WINDOW_UPDATE of a stream", "", frame(frameWindowUpdate, 0, 1, number(1))},
		{"PRIORITY", "", frame(framePriority, 0, 1, "12345")},
		{"unknown frames", "", frame(0x42, 0, 0, "")},
		{"GOAWAY", "", frame(frameGoAway, 0, 0, number(1)+number(0))},
		{"empty DATA", head, frame(frameData, 0, 1, "")},
		{"DATA of one byte", head, frame(frameData, 0, 1, "x")},
		{"DATA of one byte and padding", head, frame(frameData, flagPadded, 1, "\xffx"+strings.Repeat("p", 255))},
		{"empty CONTINUATION", frame(frameHeaders, 0, 1, ""), frame(frameContinuation, 0, 1, "")},
		{"CONTINUATION of one byte", frame(frameHeaders, 0, 1, ""), frame(frameContinuation, 0, 1, "x")},
		{"CONTINUATION", frame(frameHeaders, 0, 1, ""), frame(frameContinuation, 0, 1, strings.Repeat("x", 16000))},
		{"a header of many fields", "", frame(frameHeaders, flagEndHeaders, 1, strings.Repeat("\x90", maxFrame))},
		{"a header of many fields in pieces", frame(frameHeaders, 0, 1, ""), strings.Repeat(frame(frameContinuation, 0, 1, strings.Repeat("\x90", maxFrame)), 2) + frame(frameContinuation, flagEndHeaders, 1, "")},
	}
}

// send sends the flood until the client is gone.
func (f flood) send(s *server) {
	var err error
	if f.once != "" {
		_, err = s.net.Write([]byte(f.once))
	}
	for again := []byte(strings.Repeat(f.again, 1+20_000/len(f.again))); err == nil; {
		_, err = s.net.Write(again)
	}
}

func TestAServerThatFloodsIsGivenUp(t *testing.T) {
	for _, f := range floods() {
		t.Run(f.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				over := make(chan lib.ErrCode, 1)
				o := piped(t, func(s *server) {
					if s.conn > 1 {
						return // Bytes not yet written may move on.
					}
					s.request()
					go f.send(s)
					if f, ok := s.next(lib.FrameGoAway); ok {
						over <- f.(*lib.GoAwayFrame).ErrCode
					}
					close(over)
				})
				o.Timeout = time.Hour
				wantReason(t, client(t, o), protocol.ReasonProtocol)
				// The goodbye may be lost with the connection.
				if code, ok := <-over; ok && code != lib.ErrCodeEnhanceYourCalm {
					t.Errorf("the client said %v", code)
				}
			})
		})
	}
}

func TestInterimResponsesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := piped(t, func(s *server) {
			for n := httpreq.MaxInterim; ; n++ {
				id := s.request()
				if id == 0 {
					return
				}
				for range n {
					_ = s.WriteHeaders(lib.HeadersFrameParam{StreamID: id, BlockFragment: []byte("\x08\x03103"), EndHeaders: true})
				}
				s.respond(id)
			}
		})
		w := new(protocoltest.ConnRecorder)
		o.Observer = w
		c := client(t, o)
		mustSucceed(t, c)
		wantReason(t, c, protocol.ReasonProtocol)
		checkOne(t, w)
	})
}

// TestOrdinaryServersAreNotTakenForFloods has servers do what real ones do, at rates that are
// as high as any.
func TestOrdinaryServersAreNotTakenForFloods(t *testing.T) {
	head := frame(frameHeaders, flagEndHeaders, 1, status200)
	for _, test := range []struct {
		name string
		// response is sent for each request, with the stream's id filled in.
		response  string
		exchanges int
	}{
		{"a stream of small events", head + strings.Repeat(frame(frameData, 0, 1, "data: x\n\n"), maxSmallData), 3},
		{"a PING and two WINDOW_UPDATE with each response", frame(framePing, 0, 0, "12345678") + frame(frameWindowUpdate, 0, 0, number(1)) + frame(frameWindowUpdate, 0, 1, number(1)) + head, 2_000},
		{"responses in small pieces", head + strings.Repeat(frame(frameData, 0, 1, "piece"), 5), 2_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := scripted(t, func(s *server) {
				for id := s.request(); id != 0; id = s.request() {
					_, _ = s.net.Write([]byte(strings.ReplaceAll(test.response, "\x00\x00\x00\x01", number(id))))
					_ = s.WriteData(id, true, nil)
				}
			})
			w := new(protocoltest.ConnRecorder)
			o.Observer = w
			c := client(t, o)
			for range test.exchanges {
				mustSucceed(t, c)
			}
			checkOne(t, w)
		})
	}
}

// BenchmarkHostileResponse is what an exchange costs with a server that floods: until it is
// given up, or to the end of a response that is within all bounds.
func BenchmarkHostileResponse(b *testing.B) {
	head := frame(frameHeaders, flagEndHeaders, 1, status200)
	end := frame(frameData, flagEndStream, 1, "")
	within := []flood{
		{"as many small DATA as there may be", head + strings.Repeat(frame(frameData, 0, 1, "x"), maxSmallData) + end, ""},
		{"a body of 1 MB", head + strings.Repeat(frame(frameData, 0, 1, strings.Repeat("x", 16000)), 62) + end, ""},
		{"a body of 1 MB in DATA that are just not small", head + strings.Repeat(frame(frameData, 0, 1, strings.Repeat("x", smallData)), 3900) + end, ""},
		{"a header of as many fields as there may be", frame(frameHeaders, flagEndHeaders|flagEndStream, 1, status200+strings.Repeat("\x90", maxFields-1)), ""},
	}
	for _, f := range append(within, floods()...) {
		b.Run(f.name, func(b *testing.B) {
			flooding := make(chan struct{}, 1)
			o := scripted(b, func(s *server) {
				if f.again == "" {
					for id := s.request(); id != 0; id = s.request() {
						_, _ = s.net.Write([]byte(strings.ReplaceAll(f.once, "\x00\x00\x00\x01", number(id))))
					}
					return
				}
				s.request()
				go func() { f.send(s); flooding <- struct{}{} }()
				_, _ = s.next(lib.FrameGoAway)
				_ = s.net.Close()
				<-flooding
			})
			c := client(b, o)
			before := protocoltest.CPU(b)
			for b.Loop() {
				do(b, c)
				c.entries[0].origin.pause.responded() // No pause.
			}
			b.ReportMetric(float64(protocoltest.CPU(b)-before)/float64(time.Microsecond)/float64(b.N), "cpu-µs/op")
		})
	}
}
