package http2

import (
	"net/http"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// handleHeaders handles a whole header block (RFC 9113, section 8.1): a head, of an interim
// response or of the real one, or trailers. It has to be decoded even if nobody wants it,
// since later blocks build on it (RFC 9113, section 4.3).
func (c *conn) handleHeaders(f *inFrame) *violation {
	s, end := c.streams.get(f.id), f.has(flagEndStream)
	c.head.reset(newHeadTap(s))
	if s != nil && s.call.Late != nil {
		c.head.late, c.head.conn = s, c
	}
	if !c.hpack.decode(f.payload, &c.head) {
		return breach(codeCompression, "a header block cannot be decoded")
	}
	switch h := &c.head; {
	case h.fields > maxFields:
		return breach(codeCalm, "a header has too many fields")
	case s == nil:
		// It was reset, and the server did not know that yet.
		return c.charge(1 + len(f.payload)/bytesPerUseless)
	case h.size > maxHead:
		c.refuseStream(s, breach(codeCalm, "a header is too long"))
	case h.malformed:
		c.refuseStream(s, breach(codeProtocol, "a header is malformed"))
	case s.responded:
		c.handleTrailers(s, end)
	case h.status == 0:
		c.refuseStream(s, breach(codeProtocol, "a response without a status"))
	case !httpreq.ValidStatus(h.status):
		c.resetStream(s, codeProtocol, errBadStatus)
	case h.status == http.StatusSwitchingProtocols:
		c.refuseStream(s, breach(codeProtocol, "101 Switching Protocols")) // RFC 9113, section 8.6.
	case h.status < http.StatusOK:
		return c.handleInterim(s, len(f.payload), end)
	default:
		c.handleHead(s, end)
	}
	return nil
}

// handleInterim handles the head of an interim response.
func (c *conn) handleInterim(s *stream, size int, end bool) *violation {
	s.touched = true
	if s.interim++; end || s.interim > httpreq.MaxInterim {
		v := breach(codeProtocol, "an interim response is the last")
		if !end {
			v = breach(codeCalm, "too many interim responses")
		}
		c.refuseStream(s, v)
	} else {
		c.head.tap.end(c.head.status)
	}
	return c.charge(1 + size/bytesPerUseless)
}

// handleHead handles the head of a response.
func (c *conn) handleHead(s *stream, end bool) {
	s.touched, s.responded, s.status, s.length = true, true, c.head.status, c.head.length
	c.head.tap.end(s.status)
	if end {
		c.complete(s)
	}
}

// handleTrailers handles the trailers of a response, which are its end.
func (c *conn) handleTrailers(s *stream, end bool) {
	switch {
	case !end:
		c.refuseStream(s, breach(codeProtocol, "trailers are not the end"))
	case c.head.status != 0:
		c.refuseStream(s, breach(codeProtocol, "trailers have a status"))
	default:
		c.head.tap.end(0)
		c.complete(s)
	}
}

// bodiless reports whether the response has no body, whatever its head says of a length (RFC
// 9110, section 6.4.1).
func (s *stream) bodiless() bool {
	return s.entry.noBody || s.status == http.StatusNoContent || s.status == http.StatusNotModified
}

// complete ends a stream whose response is complete.
func (c *conn) complete(s *stream) {
	if !c.responded {
		c.responded = true
		c.origin.pause.responded()
	}
	c.allowance.add(allowedPerResponse)
	switch {
	case s.length >= 0 && s.length != s.received && !s.bodiless():
		// RFC 9113, section 8.1.1.
		c.refuseStream(s, breach(codeProtocol, "a body is not as long as its head says"))
	case s.body.Len() > 0:
		// The server does not want the rest (RFC 9113, section 8.1).
		c.resetStream(s, codeCancel, nil)
	default:
		c.endStream(s, nil)
	}
}
