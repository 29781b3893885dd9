package http2

import (
	"strings"
	"testing"

	lib "golang.org/x/net/http2"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

func TestAServerThatFloodsIsGivenUp(t *testing.T) {
	for _, test := range []struct {
		name  string
		frame string
		once  string
	}{
		{"PING", frame(framePing, 0, 0, "12345678"), ""},
		{"PING that nobody asked for", frame(framePing, flagAck, 0, "12345678"), ""},
		{"SETTINGS", frame(frameSettings, 0, 0, ""), ""},
		{"WINDOW_UPDATE", frame(frameWindowUpdate, 0, 0, number(1)), ""},
		{"PRIORITY", frame(framePriority, 0, 1, "12345"), ""},
		{"unknown frames", frame(0x42, 0, 0, ""), ""},
		{"GOAWAY", frame(frameGoAway, 0, 0, number(1)+number(0)), ""},
		{"interim answers", frame(frameHeaders, flagEndHeaders, 1, "\x08\x03103"), ""},
		{"empty DATA", frame(frameData, 0, 1, ""), frame(frameHeaders, flagEndHeaders, 1, status200)},
		{"empty CONTINUATION", frame(frameContinuation, 0, 1, ""), frame(frameHeaders, 0, 1, "")},
		{"CONTINUATION", frame(frameContinuation, 0, 1, strings.Repeat("x", 16000)), frame(frameHeaders, 0, 1, "")},
	} {
		t.Run(test.name, func(t *testing.T) {
			over := make(chan lib.ErrCode, 1)
			o := scripted(t, func(s *server) {
				s.request()
				go func() {
					flood := test.once + strings.Repeat(test.frame, 1+20_000/len(test.frame))
					for {
						if _, err := s.net.Write([]byte(flood)); err != nil {
							return
						}
						flood = flood[len(test.once):]
						test.once = ""
					}
				}()
				f, _ := s.next(lib.FrameGoAway)
				if f, ok := f.(*lib.GoAwayFrame); ok {
					over <- f.ErrCode
				}
				close(over)
			})
			wantReason(t, client(t, o), protocol.ReasonProtocol)
			// The goodbye may be lost with the connection.
			if code, ok := <-over; ok && code != lib.ErrCodeEnhanceYourCalm {
				t.Errorf("the client said %v", code)
			}
		})
	}
}
