package http2

import (
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// The names of what differs between requests, as HTTP/2 spells them.
const (
	slotName  = "traffic-slot"
	traceName = httpreq.TraceHeader
	// authorizationIndex is the index of authorization in the static table.
	authorizationIndex = 23
)

// header appends the HEADERS of a job to the buffer, as stream nextID. It reports false,
// and appends nothing, if that is longer than the server takes.
func (c *conn) header(j *job) bool {
	e, client, request := j.entry, c.client, &j.call.Request
	var auth []string
	if !e.Authorized {
		auth = client.varying.Auth.Get(j.start)
	}
	if e.size+varyingSize(request, auth) > c.peer.headerList {
		return false
	}
	from := len(c.out)
	b := appendHeader(c.out, 0, frameHeaders, 0, c.nextID)
	b = c.encoder.begin(b)
	if e.once != nil {
		b = c.encoder.once(b, e.once)
	} else {
		b = c.encoder.fixed(b, e.index, e.fields)
	}
	for _, value := range auth {
		// It may change, and nobody on the way is to put it into a table.
		b = appendInt(b, formNever, bitsNoIndexing, authorizationIndex)
		b = appendRaw(b, value)
	}
	if client.varying.Slot {
		c.scratch = httpreq.AppendSlot(c.scratch[:0], *request)
		b = c.encoder.varying(b, slotName, c.scratch, &c.encoder.slot)
	}
	if client.varying.Trace.Traced(*request) {
		c.scratch = httpreq.AppendTraceparent(c.scratch[:0], *request, client.varying.Trace)
		b = c.encoder.varying(b, traceName, c.scratch, &c.encoder.trace)
	}
	c.out = b
	c.split(from, len(e.Body) == 0)
	return true
}

// varyingSize returns what the fields that differ between requests count of the server's
// limit, at most.
func varyingSize(r *protocol.Request, auth []string) int {
	const digits, parent = 20, 55
	size := len(slotName) + len(r.Scenario) + len(r.Segment) + 2 + digits + fieldOverhead
	size += len(traceName) + parent + fieldOverhead
	for _, value := range auth {
		size += len("authorization") + len(value) + fieldOverhead
	}
	return size
}

// split writes the header of the HEADERS that begins at from and whose block is the rest
// of the buffer; what is too long for one frame it moves into more.
func (c *conn) split(from int, end bool) {
	flags := byte(0)
	if end {
		flags |= flagEndStream
	}
	n := len(c.out) - from - headerLen
	if n <= c.peer.maxFrame {
		appendHeader(c.out[:from], n, frameHeaders, flags|flagEndHeaders, c.nextID)
		return
	}
	appendHeader(c.out[:from], c.peer.maxFrame, frameHeaders, flags, c.nextID)
	cut := from + headerLen + c.peer.maxFrame
	rest := append([]byte(nil), c.out[cut:]...)
	c.out = c.out[:cut]
	for len(rest) > 0 {
		n, flags := min(len(rest), c.peer.maxFrame), byte(0)
		if n == len(rest) {
			flags = flagEndHeaders
		}
		c.out = appendHeader(c.out, n, frameContinuation, flags, c.nextID)
		c.out = append(c.out, rest[:n]...)
		rest = rest[n:]
	}
}
