package http2

import (
	"errors"
	"testing"
	"time"
)

func TestASilentServerIsPingedAndThenGivenUp(t *testing.T) {
	h := health{pingAfter: 10 * time.Second, pingTimeout: 5 * time.Second, idle: time.Hour}
	begin := time.Unix(1_700_000_000, 0)
	l := newLiveness(begin)
	at := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	step := func(seconds int, wantPing bool, wantErr error, wantNext int) {
		t.Helper()
		if ping, err := l.check(h, at(seconds), 1); ping != wantPing || !errors.Is(err, wantErr) {
			t.Errorf("after %d s: PING %t, error %v", seconds, ping, err)
		}
		if next := l.next(h, 1); !next.Equal(at(wantNext)) {
			t.Errorf("after %d s it is checked again after %s", seconds, next.Sub(begin))
		}
	}
	step(9, false, nil, 10)
	step(10, true, nil, 15)
	step(14, false, nil, 15)
	if !l.receive(at(14)) {
		t.Error("nobody waited for the PING's response")
	}
	step(15, false, nil, 24)
	if l.receive(at(20)) {
		t.Error("there was no PING to wait for")
	}
	step(30, true, nil, 35)
	step(35, false, errSilent, 35)
}

func TestAConnectionWithoutStreamsEnds(t *testing.T) {
	h := defaultHealth()
	begin := time.Unix(1_700_000_000, 0)
	l := newLiveness(begin)
	l.receive(begin.Add(h.idle - time.Second))
	if next := l.next(h, 0); !next.Equal(begin.Add(h.idle)) {
		t.Errorf("it is checked after %s", next.Sub(begin))
	}
	if _, err := l.check(h, begin.Add(h.idle), 1); err != nil {
		t.Errorf("with a stream it ends for %v", err)
	}
	if _, err := l.check(h, begin.Add(h.idle), 0); !errors.Is(err, errDone) {
		t.Errorf("without streams it ends for %v", err)
	}
}
