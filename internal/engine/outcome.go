package engine

import (
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Outcome is what became of a slot that was sent.
type Outcome struct {
	// Entry is the index of the request in the scenario's mix.
	Entry int
	// Delay is the time from the slot's due time, rounded as PacingAuto does, to the
	// actual send, on the engine's clock: the generator's own lateness.
	Delay time.Duration
	// Trace is the trace id that the request carried.
	Trace [16]byte
	// Result is the exchange itself.
	Result protocol.Result
}

// Latency is the time from the slot's due time to the end of the exchange. It
// counts whatever the generator was late by, so that a stall of the target
// shows in all the requests that were due during it (no coordinated omission).
func (o Outcome) Latency() time.Duration { return o.Delay + o.Result.Service() }

// DropReason is the class of a slot that was not sent: a closed set.
type DropReason uint8

// The reasons for not sending a slot.
const (
	// DropInFlight: as many requests as max_in_flight were still unanswered.
	DropInFlight DropReason = iota
	// DropRateCap: the last line of defence, this replica's part of max_rate, held.
	DropRateCap
	// DropLate: the slot was overdue: after a stall, a suspend or a clock step.
	DropLate
	// DropBackOff: the target is being spared.
	DropBackOff
	// DropShutdown: the process was stopping.
	DropShutdown

	// NumDropReasons is the size of an array indexed by DropReason.
	NumDropReasons = int(iota)
)

// String returns the reason as it stands in labels.
func (r DropReason) String() string {
	switch r {
	case DropInFlight:
		return "in_flight"
	case DropRateCap:
		return "rate_cap"
	case DropLate:
		return "late"
	case DropBackOff:
		return "back_off"
	case DropShutdown:
		return "shutdown"
	default:
		return "unknown"
	}
}

// Recorder keeps the ledger of one scenario. Its methods are plain calls on the
// sending path: safe for concurrent use, quick, never blocking.
//
// The law of the ledger: due = finished + in flight + dropped. Due comes first for
// each slot, then exactly one of Dropped and Finished.
type Recorder interface {
	// Due tells that n more slots of this replica have come due.
	Due(n uint64)
	// Dropped tells that n due slots will not be sent.
	Dropped(r DropReason, n uint64)
	// Finished tells that the request of a due slot has ended, well or badly.
	Finished(o Outcome)
}
