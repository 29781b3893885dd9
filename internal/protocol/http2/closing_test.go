package http2

import (
	"errors"
	"io"
	"testing"
	"time"
)

func TestWhatEndsAConnectionFailsItsStreams(t *testing.T) {
	ours, broken := errors.New("ours"), errors.New("broken")
	calm := breach(codeCalm, "too much")
	friendly, angry := &peerError{code: codeNone, goAway: true}, &peerError{code: codeInternal, goAway: true}
	for _, test := range []struct {
		name    string
		closing closing
		err     error
		want    error
		goodbye bool
		code    code
	}{
		{"the connection breaks", closing{}, broken, broken, false, codeNone},
		{"it is not needed any more", closing{}, errDone, errDone, true, codeNone},
		{"the server breaks the protocol", closing{}, calm, calm, true, codeCalm},
		{"we end it", closing{cause: ours}, broken, ours, false, codeNone},
		{"the server breaks the protocol while we end it", closing{cause: ours}, calm, ours, false, codeNone},
		{"the server ends after a GOAWAY", closing{goAway: friendly}, io.EOF, friendly, false, codeNone},
		{"it breaks after a GOAWAY", closing{goAway: friendly}, broken, broken, false, codeNone},
		{"it breaks after a GOAWAY with an error", closing{goAway: angry}, broken, angry, false, codeNone},
		{"it is not needed any more after a GOAWAY", closing{goAway: friendly}, errDone, errDone, true, codeNone},
	} {
		goodbye, with, why := test.closing.reason(test.err)
		if !errors.Is(why, test.want) || goodbye != test.goodbye || with != test.code {
			t.Errorf("%s: %v, goodbye %t with %s", test.name, why, goodbye, with)
		}
	}
}

func TestAConnectionRetiresInTime(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	e := closing{retireAt: at}
	if e.due(at.Add(-1)) || !e.due(at) || !e.next().Equal(at) {
		t.Error("it is not due in time")
	}
	e.retired = true
	if !e.next().IsZero() {
		t.Error("it is to retire twice")
	}
	if forever := (closing{}); forever.due(at) || !forever.next().IsZero() {
		t.Error("a connection without an age retires")
	}
}
