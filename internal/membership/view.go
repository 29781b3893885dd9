package membership

import (
	"cmp"
	"slices"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
)

// View is who is a member in a second.
type View struct {
	Second int64
	// Share divides the slots that are due in the second.
	Share share.View
	// Arc is this replica's part, empty unless it is Live: if it may not send Why tells
	// why.
	Arc  share.Arc
	Live bool
	Why  string
	// Members is the number of members that the rate is divided among, and Lost that of
	// the members whose heartbeats are missing, among these or not.
	Members, Lost int
	// StoreUp is false when not even this replica's own heartbeats are heard. The view
	// is the last one before that.
	StoreUp bool
}

// silenced returns the view without this replica's part.
func (v View) silenced(why string) View {
	v.Live, v.Why, v.Arc = false, why, share.Arc{}
	return v
}

// State is what a replica is in a second.
type State string

// The states.
const (
	Joining   State = "joining"    // announced, does not count yet
	Live      State = "live"       // counts
	Leaving   State = "leaving"    // counts, and has announced its leave
	LostHeld  State = "lost"       // not heard from; its part is nobody's
	TakenOver State = "taken over" // not heard from; the others send its part
)

// Status is what is known of a replica.
type Status struct {
	Heartbeat
	State State
	// From is the second from which it counts.
	From int64
}

// Statuses returns what is known of the replicas that have not left, sorted by ID.
func (t *Tracker) Statuses() []Status {
	var all []Status
	for _, m := range t.members {
		if t.decided < m.leaves() && (!m.gone || !m.taken) {
			all = append(all, Status{Heartbeat: m.Heartbeat, State: t.state(m), From: m.from})
		}
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (t *Tracker) state(m *member) State {
	switch {
	case m.taken:
		return TakenOver
	case t.decided < m.from:
		return Joining
	case t.isLost(m, t.decided, 0):
		return LostHeld
	case m.Leaving != 0:
		return Leaving
	default:
		return Live
	}
}
