package fleet

import (
	"time"

	"github.com/grafana/dskit/ring"

	"github.com/traffic-exporter/traffic_exporter/internal/membership"
)

// What heartbeats carry beside dskit's own fields, as "versions", which are numbers by
// number.
const (
	fieldWeight uint64 = 1
	// fieldConfig is a hash of the configuration that the replica runs.
	fieldConfig uint64 = 2
	// fieldSent is when the heartbeat was sent, in Unix milliseconds: dskit's stamps are
	// whole seconds, too coarse to compare clocks by.
	fieldSent uint64 = 3
	// fieldSince is membership.Heartbeat's Since.
	fieldSince uint64 = 4
)

// profile is what a replica tells beside what membership needs.
type profile struct {
	address string
	config  uint64
	sent    time.Time
}

func profileOf(d ring.InstanceDesc) profile {
	return profile{address: d.Addr, config: d.Versions[fieldConfig], sent: time.UnixMilli(int64(d.Versions[fieldSent]))}
}

// heartbeat translates dskit's description of a replica.
func heartbeat(id string, d ring.InstanceDesc) membership.Heartbeat {
	h := membership.Heartbeat{
		ID:         id,
		Weight:     uint32(d.Versions[fieldWeight]),
		Stamp:      d.Timestamp,
		Registered: d.RegisteredTimestamp,
		Since:      int64(d.Versions[fieldSince]),
	}
	if d.ReadOnly {
		h.Leaving = d.ReadOnlyUpdatedTimestamp
	}
	return h
}

// tell returns what this replica's heartbeats carry.
func (f *Fleet) tell(now time.Time, since int64) ring.InstanceVersions {
	return ring.InstanceVersions{
		fieldWeight: uint64(f.o.Weight),
		fieldConfig: f.config.Load(),
		fieldSent:   uint64(now.UnixMilli()),
		fieldSince:  uint64(since),
	}
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
func (d delegate) OnRingInstanceHeartbeat(_ *ring.BasicLifecycler, desc *ring.Desc, own *ring.InstanceDesc) {
	f, now := d.fleet, time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wasAway(now.Round(0)) || f.tracker.IsAway() || wasPassedOver(desc, own) {
		f.since = now.Unix() + membership.Settle
	}
	own.Versions = f.tell(now, f.since)
}

// wasPassedOver reports whether more than half of the others have gone on while none of
// this replica's heartbeats got through: they have taken over its part.
func wasPassedOver(desc *ring.Desc, own *ring.InstanceDesc) bool {
	ahead := 0
	for _, d := range desc.Ingesters {
		if d.Timestamp >= own.Timestamp+membership.Lost {
			ahead++
		}
	}
	return 2*ahead > len(desc.Ingesters)
}
