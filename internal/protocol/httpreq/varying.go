package httpreq

import (
	"log/slog"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Varying is what differs between the headers of an entry's requests. Safe for concurrent
// use.
type Varying struct {
	Slot  bool
	Trace bool
	Auth  *Credential
}

// NewVarying returns what the options ask for. Its errors are NewCredential's.
func NewVarying(o Options, logger *slog.Logger) (Varying, error) {
	auth, err := NewCredential(o, logger)
	return Varying{Slot: o.SlotHeader, Trace: o.Traceparent, Auth: auth}, err
}

// Traced reports whether a request carries its place in a trace.
func (v *Varying) Traced(r *protocol.Request) bool {
	return v.Trace && r.Trace != [16]byte{}
}
