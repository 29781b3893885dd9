package http2

import (
	"encoding/binary"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// frames deals with all whole frames in p and returns how many bytes they were. An error
// is the end of the connection.
func (c *conn) frames(p []byte) (done int, err error) {
	for {
		rest := p[done:]
		if len(rest) < headerLen {
			return done, nil
		}
		kind, flags := rest[3], rest[4]
		if !c.greeted && (kind != frameSettings || flags&flagAck != 0) {
			return done, breach(codeProtocol, "it does not begin with SETTINGS")
		}
		n := int(rest[0])<<16 | int(rest[1])<<8 | int(rest[2])
		if n > maxFrame {
			return done, breach(codeFrameSize, "a frame is too long")
		}
		if len(rest) < headerLen+n {
			return done, nil
		}
		id := binary.BigEndian.Uint32(rest[5:]) & lastStream
		if v := c.frame(kind, flags, id, rest[headerLen:headerLen+n]); v != nil {
			return done, v
		}
		done += headerLen + n
	}
}

// frame deals with one frame. A violation is one of the whole connection.
func (c *conn) frame(kind, flags byte, id uint32, p []byte) *violation {
	if c.blockID != 0 && (kind != frameContinuation || id != c.blockID) {
		return breach(codeProtocol, "a header block is interrupted")
	}
	switch kind {
	case frameData:
		return c.gotData(flags, id, p)
	case frameHeaders:
		return c.gotHeaders(flags, id, p)
	case frameContinuation:
		return c.gotContinuation(flags, id, p)
	case frameReset:
		return c.gotReset(id, p)
	case frameWindowUpdate:
		return c.gotWindow(id, p)
	case frameSettings:
		return c.gotSettings(flags, id, p)
	case framePing:
		return c.gotPing(flags, id, p)
	case frameGoAway:
		return c.gotGoAway(id, p)
	case framePush:
		return breach(codeProtocol, "PUSH_PROMISE was not allowed")
	case framePriority:
		if id == 0 {
			return breach(codeProtocol, "PRIORITY for no stream")
		}
		if len(p) != 5 {
			return breach(codeFrameSize, "PRIORITY of a wrong length")
		}
	}
	return c.useless()
}

// useless takes a frame that brings nothing.
func (c *conn) useless() *violation { return c.costs(1) }

// costs takes what is as dear as so many frames that bring nothing.
func (c *conn) costs(n int) *violation {
	if !c.patience.spend(c.now, n) {
		return breach(codeCalm, "too many frames that bring nothing")
	}
	return nil
}

// known checks that a frame's stream is one that there is or was.
func (c *conn) known(id uint32) *violation {
	if id == 0 || id%2 == 0 || id >= c.nextID {
		return breach(codeProtocol, "a frame for a stream that was never opened")
	}
	return nil
}

// tinyData is the size, in bytes, below which a DATA that does not end its stream brings
// next to nothing: a body of such costs much and says little.
const tinyData = 16

// gotData deals with DATA: a piece of a body, which is counted and dropped.
func (c *conn) gotData(flags byte, id uint32, p []byte) *violation {
	if v := c.known(id); v != nil {
		return v
	}
	taken := int64(len(p)) // Windows count the padding as well.
	p, ok := unpad(flags, p)
	if !ok {
		return breach(codeProtocol, "DATA is all padding")
	}
	if c.credit += taken; c.credit >= connWindow/2 {
		c.out = appendNumber(c.out, frameWindowUpdate, 0, uint32(c.credit))
		c.credit, c.urgent = 0, true
	}
	end := flags&flagEndStream != 0
	s := c.streams.get(id)
	if len(p) < tinyData && (!end || s == nil) {
		if v := c.useless(); v != nil {
			return v
		}
	}
	if s == nil {
		return nil // It was reset, and the server had not heard of that yet.
	}
	s.heard = true
	s.received += int64(len(p))
	s.credit += taken
	switch {
	case !s.answered:
		c.fault(s, breach(codeProtocol, "DATA before the head of an answer"))
	case len(p) > 0 && s.bodiless():
		c.fault(s, breach(codeProtocol, "DATA in an answer without a body"))
	case s.received > c.client.maxBody:
		c.reset(s, codeCancel, httpreq.ErrBodyTooLong)
	default:
		if s.call.Tap != nil {
			s.call.Tap.Body(p)
		}
		if end {
			c.complete(s)
		} else {
			c.refill(s)
		}
	}
	return nil
}

// refill gives the server its stream's window back, when half of it is used.
func (c *conn) refill(s *stream) {
	if s.credit >= streamWindow/2 {
		c.out = appendNumber(c.out, frameWindowUpdate, s.id, uint32(s.credit))
		s.credit, c.urgent = 0, true
	}
}

// gotReset deals with RST_STREAM.
func (c *conn) gotReset(id uint32, p []byte) *violation {
	if v := c.known(id); v != nil {
		return v
	}
	if len(p) != 4 {
		return breach(codeFrameSize, "RST_STREAM of a wrong length")
	}
	s := c.streams.get(id)
	if s == nil {
		return c.useless()
	}
	why := code(binary.BigEndian.Uint32(p))
	if why == codeRefused && c.mayMove(s, true) {
		s.avoid = c
		c.repeat(s)
		return nil
	}
	c.end(s, &peerError{code: why})
	return nil
}

// gotPing deals with PING: what is not an answer wants one.
func (c *conn) gotPing(flags byte, id uint32, p []byte) *violation {
	switch {
	case id != 0:
		return breach(codeProtocol, "PING for a stream")
	case len(p) != 8:
		return breach(codeFrameSize, "PING of a wrong length")
	case flags&flagAck == 0:
		c.out = appendPing(c.out, flagAck, p)
		c.urgent = true
	}
	return c.useless()
}

// gotGoAway deals with GOAWAY (RFC 9113, section 6.8): no streams are opened any more, and
// those that the server has not looked at are sent again elsewhere, unless it asks for less.
func (c *conn) gotGoAway(id uint32, p []byte) *violation {
	if id != 0 {
		return breach(codeProtocol, "GOAWAY for a stream")
	}
	if len(p) < 8 {
		return breach(codeFrameSize, "GOAWAY is too short")
	}
	last := binary.BigEndian.Uint32(p) & lastStream
	c.goAway = &peerError{code: code(binary.BigEndian.Uint32(p[4:])), goAway: true}
	c.retire()
	for s := c.streamsByDeadline.first; s != nil; {
		next := s.links[byDeadline].next
		switch {
		case s.id <= last:
		case c.goAway.code != codeCalm && c.mayMove(s, true):
			s.after = c.now
			c.repeat(s)
		default:
			c.end(s, c.goAway)
		}
		s = next
	}
	return c.useless()
}
