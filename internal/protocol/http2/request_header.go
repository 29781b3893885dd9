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

// headerEncoder writes the HEADERS of requests on one connection. Make it with
// newHeaderEncoder.
type headerEncoder struct {
	encoder encoder
	varying httpreq.Varying
	scratch []byte
}

func newHeaderEncoder(fields []field, entries int, v httpreq.Varying) headerEncoder {
	return headerEncoder{encoder: newEncoder(fields, entries), varying: v}
}

// append appends the HEADERS of a job on a stream (RFC 9113, section 8.3.1). It reports
// false, and appends nothing, if that is longer than the server takes.
func (h *headerEncoder) append(b []byte, j *job, id uint32, most int) ([]byte, bool) {
	e, request := j.entry, &j.call.Request
	var auth []string
	if !e.Authorized {
		auth = h.varying.Auth.Get(j.start)
	}
	if e.size+varyingSize(request, auth) > most {
		return b, false
	}
	from := len(b)
	b = appendHeader(b, 0, frameHeaders, 0, id)
	b = h.encoder.begin(b)
	if e.once != nil {
		b = h.encoder.once(b, e.once)
	} else {
		b = h.encoder.fixed(b, e.index, e.fields)
	}
	if h.varying.Slot {
		h.scratch = httpreq.AppendSlot(h.scratch[:0], *request)
		b = h.encoder.varying(b, slotName, h.scratch, &h.encoder.slot)
	}
	if h.varying.Traced(request) {
		h.scratch = httpreq.AppendTraceparent(h.scratch[:0], *request)
		b = h.encoder.varying(b, traceName, h.scratch, &h.encoder.trace)
	}
	for _, value := range auth {
		// It may change, and nobody on the way is to put it into a table.
		b = appendInt(b, formNever, bitsNoIndexing, authorizationIndex)
		b = appendRaw(b, value)
	}
	if j.upload.Len() == 0 && e.Streams {
		// gRPC wants the end in a DATA, even if that is empty (PROTOCOL-HTTP2.md, Requests).
		return appendHeader(splitHeader(b, from, id, false), 0, frameData, flagEndStream, id), true
	}
	return splitHeader(b, from, id, j.upload.Len() == 0), true
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

// splitHeader writes the frame header of the HEADERS that begins at from and whose block is
// the rest of b. It moves the excess over one frame into CONTINUATION (RFC 9113, section
// 6.10).
func splitHeader(b []byte, from int, id uint32, end bool) []byte {
	flags := byte(0)
	if end {
		flags |= flagEndStream
	}
	n := len(b) - from - headerLen
	if n <= maxFrame {
		appendHeader(b[:from], n, frameHeaders, flags|flagEndHeaders, id)
		return b
	}
	appendHeader(b[:from], maxFrame, frameHeaders, flags, id)
	cut := from + headerLen + maxFrame
	rest := append([]byte(nil), b[cut:]...)
	b = b[:cut]
	for len(rest) > 0 {
		n, flags := min(len(rest), maxFrame), byte(0)
		if n == len(rest) {
			flags = flagEndHeaders
		}
		b = appendHeader(b, n, frameContinuation, flags, id)
		b = append(b, rest[:n]...)
		rest = rest[n:]
	}
	return b
}
