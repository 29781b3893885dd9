package http2

import (
	"net/http"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// gotHeaders deals with HEADERS: a head or trailers, or their beginning.
func (c *conn) gotHeaders(flags byte, id uint32, p []byte) *violation {
	if v := c.known(id); v != nil {
		return v
	}
	p, ok := unpad(flags, p)
	if !ok {
		return breach(codeProtocol, "HEADERS are all padding")
	}
	if flags&flagPriority != 0 {
		if len(p) < 5 {
			return breach(codeFrameSize, "HEADERS are too short for their priority")
		}
		p = p[5:]
	}
	end := flags&flagEndStream != 0
	if flags&flagEndHeaders != 0 {
		return c.gotBlock(id, p, end)
	}
	c.blockID, c.blockEnd = id, end
	c.block = append(c.block[:0], p...)
	return nil
}

// gotContinuation deals with CONTINUATION: more of a header block.
func (c *conn) gotContinuation(flags byte, id uint32, p []byte) *violation {
	if c.blockID == 0 {
		return breach(codeProtocol, "CONTINUATION of nothing")
	}
	if len(p) == 0 {
		if v := c.useless(); v != nil {
			return v
		}
	}
	if len(c.block)+len(p) > maxHead {
		return breach(codeCalm, "a header block is too long")
	}
	c.block = append(c.block, p...)
	if flags&flagEndHeaders == 0 {
		return nil
	}
	block := c.block
	if c.blockID, c.block = 0, nil; cap(block) <= maxScratch {
		c.block = block
	}
	return c.gotBlock(id, block, c.blockEnd)
}

// gotBlock deals with a whole header block. It has to be decoded even if nobody wants
// it, since later blocks build on it.
func (c *conn) gotBlock(id uint32, p []byte, end bool) *violation {
	s := c.streams.get(id)
	c.head.reset(newHeadTap(s))
	if !c.decoder.decode(p, &c.head) {
		return breach(codeCompression, "a header block cannot be decoded")
	}
	if s == nil {
		return c.useless() // It was reset, and the server had not heard of that yet.
	}
	s.heard = true
	switch h := &c.head; {
	case h.size > maxHead:
		c.fault(s, breach(codeCalm, "a header is too long"))
	case h.foul:
		c.fault(s, breach(codeProtocol, "a header is malformed"))
	case s.answered:
		c.gotTrailers(s, end)
	case h.status == 0:
		c.fault(s, breach(codeProtocol, "an answer without a status"))
	case !httpreq.ValidStatus(h.status):
		c.reset(s, codeProtocol, errBadStatus)
	case h.status == http.StatusSwitchingProtocols:
		c.fault(s, breach(codeProtocol, "it switches protocols"))
	case h.status < http.StatusOK:
		return c.gotInterim(s, end)
	default:
		c.gotHead(s, end)
	}
	return nil
}

// gotInterim deals with a head that is not yet the answer's.
func (c *conn) gotInterim(s *stream, end bool) *violation {
	switch s.interim++; {
	case end:
		c.fault(s, breach(codeProtocol, "an interim answer is the last"))
	case s.interim > httpreq.MaxInterim:
		c.fault(s, breach(codeCalm, "too many interim answers"))
	default:
		c.head.tap.end(c.head.status)
	}
	return c.useless()
}

// gotHead deals with the head of an answer.
func (c *conn) gotHead(s *stream, end bool) {
	s.answered, s.status, s.length = true, c.head.status, c.head.length
	c.head.tap.end(s.status)
	if end {
		c.complete(s)
	}
}

// gotTrailers deals with the trailers of an answer, which are its end.
func (c *conn) gotTrailers(s *stream, end bool) {
	switch {
	case !end:
		c.fault(s, breach(codeProtocol, "trailers are not the end"))
	case c.head.status != 0:
		c.fault(s, breach(codeProtocol, "trailers have a status"))
	default:
		c.head.tap.end(0)
		c.complete(s)
	}
}

// bodiless reports whether the answer has no body, whatever its head says of a length.
func (s *stream) bodiless() bool {
	return s.entry.noBody || s.status == http.StatusNoContent || s.status == http.StatusNotModified
}

// complete ends a stream whose answer is complete.
func (c *conn) complete(s *stream) {
	if !c.used {
		c.used = true
		c.origin.pause.responded()
	}
	c.patience.earn(earnAnswer)
	if s.length >= 0 && s.length != s.received && !s.bodiless() {
		c.fault(s, breach(codeProtocol, "a body is not as long as its head says"))
		return
	}
	if len(s.body) > 0 {
		// The server does not want the rest.
		c.reset(s, codeCancel, nil)
		return
	}
	c.end(s, nil)
}
