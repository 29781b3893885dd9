package httpreq

import (
	"encoding/hex"
	"strconv"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// The headers that say who we are, and which slot and trace a request belongs to. The
// second is lower case by its standard.
const (
	SlotHeader  = "Traffic-Slot"
	TraceHeader = "traceparent"
)

// AppendSlot appends the identity of the slot: <scenario>/<segment>/<seq>.
func AppendSlot(b []byte, r protocol.Request) []byte {
	b = append(b, r.Scenario...)
	b = append(b, '/')
	b = append(b, r.Segment...)
	b = append(b, '/')
	return strconv.AppendUint(b, r.Seq, 10)
}

// AppendTraceparent appends the request's place in a trace as W3C Trace Context writes
// it, version 00: 55 bytes.
func AppendTraceparent(b []byte, r protocol.Request) []byte {
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, r.Trace[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, r.Span[:])
	if r.Sampled {
		return append(b, "-01"...)
	}
	return append(b, "-00"...)
}
