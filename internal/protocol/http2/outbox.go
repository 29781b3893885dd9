package http2

import (
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

const (
	// writeAt is how many bytes are written at once, without waiting for Flush.
	writeAt = 64 << 10
	// maxQueue is how many bytes may wait for a server that does not read, until no
	// streams are opened any more.
	maxQueue = 1 << 20
	// keepOut is the largest buffer that is kept for the next write.
	keepOut = 256 << 10
)

// outbox holds the bytes to write on a connection, in their order. The zero outbox is
// empty.
type outbox struct {
	// buf holds the bytes to write; spare takes turns with it.
	buf, spare []byte
	// heads are the streams whose heads are in buf.
	heads []*stream
	// urgent says that the bytes in buf must not wait for Flush.
	urgent bool
}

// greet adds what a client says first (RFC 9113, section 3.4), with windows that are so large
// that a server does not have to wait.
func (o *outbox) greet() {
	o.buf = append(o.buf, preface...)
	o.buf = appendSettings(o.buf, setting{settingPush, 0}, setting{settingInitialWindow, streamWindow}, setting{settingMaxHeaderBytes, maxHead})
	o.buf = appendNumber(o.buf, frameWindowUpdate, 0, connWindow-firstWindow)
}

// head adds a stream whose head has been appended to buf.
func (o *outbox) head(s *stream) { o.heads = append(o.heads, s) }

// ack acknowledges SETTINGS.
func (o *outbox) ack() { o.buf, o.urgent = appendAck(o.buf), true }

// ping adds a PING, or the response to one.
func (o *outbox) ping(flags byte, data []byte) {
	o.buf, o.urgent = appendPing(o.buf, flags, data), true
}

// reset adds a RST_STREAM.
func (o *outbox) reset(id uint32, why code) {
	o.buf, o.urgent = appendNumber(o.buf, frameReset, id, uint32(why)), true
}

// update adds a WINDOW_UPDATE, unless it is by nothing.
func (o *outbox) update(id, by uint32) {
	if by > 0 {
		o.buf, o.urgent = appendNumber(o.buf, frameWindowUpdate, id, by), true
	}
}

// goAway adds a GOAWAY.
func (o *outbox) goAway(why code) { o.buf = appendGoAway(o.buf, why) }

// data adds a DATA with the next n bytes of a body.
func (o *outbox) data(id uint32, body *httpreq.Upload, n int) {
	flags := byte(0)
	if int64(n) == body.Len() {
		flags = flagEndStream
	}
	o.buf = body.Append(appendHeader(o.buf, n, frameData, flags, id), n)
}

// full reports whether there is enough for a write.
func (o *outbox) full() bool { return len(o.buf) >= writeAt }

// drain takes all out, to be written now. Streams whose heads are in it count as sent now.
func (o *outbox) drain(now func() time.Time) []byte {
	p := o.buf
	o.buf, o.spare = o.spare[:0], nil
	if len(o.heads) == 0 {
		return p
	}
	at := now()
	for _, s := range o.heads {
		s.written = true
		if s.sent.IsZero() {
			s.sent = at
		}
	}
	clear(o.heads)
	o.heads = o.heads[:0]
	return p
}

// recycle takes back a buffer once it has been written.
func (o *outbox) recycle(p []byte) {
	if cap(p) <= keepOut {
		o.spare = p[:0]
	}
}

// withdraw forgets a stream whose head has not been taken. The head itself stays: what comes
// after it is coded on top of it.
func (o *outbox) withdraw(s *stream) {
	for i, other := range o.heads {
		if other == s {
			last := len(o.heads) - 1
			o.heads[i], o.heads[last] = o.heads[last], nil
			o.heads = o.heads[:last]
			return
		}
	}
}
