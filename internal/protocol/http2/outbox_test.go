package http2

import (
	"testing"
	"time"
)

func TestHeadsAreSentWhenTheyAreTaken(t *testing.T) {
	var o outbox
	begin := time.Unix(1_700_000_000, 0)
	at := func(seconds int) func() time.Time {
		return func() time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	}
	first, withdrawn, repeated := new(stream), new(stream), &stream{job: job{sent: begin}}
	for _, s := range []*stream{first, withdrawn, repeated} {
		o.buf = append(o.buf, "head "...)
		o.head(s)
	}
	o.withdraw(withdrawn)
	if p := o.drain(at(1)); string(p) != "head head head " {
		t.Errorf("took %q", p)
	}
	if !first.written || !first.sent.Equal(at(1)()) {
		t.Errorf("written %t, sent %s", first.written, first.sent)
	}
	if withdrawn.written || !withdrawn.sent.IsZero() {
		t.Error("a stream that was withdrawn counts as sent")
	}
	if !repeated.written || !repeated.sent.Equal(begin) {
		t.Errorf("a request that is repeated was sent %s", repeated.sent)
	}
	o.withdraw(first) // It is not there any more, which is no harm.
	if p := o.drain(at(2)); len(p) != 0 || !first.sent.Equal(at(1)()) {
		t.Errorf("took %q", p)
	}
}

func TestBuffersTakeTurns(t *testing.T) {
	var o outbox
	now := func() time.Time { return time.Time{} }
	allocs := testing.AllocsPerRun(100, func() {
		o.ping(flagAck, []byte("12345678"))
		p := o.drain(now)
		o.ping(0, []byte("12345678"))
		o.recycle(p)
		o.recycle(o.drain(now))
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	o.buf = make([]byte, keepOut+1)
	o.recycle(o.drain(now))
	if cap(o.spare) > keepOut {
		t.Errorf("a buffer of %d bytes is kept", cap(o.spare))
	}
}

func TestControlFramesDoNotWait(t *testing.T) {
	for name, add := range map[string]func(o *outbox){
		"acknowledgement": func(o *outbox) { o.ack() },
		"PING":            func(o *outbox) { o.ping(0, make([]byte, pingLen)) },
		"RST_STREAM":      func(o *outbox) { o.reset(1, codeCancel) },
		"WINDOW_UPDATE":   func(o *outbox) { o.update(0, 1) },
	} {
		var o outbox
		if add(&o); !o.urgent || len(o.buf) == 0 {
			t.Errorf("%s: urgent %t, %d bytes", name, o.urgent, len(o.buf))
		}
	}
	var o outbox
	if o.update(1, 0); o.urgent || len(o.buf) != 0 {
		t.Error("a WINDOW_UPDATE by nothing is sent")
	}
}
