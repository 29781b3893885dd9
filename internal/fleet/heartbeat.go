package fleet

import (
	"time"

	"github.com/grafana/dskit/ring"

	"github.com/traffic-exporter/traffic_exporter/internal/membership"
)

// What heartbeats carry beside dskit's own fields, as "versions", which are numbers by
// number. Numbers from 2^63 on are votes.
const (
	fieldWeight uint64 = 1
	// fieldConfig is a hash of the configuration that the replica runs.
	fieldConfig uint64 = 2
	// fieldSent is when the heartbeat was sent, in Unix milliseconds: dskit's stamps are
	// whole seconds, too coarse to compare clocks by.
	fieldSent uint64 = 3
	// fieldSince is membership.Heartbeat's Since.
	fieldSince uint64 = 4
	// fieldAhead is by how many milliseconds the replica finds its clock ahead of the
	// others', which is too much by the time on the way. It may be negative.
	fieldAhead uint64 = 5
)

// profile is what a replica tells beside what membership needs.
type profile struct {
	address string
	config  uint64
	sent    time.Time
	ahead   time.Duration
	votes   votes
}

func profileOf(d ring.InstanceDesc) profile {
	return profile{
		address: d.Addr,
		config:  d.Versions[fieldConfig],
		sent:    time.UnixMilli(int64(d.Versions[fieldSent])),
		ahead:   time.Duration(int64(d.Versions[fieldAhead])) * time.Millisecond,
		votes:   votesOf(d),
	}
}

// heartbeat translates dskit's description of a replica.
func heartbeat(id string, d ring.InstanceDesc) membership.Heartbeat {
	h := membership.Heartbeat{
		ID:         id,
		Weight:     uint32(d.Versions[fieldWeight]),
		Sent:       int64(d.Versions[fieldSent]),
		Registered: d.RegisteredTimestamp,
		Since:      int64(d.Versions[fieldSince]),
	}
	if d.ReadOnly {
		h.Leaving = d.ReadOnlyUpdatedTimestamp
	}
	return h
}

// tell returns what this replica's heartbeats carry. The caller holds f.mu.
func (f *Fleet) tell(now time.Time) ring.InstanceVersions {
	told := ring.InstanceVersions{
		fieldWeight: uint64(f.o.Weight),
		fieldConfig: f.config.Load(),
		fieldSent:   uint64(now.UnixMilli()),
		fieldSince:  uint64(f.since),
		fieldAhead:  uint64(f.clocks.median().Milliseconds()),
	}
	f.votes.put(told, now)
	return told
}

// delegate puts what this replica tells into its heartbeats.
type delegate struct{ fleet *Fleet }

var _ ring.BasicLifecyclerDelegate = delegate{}

// delegate returns the delegate of the lifecycler, which also removes the entries of
// replicas that are lost for long.
func (f *Fleet) delegate() ring.BasicLifecyclerDelegate {
	return ring.NewAutoForgetDelegate(purgeAfter, delegate{f}, f.kitLog)
}

// OnRingInstanceRegister implements ring.BasicLifecyclerDelegate: members are active at
// once and have no tokens.
func (d delegate) OnRingInstanceRegister(*ring.BasicLifecycler, ring.Desc, bool, string, ring.InstanceDesc) (ring.InstanceState, ring.Tokens) {
	return ring.ACTIVE, nil
}

// OnRingInstanceTokens implements ring.BasicLifecyclerDelegate.
func (d delegate) OnRingInstanceTokens(*ring.BasicLifecycler, ring.Tokens) {}

// OnRingInstanceStopping implements ring.BasicLifecyclerDelegate.
func (d delegate) OnRingInstanceStopping(*ring.BasicLifecycler) {}

// OnRingInstanceHeartbeat implements ring.BasicLifecyclerDelegate. A replica that was away
// announces the second from which it wants to count again in its first heartbeat, so that
// all who hear of it agree on it.
func (d delegate) OnRingInstanceHeartbeat(_ *ring.BasicLifecycler, _ *ring.Desc, own *ring.InstanceDesc) {
	f, now := d.fleet, time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noticeAbsence(now.Round(0))
	f.beaten = now.Round(0)
	// Announced once, unless it did not get through in time.
	if returns := now.Unix() + membership.Settle; f.tracker.IsAway() && f.since < returns-1 {
		f.since = returns
	}
	own.Versions = f.tell(now)
}
