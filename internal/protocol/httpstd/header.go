package httpstd

import (
	"encoding/hex"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// The headers that tell who we are. The second is lower case by its standard.
const (
	slotHeader  = "Traffic-Slot"
	traceHeader = "traceparent"
)

// headers adds to an entry's own header what differs between requests. Safe for
// concurrent use.
type headers struct {
	slot  bool
	trace TraceMode
	auth  *credential
}

// baseHeader returns the part of an entry's header that is the same for all
// requests.
func baseHeader(e Entry, userAgent string) http.Header {
	h := e.Header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	h.Del("Host")
	if h.Values("User-Agent") == nil {
		h["User-Agent"] = []string{userAgent}
	}
	return h
}

// of returns the header of one request: a new one, or base itself where requests do
// not differ. Do not modify it.
func (hs headers) of(base http.Header, r protocol.Request, now time.Time) http.Header {
	traced := hs.trace != TraceNone && r.Trace != [16]byte{}
	auth := hs.auth.get(now)
	if !hs.slot && !traced && auth == nil {
		return base
	}
	h := make(http.Header, len(base)+3)
	if auth != nil {
		h["Authorization"] = auth
	}
	maps.Copy(h, base)
	values := make([]string, 2)
	if hs.slot {
		values[0] = slotText(r)
		h[slotHeader] = values[0:1:1]
	}
	if traced {
		values[1] = traceparent(r, hs.trace)
		h[traceHeader] = values[1:2:2]
	}
	return h
}

// slotText returns the identity of the slot: <scenario>/<segment>/<seq>.
func slotText(r protocol.Request) string {
	b := make([]byte, 0, 96)
	b = append(b, r.Scenario...)
	b = append(b, '/')
	b = append(b, r.Segment...)
	b = append(b, '/')
	b = strconv.AppendUint(b, r.Seq, 10)
	return string(b)
}

// traceparent returns the request's place in a trace as W3C Trace Context writes it,
// version 00.
func traceparent(r protocol.Request, mode TraceMode) string {
	b := make([]byte, 0, 55)
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, r.Trace[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, r.Span[:])
	if mode == TraceSampled {
		return string(append(b, "-01"...))
	}
	return string(append(b, "-00"...))
}
