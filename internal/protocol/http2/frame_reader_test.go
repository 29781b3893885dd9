package http2

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// greeting is the SETTINGS that a server begins with.
var greeting = frame(frameSettings, 0, 0, "")

// readFrames reads frames out of what comes in pieces of so many bytes, after a greeting,
// and returns them in short, the violation that was last included.
func readFrames(said string, piece int) (got []string) {
	r := frameReader{greeted: true}
	var f inFrame
	var buf []byte
	for len(said) > 0 {
		n := min(piece, len(said))
		buf, said = append(buf, said[:n]...), said[n:]
		for {
			n, v := r.next(buf, &f)
			if v != nil {
				return append(got, v.code.String())
			}
			if n == 0 {
				break
			}
			got = append(got, fmt.Sprintf("%d:%d/%#x %q", f.kind, f.id, f.flags, f.payload))
			buf = buf[n:]
		}
	}
	return got
}

func TestFramesAreReadWhateverPiecesTheyComeIn(t *testing.T) {
	for _, test := range []struct {
		name, said string
		want       []string
	}{
		{"DATA", frame(frameData, flagEndStream, 3, "abc"), []string{`0:3/0x1 "abc"`}},
		{"padded DATA", frame(frameData, flagPadded, 3, "\x02abc..") + frame(frameData, flagPadded, 3, "\x00"), []string{`0:3/0x8 "abc"`, `0:3/0x8 ""`}},
		{"HEADERS", frame(frameHeaders, flagEndHeaders|flagPriority|flagPadded, 1, "\x01pppppblock."), []string{`1:1/0x2c "block"`}},
		{
			"a header block in pieces",
			frame(frameHeaders, flagEndStream, 1, "b") + frame(frameContinuation, 0, 1, "lo") + frame(frameContinuation, flagEndHeaders, 1, "ck"),
			[]string{`9:1/0x1 "b"`, `9:1/0x0 "lo"`, `1:1/0x5 "block"`},
		},
		{"the reserved bit", frame(frameData, 0, 1<<31|5, ""), []string{`0:5/0x0 ""`}},
		{"an unknown type", frame(0x42, 0xff, 0, "what"), []string{`66:0/0xff "what"`}},
		{"WINDOW_UPDATE for both", frame(frameWindowUpdate, 0, 0, "1234") + frame(frameWindowUpdate, 0, 1, "1234"), []string{`8:0/0x0 "1234"`, `8:1/0x0 "1234"`}},
	} {
		for _, piece := range []int{1, 2, 7, 1000} {
			if got := readFrames(test.said, piece); !slices.Equal(got, test.want) {
				t.Errorf("%s in pieces of %d:\ngot  %q\nwant %q", test.name, piece, got, test.want)
			}
		}
	}
}

func TestFramesThatBreakTheirRules(t *testing.T) {
	stream, none := []byte{frameData, frameHeaders, framePriority, frameReset, frameContinuation}, []byte{frameSettings, framePing, frameGoAway}
	for _, kind := range stream {
		if got := readFrames(frame(kind, 0, 0, "12345"), 1000); !slices.Equal(got, []string{"PROTOCOL_ERROR"}) {
			t.Errorf("type %d on stream 0: %q", kind, got)
		}
	}
	for _, kind := range none {
		if got := readFrames(frame(kind, 0, 1, "12345678"), 1000); !slices.Equal(got, []string{"PROTOCOL_ERROR"}) {
			t.Errorf("type %d on stream 1: %q", kind, got)
		}
	}
	for _, test := range []struct {
		name, said, want string
	}{
		{"PUSH_PROMISE", frame(framePush, flagEndHeaders, 1, "1234"), "PROTOCOL_ERROR"},
		{"a PING of 7 bytes", frame(framePing, 0, 0, "1234567"), "FRAME_SIZE_ERROR"},
		{"a RST_STREAM of 3 bytes", frame(frameReset, 0, 1, "123"), "FRAME_SIZE_ERROR"},
		{"a WINDOW_UPDATE of 5 bytes", frame(frameWindowUpdate, 0, 1, "12345"), "FRAME_SIZE_ERROR"},
		{"a GOAWAY of 7 bytes", frame(frameGoAway, 0, 0, "1234567"), "FRAME_SIZE_ERROR"},
		{"half a setting", frame(frameSettings, 0, 0, "123"), "FRAME_SIZE_ERROR"},
		{"an acknowledgement with settings", frame(frameSettings, flagAck, 0, "123456"), "FRAME_SIZE_ERROR"},
		{"a PRIORITY of 4 bytes", frame(framePriority, 0, 1, "1234"), "FRAME_SIZE_ERROR"},
		{"a priority of 4 bytes", frame(frameHeaders, flagPriority|flagEndHeaders, 1, "1234"), "FRAME_SIZE_ERROR"},
		{"too much padding", frame(frameData, flagPadded, 1, "\x03ab"), "PROTOCOL_ERROR"},
		{"padding of nothing", frame(frameHeaders, flagPadded|flagEndHeaders, 1, ""), "PROTOCOL_ERROR"},
		{"a long frame, by its header alone", "\x00\x40\x01\x00\x00" + number(1), "FRAME_SIZE_ERROR"},
		{"CONTINUATION of nothing", frame(frameContinuation, flagEndHeaders, 1, ""), "PROTOCOL_ERROR"},
	} {
		if got := readFrames(test.said, 1000); len(got) != 1 || got[0] != test.want {
			t.Errorf("%s: got %q, want %s", test.name, got, test.want)
		}
	}
}

func TestHeaderBlocksAreNotInterrupted(t *testing.T) {
	begin := frame(frameHeaders, 0, 1, "x")
	for _, next := range []string{frame(framePing, 0, 0, "12345678"), frame(frameContinuation, 0, 3, "x"), frame(frameHeaders, 0, 1, "x"), frame(0x42, 0, 1, "x")} {
		if got := readFrames(begin+next, 1000); len(got) != 2 || got[1] != "PROTOCOL_ERROR" {
			t.Errorf("got %q", got)
		}
	}
	long := begin + strings.Repeat(frame(frameContinuation, 0, 1, strings.Repeat("x", maxFrame)), maxHead/maxFrame)
	if got := readFrames(long, 1<<20); got[len(got)-1] != "ENHANCE_YOUR_CALM" {
		t.Errorf("a block without end: %s", got[len(got)-1])
	}
}

func TestAServerBeginsWithSettings(t *testing.T) {
	for said, want := range map[string]bool{
		greeting: true, frame(frameSettings, 0, 0, "123456"): true, frame(frameSettings, flagAck, 0, ""): false,
		frame(framePing, 0, 0, "12345678"): false, "HTTP/1.1 400 Bad Request\r\n\r\n": false,
	} {
		var r frameReader
		var f inFrame
		if n, v := r.next([]byte(said), &f); (v == nil && n > 0) != want {
			t.Errorf("%q: %d bytes, %v", said, n, v)
		}
	}
}
