package httpreq

import (
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Varying is what differs between the headers of an entry's requests. Safe for concurrent
// use.
type Varying struct {
	Slot  bool
	Trace TraceMode
	Auth  *Credential
}

// NewVarying returns what the options ask for. Its errors are NewCredential's.
func NewVarying(o Options, logger *slog.Logger) (Varying, error) {
	auth, err := NewCredential(o, logger)
	return Varying{Slot: o.SlotHeader, Trace: o.Traceparent, Auth: auth}, err
}

// Header returns the header of one request of an entry with the header base: a new one, or
// base itself where requests do not differ. Do not modify it. An Authorization of the
// entry's own stays.
func (v Varying) Header(base http.Header, r protocol.Request, now time.Time) http.Header {
	traced := v.Trace.Traced(r)
	auth := v.Auth.Get(now)
	if !v.Slot && !traced && auth == nil {
		return base
	}
	h := make(http.Header, len(base)+3)
	if auth != nil {
		h["Authorization"] = auth
	}
	maps.Copy(h, base)
	values := make([]string, 2)
	if v.Slot {
		values[0] = string(AppendSlot(make([]byte, 0, 96), r))
		h[SlotHeader] = values[0:1:1]
	}
	if traced {
		values[1] = string(AppendTraceparent(make([]byte, 0, 55), r, v.Trace))
		h[TraceHeader] = values[1:2:2]
	}
	return h
}
