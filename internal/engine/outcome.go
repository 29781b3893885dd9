package engine

import (
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Outcome is what became of a request that was sent.
type Outcome struct {
	// Entry is the index of the request among the client's entries.
	Entry int
	// Delay is the time from the request's due time to the actual send, on the monotonic
	// clock: the generator's own lateness. The due time of a slot's first request is the
	// slot's, rounded as PacingAuto does; that of a journey's other requests is the end of the
	// one before, and of the pause between.
	Delay time.Duration
	// Trace is the trace id that the request carried, and Sampled whether it asked for the trace to
	// be kept.
	Trace   [16]byte
	Sampled bool
	// Result is the exchange itself.
	Result protocol.Result
}

// Latency is the time from the request's due time to the end of the exchange. It
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
	// DropDailyLimit: the slot is beyond those of its day that are sent.
	DropDailyLimit
	// DropJourneys: as many journeys as max_journeys had begun and not ended.
	DropJourneys
	// DropNoToken: there was no token of the authorization server.
	DropNoToken
	// DropNoSession: the slot's user was not logged in.
	DropNoSession
	// DropNoDescriptors: the descriptors of its calls' messages were not known yet.
	DropNoDescriptors
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
	case DropDailyLimit:
		return "daily_limit"
	case DropJourneys:
		return "journeys"
	case DropNoToken:
		return "no_token"
	case DropNoSession:
		return "no_session"
	case DropNoDescriptors:
		return "no_descriptors"
	case DropShutdown:
		return "shutdown"
	default:
		return "unknown"
	}
}

// WithheldReason is why a repeat, a redirect or a step was not sent: a closed set.
type WithheldReason uint8

// The reasons for not sending one more request of a slot.
const (
	// WithheldRateCap: it would have been beyond this replica's share of max_rate.
	WithheldRateCap WithheldReason = iota
	// WithheldRetryBudget: too many of the recent requests had been repeated.
	WithheldRetryBudget
	// WithheldInFlight: as many requests as max_in_flight were still unanswered.
	WithheldInFlight
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
	case WithheldInFlight:
		return "in_flight"
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
// any number of the others. They count requests on the wire and not slots: a slot has any
// number of requests, and each ends in one Exchanged.
type Recorder interface {
	// Due reports that n more slots of this replica have come due.
	Due(n uint64)
	// Dropped reports that n due slots will not be sent.
	Dropped(r DropReason, n uint64)
	// Finished reports that a due slot has ended: its request has, or its journey.
	Finished()
	// Exchanged reports that a request has ended, well or badly.
	Exchanged(o Outcome)
	// Extra counts one more request on the wire for a slot that is being sent, of an entry of
	// the client: a repeat, a redirect or a step.
	Extra(entry int, e protocol.Extra)
	// Withheld counts a repeat, a redirect or a step that was not sent. The exchange then ends
	// with what there is, and the journey ends.
	Withheld(entry int, e protocol.Extra, why WithheldReason)
	// JourneyBegan and JourneyEnded report the journeys of an entry of the mix. They take from
	// the slot's due time to the end of the last request.
	JourneyBegan(entry int)
	JourneyEnded(entry int, o JourneyOutcome, took time.Duration)
}
