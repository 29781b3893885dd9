package fleet

import (
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/membership"
)

// Status is what this replica knows of the fleet.
type Status struct {
	Self string
	// View is the one of the current second.
	View membership.View
	// Members are all replicas that are known, sorted by ID.
	Members []MemberStatus
	// Skew is what this replica's clock is ahead of the others' by, as the median.
	Skew time.Duration
	// Mismatched is the number of other members that run another configuration.
	Mismatched int
	// OtherFloor is the number of other members that have another min_replicas.
	OtherFloor int
	// Connected is the number of others that this replica has a connection to, if its store is
	// memberlist.
	Connected int
	// Changes counts the changes of the view, Refused the strangers' packets and connections, and
	// Relayed the heartbeats that came by way of a third replica.
	Changes, Refused, Relayed uint64
}

// MemberStatus is what this replica knows of another, or of itself.
type MemberStatus struct {
	membership.Status
	// Name is the ID without its random suffix.
	Name, Address string
	// Share is the share of the rate that it sends, from 0 to 1.
	Share float64
	// Sent is when its last heartbeat was sent, by its clock.
	Sent time.Time
	// Offset is what its clock is ahead of this replica's by.
	Offset time.Duration
	// Config is the hash of the configuration that it runs.
	Config uint64
}

// Status returns what this replica knows of the fleet.
func (f *Fleet) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	way := f.way()
	s := Status{Self: f.id, View: f.current(time.Now()), Skew: f.clocks.median() - way, Changes: f.changes, Refused: f.refused.Load()}
	if f.direct != nil {
		s.Connected, s.Relayed = f.direct.mesh.Connected(), f.direct.mesh.Relayed()
	}
	for _, m := range f.tracker.Statuses() {
		p := f.profiles[m.ID]
		offset := time.Duration(0)
		if ahead, known := f.clocks.ahead(m.ID); known {
			offset = way - ahead
		}
		s.Members = append(s.Members, MemberStatus{
			Status: m, Name: m.ID[:max(0, strings.LastIndexByte(m.ID, '-'))], Address: p.address,
			Share: s.View.Share.Arc(m.ID).Ratio(), Sent: p.sent, Offset: offset, Config: p.config,
		})
		counts := m.State == membership.Live || m.State == membership.Leaving
		if counts && m.ID != f.id && p.config != f.config.Load() {
			s.Mismatched++
		}
		if counts && m.ID != f.id && p.minReplicas != 0 && p.minReplicas != f.o.MinReplicas {
			s.OtherFloor++
		}
	}
	return s
}

// way returns how long the fastest heartbeats are on their way. Each replica finds its
// clock ahead of the others' by its true skew and that; true skews are around 0 for the
// most, so that the median over the fleet is the way.
func (f *Fleet) way() time.Duration {
	found := []time.Duration{f.clocks.median()}
	for id, p := range f.profiles {
		if id != f.id {
			found = append(found, p.ahead)
		}
	}
	return median(found)
}

// Live returns whether this replica counts as a member and may send, and if not why.
func (f *Fleet) Live() (live bool, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.current(time.Now())
	return v.Live, v.Why
}

// current returns the view of the second that has begun.
func (f *Fleet) current(now time.Time) membership.View {
	if now.Unix() < f.view.Second && f.before.Second < f.view.Second {
		return f.before
	}
	return f.view // Also after the clock was set back.
}

// IsFirst reports whether this replica is the first of the members, which does what one has to do
// for all: the live one with the lowest ID. While views differ there may be two, or none.
func (f *Fleet) IsFirst() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.current(time.Now()).Live {
		return false
	}
	for _, m := range f.tracker.Statuses() {
		if m.State == membership.Live {
			return m.ID == f.id // They are sorted.
		}
	}
	return false
}
