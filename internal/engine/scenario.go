package engine

import (
	"slices"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/share"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// Scenario is all that the engine needs to send one scenario's traffic. What stands
// behind Client, Recorder, Sparing, Needs, Witness and Tracer must be comparable: use pointers.
type Scenario struct {
	// Name is unique among the scenarios of an engine.
	Name string
	// Timeline has the due times of the slots.
	Timeline *timeline.Timeline
	// Pacing is how precisely they are sent then.
	Pacing Pacing
	// Entries are those of the mix.
	Entries []Entry
	// Client makes the requests, each within its timeout. The engine closes it when the last scenario that uses
	// it has ended.
	Client protocol.Client
	// Recorder keeps the ledger.
	Recorder Recorder
	// Limits protect the target and the process.
	Limits Limits
	// Sparing, if not nil, leaves slots out while the target fails.
	Sparing Sparing
	// Needs, if not nil, leaves slots out while something that they need is missing.
	Needs Needs
	// Witness, if not nil, is shown the requests that fail.
	Witness Witness
	// Tracer, if not nil, is shown the requests and journeys of sampled slots.
	Tracer Tracer
	// TraceShare is the share of the slots whose requests are Sampled, from 0 to 1.
	TraceShare float64
}

// equal reports whether what runs s can run o, perhaps with another timeline.
func (s *Scenario) equal(o *Scenario) bool {
	return s.Name == o.Name && s.Pacing == o.Pacing &&
		slices.Equal(s.Entries, o.Entries) && s.Client == o.Client && s.Recorder == o.Recorder &&
		s.Limits == o.Limits && s.Sparing == o.Sparing && s.Needs == o.Needs &&
		s.Witness == o.Witness && s.Tracer == o.Tracer && s.TraceShare == o.TraceShare
}

// Entry is one of a mix.
type Entry struct {
	// Weight is how often it is chosen, relative to the others.
	Weight uint32
	// Request is the client's entry that is sent, the Entry of protocol.Request.
	Request int
	// Script makes the journeys of slots that are more than that one fixed request; nil if
	// they are not.
	Script Script
	// Pairs, if not nil, sends some of the entry's slots to a second target as well.
	Pairs Pairing
	// Aside says that making the first request of a journey may take so long that it must not
	// hold up the slots behind it.
	Aside bool
}

// Limits protect the target and the process.
type Limits struct {
	// MaxInFlight is the number of requests that may be unanswered at a time. With 0
	// nothing is sent.
	MaxInFlight int
	// MaxRate is the ceiling of the whole fleet's requests on the wire per second, repeats and
	// redirects included. The engine enforces this replica's share of it; 0 is none.
	MaxRate float64
	// MaxJourneys is the number of journeys that may have begun and not ended. With 0 none
	// begins.
	MaxJourneys int
	// MaxPerDay is how many slots of a day of the calendar the whole fleet sends, in the timeline's time zone; 0 is all.
	MaxPerDay uint64
	// Grace is how long the journeys that have begun may go on after Stop.
	Grace time.Duration
	// LateAfter is how overdue a slot may be and still be sent. A slot beyond it means that the
	// process was stalled.
	LateAfter time.Duration
}

// Sparing decides which slots are left out to spare the target. Implementations are safe
// for concurrent use, quick and comparable.
type Sparing interface {
	// Spares reports whether a slot is left out, when it has come due.
	Spares(slot timeline.Slot) bool
}

// Needs reports whether slots have everything that they need before they can be sent, such as
// a token or the session of a user. Implementations are safe for concurrent use, quick and
// comparable.
type Needs interface {
	// Lacks reports whether a slot that has come due lacks something, and as what it is
	// dropped then. now is the wall clock.
	Lacks(slot timeline.Slot, now time.Time) (DropReason, bool)
}

// Witness keeps requests that are worth looking at. Implementations are safe for concurrent use,
// quick and comparable.
type Witness interface {
	// Tap returns the tap for the rest of a request that turns out to fail; nil for none.
	Tap(entry int, r protocol.Reason) protocol.Tap
	// Slow reports whether a request that did not fail was slow enough to keep.
	Slow(entry int, latency time.Duration) bool
	// Saw is called with each request that has failed or was slow, and with its tap if it has
	// one.
	Saw(s Sighting, o Outcome)
}

// Sighting is a request that a Witness sees.
type Sighting struct {
	// Slot is that of the request, and Due when the request was due, as latency counts.
	Slot timeline.Slot
	Due  time.Time
	// Tap is what Witness.Tap returned for the request, or nil.
	Tap protocol.Tap
	// Hide, if not nil, returns a string without the secrets of the slot's journey. It is not
	// called after Saw has returned.
	Hide func(text string) string
}

// Arcs reports which arc of the slots this replica owns. Implementations are safe for
// concurrent use and quick: they are asked once for each slot of the fleet.
type Arcs interface {
	// Arc returns the arc of the slots due at an instant. It is asked at most half a
	// second ahead of that instant, and after a stall or a step of the clock for
	// instants of the past.
	Arc(due time.Time) share.Arc
}

// Alone is the Arcs of a replica on its own, which owns every slot.
type Alone struct{}

var _ Arcs = Alone{}

// Arc implements Arcs.
func (Alone) Arc(time.Time) share.Arc { return share.Whole() }
