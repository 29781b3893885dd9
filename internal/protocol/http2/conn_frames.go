package http2

import (
	"encoding/binary"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// handleAll handles all whole frames in p and returns how many bytes they were. An error
// is the end of the connection.
func (c *conn) handleAll(p []byte) (used int, err error) {
	var f inFrame
	for {
		n, v := c.frames.next(p[used:], &f)
		if v != nil {
			return used, v
		}
		if n == 0 {
			return used, nil
		}
		if v := c.handle(&f); v != nil {
			return used, v
		}
		used += n
	}
}

// handle handles one frame. A violation is one of the whole connection.
func (c *conn) handle(f *inFrame) *violation {
	switch f.kind {
	case frameData, frameHeaders, frameContinuation, frameReset:
		if !c.streams.known(f.id) {
			return breach(codeProtocol, "a frame for a stream that was never opened")
		}
	}
	switch f.kind {
	case frameData:
		return c.handleData(f)
	case frameHeaders:
		return c.handleHeaders(f)
	case frameReset:
		return c.handleReset(f)
	case frameSettings:
		return c.handleSettings(f)
	case framePing:
		if !f.has(flagAck) {
			c.out.ping(flagAck, f.payload)
		}
	case frameGoAway:
		return c.handleGoAway(f)
	case frameWindowUpdate:
		return c.handleWindowUpdate(f)
	case frameContinuation:
		if len(f.payload) >= smallData {
			return nil
		}
	}
	// Any other frame brings nothing: unknown types are ignored (RFC 9113, section 5.5).
	return c.charge(1)
}

// charge takes what costs as much as so many frames that bring nothing.
func (c *conn) charge(n int) *violation {
	if !c.allowance.spend(c.now, n) {
		return breach(codeCalm, "too many frames that bring nothing")
	}
	return nil
}

// handleData handles DATA (RFC 9113, section 6.1): a piece of a body, which is counted and
// dropped. Windows count padding as well.
func (c *conn) handleData(f *inFrame) *violation {
	c.out.update(0, c.unreturned.receive(f.length, connWindow))
	s, p, end := c.streams.get(f.id), f.payload, f.has(flagEndStream)
	if s == nil {
		// It was reset, and the server did not know that yet.
		if len(p) < smallData {
			return c.charge(1)
		}
		return nil
	}
	if len(p) < smallData && !end {
		if v := c.smallData(s, len(p)); v != nil {
			return v
		}
	}
	s.touched = true
	s.received += int64(len(p))
	switch {
	case !s.responded:
		c.refuseStream(s, breach(codeProtocol, "DATA before the head of a response"))
	case len(p) > 0 && s.bodiless():
		c.refuseStream(s, breach(codeProtocol, "DATA in a response without a body"))
	case s.received > c.client.maxBody:
		c.resetStream(s, codeCancel, httpreq.ErrBodyTooLong)
	default:
		if s.call.Tap != nil {
			s.call.Tap.Body(p)
		}
		if end {
			c.complete(s)
		} else {
			c.out.update(s.id, s.unreturned.receive(f.length, streamWindow))
		}
	}
	return nil
}

// smallData takes a DATA that brings next to nothing. A body of such costs much and says
// little.
func (c *conn) smallData(s *stream, n int) *violation {
	if s.small++; s.small > maxSmallData {
		return breach(codeCalm, "a body is in too many small pieces")
	}
	if n == 0 {
		return c.charge(1)
	}
	return nil
}

// handleReset handles RST_STREAM (RFC 9113, section 6.4).
func (c *conn) handleReset(f *inFrame) *violation {
	s := c.streams.get(f.id)
	if s == nil {
		return c.charge(1)
	}
	why := code(binary.BigEndian.Uint32(f.payload))
	// REFUSED_STREAM says that it was not looked at (RFC 9113, section 8.7).
	if why != codeRefused || !mayRepeat(s, true, protocol.Retry) {
		c.endStream(s, &peerError{code: why})
		return nil
	}
	if c.peer.maxStreams > 0 {
		s.avoid = c // Unless it waits for the server to allow streams again.
	}
	c.repeat(s)
	return nil
}

// handleGoAway handles GOAWAY (RFC 9113, section 6.8): no streams are opened any more, and
// those that the server has not looked at are sent again elsewhere, unless it asks for less.
func (c *conn) handleGoAway(f *inFrame) *violation {
	last := binary.BigEndian.Uint32(f.payload) & lastStream
	c.closing.goAway = &peerError{code: code(binary.BigEndian.Uint32(f.payload[4:])), goAway: true}
	c.retire()
	refused, as := c.streams.above(last), protocol.Retry
	if len(refused) > 0 && last > 0 && c.closing.goAway.code == codeNone {
		as = protocol.TransparentRetry
		c.outcomes.quota = upTo(last)
		c.origin.quota.learn(c.outcomes.quota)
	}
	for _, s := range refused {
		if c.closing.goAway.code != codeCalm && mayRepeat(s, true, as) {
			s.anew = true
			c.repeat(s)
		} else {
			c.endStream(s, c.closing.goAway)
		}
	}
	return c.charge(1)
}

// handleSettings handles SETTINGS (RFC 9113, section 6.5).
func (c *conn) handleSettings(f *inFrame) *violation {
	if f.has(flagAck) {
		return c.charge(1)
	}
	if f.length > maxSettings*settingLen {
		return breach(codeCalm, "too many settings")
	}
	if v := c.peer.read(f.payload); v != nil {
		return v
	}
	c.headers.encoder.resize(c.peer.lowestTable)
	c.headers.encoder.resize(c.peer.tableSize)
	cost := settingsCost
	if by := c.flow.setInitial(c.peer.initialWindow); by != 0 {
		if !c.streams.move(by) {
			return breach(codeFlowControl, "SETTINGS_INITIAL_WINDOW_SIZE overflows a window")
		}
		cost += c.streams.count() / streamsPerUseless
	}
	c.out.ack()
	c.origin.learned.Store(int32(c.peer.maxStreams))
	c.updateRoom()
	return c.charge(cost)
}

// handleWindowUpdate handles WINDOW_UPDATE (RFC 9113, section 6.9).
func (c *conn) handleWindowUpdate(f *inFrame) *violation {
	by := int64(binary.BigEndian.Uint32(f.payload) & maxWindow)
	if f.id == 0 {
		switch {
		case by == 0:
			return breach(codeProtocol, "WINDOW_UPDATE by nothing")
		case !widen(&c.flow.window, by):
			return breach(codeFlowControl, "WINDOW_UPDATE overflows the connection's window")
		case c.streams.sending.first != nil:
			c.out.urgent = true
		}
		return c.charge(1)
	}
	if !c.streams.known(f.id) {
		return breach(codeProtocol, "WINDOW_UPDATE for a stream that was never opened")
	}
	if s := c.streams.get(f.id); s != nil {
		switch {
		case by == 0:
			c.refuseStream(s, breach(codeProtocol, "WINDOW_UPDATE by nothing"))
		case !widen(&s.window, by):
			c.refuseStream(s, breach(codeFlowControl, "WINDOW_UPDATE overflows a stream's window"))
		case s.body.Len() > 0:
			c.out.urgent = true
		}
	}
	return c.charge(1)
}
