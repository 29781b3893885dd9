package httpstd

import (
	"maps"
	"net/http"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
)

// headers adds to an entry's own header what differs between requests. Safe for
// concurrent use.
type headers struct {
	slot  bool
	trace httpmix.TraceMode
	auth  *httpmix.Credential
}

// of returns the header of one request: a new one, or base itself where requests do
// not differ. Do not modify it.
func (hs headers) of(base http.Header, r protocol.Request, now time.Time) http.Header {
	traced := hs.trace.Traced(r)
	auth := hs.auth.Get(now)
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
		values[0] = string(httpmix.AppendSlot(make([]byte, 0, 96), r))
		h[httpmix.SlotHeader] = values[0:1:1]
	}
	if traced {
		values[1] = string(httpmix.AppendTraceparent(make([]byte, 0, 55), r, hs.trace))
		h[httpmix.TraceHeader] = values[1:2:2]
	}
	return h
}
