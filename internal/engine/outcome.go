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

// WithheldReason is why a repeat or a redirect was not sent: a closed set.
type WithheldReason uint8

// The reasons for not sending one more request of an exchange.
const (
	// WithheldRateCap: it would have been beyond this replica's share of max_rate.
	WithheldRateCap WithheldReason = iota
	// WithheldRetryBudget: too many of the recent requests had been repeated.
	WithheldRetryBudget
	// WithheldShutdown: the process was stopping.
	WithheldShutdown

	// NumWithheldReasons is the size of an array indexed by WithheldReason.
	NumWithheldReasons = int(iota)
)

// String returns the reason as it stands in labels.
func (r WithheldReason) String() string {
	switch r {
	case WithheldRateCap:
		return "rate_cap"
	case WithheldRetryBudget:
		return "retry_budget"
	case WithheldShutdown:
		return "shutdown"
	default:
		return "unknown"
	}
}

// Recorder keeps the ledger of one scenario. Its methods are plain calls on the
// sending path: safe for concurrent use, quick, never blocking.
//
// The law of the ledger: due = finished + in flight + dropped. Due comes first for
// each slot, then exactly one of Dropped and Finished. Between Due and Finished there may be
// any number of Extra and Withheld, which are about requests on the wire and not about slots.
type Recorder interface {
	// Due tells that n more slots of this replica have come due.
	Due(n uint64)
	// Dropped tells that n due slots will not be sent.
	Dropped(r DropReason, n uint64)
	// Finished tells that the request of a due slot has ended, well or badly.
	Finished(o Outcome)
	// Extra counts one more request on the wire for a slot that is being sent: a repeat or
	// a redirect of an entry of the mix.
	Extra(entry int, e protocol.Extra)
	// Withheld counts a repeat or a redirect that was not sent. The exchange then ends with
	// what there is.
	Withheld(entry int, e protocol.Extra, why WithheldReason)
}
