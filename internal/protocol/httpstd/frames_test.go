package httpstd

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestFramesSeeAGoAwayHoweverTheBytesAreCut(t *testing.T) {
	// What looks like a GOAWAY inside of a payload is none.
	before := frame(frameSettings, 0, 0, "") + frame(frameData, 0, 1, strings.Repeat("\x07", 1000))
	stream := before + frame(frameGoAway, 0, 0, number(1)+number(0)) + frame(frameData, 0, 1, "x")
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var f frames
		for at := 0; at < len(stream); {
			n := min(1+rng.IntN(40), len(stream)-at)
			at += n
			seen := f.follow([]byte(stream[at-n : at]))
			header := len(before) + 9
			if want := at-n < header && header <= at; seen != want {
				t.Fatalf("bytes %d to %d: seen %t", at-n, at, seen)
			}
		}
	}
}

func FuzzFramesNeverStop(f *testing.F) {
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), 3)
	f.Add([]byte(frame(frameGoAway, 0, 0, "12345678")), 1)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		var whole, parts frames
		cut = min(max(cut, 0), len(stream))
		first, second := parts.follow(stream[:cut]), parts.follow(stream[cut:])
		if whole.follow(stream) != (first || second) || whole != parts {
			t.Errorf("cut at %d makes a difference", cut)
		}
	})
}
