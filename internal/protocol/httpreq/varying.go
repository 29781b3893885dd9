package httpreq

import "log/slog"

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
