package fleet

import (
	"context"
	mathrand "math/rand/v2"
	"time"

	"github.com/grafana/dskit/ring"

	"github.com/traffic-exporter/traffic_exporter/internal/membership"
)

// What heartbeats carry beside dskit's own fields, as "versions", which are numbers by
// number. Numbers from 2^63 on are votes on targets, those from 2^62 on votes on members.
const (
	fieldWeight uint64 = 1
	// fieldConfig is a hash of the configuration that the replica runs.
	fieldConfig uint64 = 2
	// fieldSent is when the heartbeat was sent, in Unix milliseconds: dskit's stamps are
	// whole seconds, too coarse to compare clocks by.
	fieldSent uint64 = 3
	// fieldAsked, fieldLeaving and fieldHeir are those of membership.Heartbeat.
	fieldAsked uint64 = 4
	// fieldAhead is by how many milliseconds the replica finds its clock ahead of the
	// others', which is too much by the time on the way. It may be negative.
	fieldAhead   uint64 = 5
	fieldLeaving uint64 = 6
	fieldHeir    uint64 = 7
	// fieldLineage, fieldSecond and fieldHash are membership.Claim's; whether there is a
	// majority is the lowest bit of the second.
	fieldLineage uint64 = 8
	fieldSecond  uint64 = 9
	fieldHash    uint64 = 10
	// fieldMinReplicas is the replica's min_replicas.
	fieldMinReplicas uint64 = 11
	// fieldHeirSince is membership.Heartbeat's.
	fieldHeirSince uint64 = 12
	// fieldDirect is 1 if the replica hears heartbeats that others send it directly. Those of
	// version 0.1.0 hear them by gossip only.
	fieldDirect uint64 = 13
	// fieldHandsOver is 1 if membership.Heartbeat's is set.
	fieldHandsOver uint64 = 14
)

// settledBit marks the instants of votes that are settled.
const settledBit = 1 << 62

// words are what a heartbeat says: dskit's address of the replica, and its "versions" in any
// order, each number once.
type words struct {
	address string
	numbers []number
}

type number struct{ key, value uint64 }

// of returns the value of a number, 0 if there is none.
func (w *words) of(key uint64) uint64 {
	for _, n := range w.numbers {
		if n.key == key {
			return n.value
		}
	}
	return 0
}

// wordsOf returns what dskit's description of a replica says.
func wordsOf(d ring.InstanceDesc) *words {
	w := &words{address: d.Addr, numbers: make([]number, 0, len(d.Versions))}
	for key, value := range d.Versions {
		w.numbers = append(w.numbers, number{key, value})
	}
	return w
}

// profile is a heartbeat as it was understood.
type profile struct {
	// words are those that it is of.
	words   *words
	address string
	config  uint64
	// minReplicas is 0 if it does not say.
	minReplicas int
	sent        time.Time
	ahead       time.Duration
	votes       votes
	// heartbeat is the part for membership.
	heartbeat *membership.Heartbeat
}

// profileOf returns what a replica says.
func (f *Fleet) profileOf(id string, w *words) profile {
	h := &membership.Heartbeat{ID: id}
	if f.o.Store == StoreMemberlist {
		h.Address = w.address // Of other stores it is only a name.
	}
	p := profile{words: w, address: w.address, votes: votes{}, heartbeat: h}
	votes, settled := make([]membership.Vote, 0, len(w.numbers)), make([]membership.Vote, 0, len(w.numbers))
	for _, n := range w.numbers {
		switch {
		case n.key >= 1<<63:
			p.votes[n.key] = int64(n.value)
		case !membership.IsVote(n.key):
			p.set(n.key, n.value)
		case n.value&settledBit != 0:
			settled = append(settled, membership.Vote{For: n.key, At: int64(n.value &^ settledBit)})
		default:
			votes = append(votes, membership.Vote{For: n.key, At: int64(n.value)})
		}
	}
	h.Votes, h.Settled = membership.NewVotes(votes), membership.NewVotes(settled)
	return p
}

// set sets one of the fields. Those of later versions are passed over.
func (p *profile) set(field, value uint64) {
	h := p.heartbeat
	switch field {
	case fieldWeight:
		h.Weight = uint32(value)
	case fieldConfig:
		p.config = value
	case fieldSent:
		h.Sent, p.sent = int64(value), time.UnixMilli(int64(value))
	case fieldAsked:
		h.Asked = int64(value)
	case fieldAhead:
		p.ahead = time.Duration(int64(value)) * time.Millisecond
	case fieldLeaving:
		h.Leaving = int64(value)
	case fieldHeir:
		h.Heir = membership.Key(value)
	case fieldHeirSince:
		h.HeirSince = int64(value)
	case fieldLineage:
		h.Claim.Lineage = value
	case fieldSecond:
		h.Claim.Second, h.Claim.Majority = int64(value>>1), value&1 == 1
	case fieldHash:
		h.Claim.Hash = value
	case fieldHandsOver:
		h.HandsOver = value == 1
	case fieldMinReplicas:
		p.minReplicas = int(value)
	}
}

// castVotes casts this replica's votes and returns what its heartbeats carry. The caller
// holds f.mu.
func (f *Fleet) castVotes(now time.Time) ring.InstanceVersions {
	said := f.tracker.Beat(now.UnixMilli())
	second := uint64(said.Claim.Second) << 1
	if said.Claim.Majority {
		second |= 1
	}
	fields := ring.InstanceVersions{
		fieldWeight:      uint64(f.o.Weight),
		fieldConfig:      f.config.Load(),
		fieldSent:        uint64(now.UnixMilli()),
		fieldAsked:       uint64(said.Asked),
		fieldAhead:       uint64(f.clocks.median().Milliseconds()),
		fieldLeaving:     uint64(said.Leaving),
		fieldHeir:        uint64(said.Heir),
		fieldHeirSince:   uint64(said.HeirSince),
		fieldLineage:     said.Claim.Lineage,
		fieldSecond:      second,
		fieldHash:        said.Claim.Hash,
		fieldMinReplicas: uint64(f.o.MinReplicas),
		fieldDirect:      1,
		fieldHandsOver:   1,
	}
	for _, v := range said.Votes {
		fields[v.For] = uint64(v.At)
	}
	for _, v := range said.Settled {
		fields[v.For] = uint64(v.At) | settledBit
	}
	f.votes.put(fields, now)
	return fields
}

// nextHeartbeat says what this replica's next heartbeat carries.
func (f *Fleet) nextHeartbeat(now time.Time) ring.InstanceVersions {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noticeAbsence(now)
	f.beaten = now
	return f.castVotes(now)
}

// beat sends a heartbeat in each round until ctx ends.
func (f *Fleet) beat(ctx context.Context) {
	purge := ring.NewAutoForgetDelegate(purgeAfter, delegate{}, f.kitLog)
	spread := time.Duration(mathrand.Int64N(membership.BeatSpread)) * time.Millisecond
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		timer.Reset(untilNextBeat(time.Now().Round(0), f.lastBeat(), spread))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := f.send(ctx, purge, f.nextHeartbeat(time.Now().Round(0))); err != nil && ctx.Err() == nil {
			f.logger.Warn("the heartbeat could not be sent", "store", f.o.Store, "err", err)
		}
	}
}

func (f *Fleet) lastBeat() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.beaten
}

// untilNextBeat returns the time until the next heartbeat: in the next round, and in a
// later second than the last one, as the store separates them by that.
func untilNextBeat(now, last time.Time, spread time.Duration) time.Duration {
	const first = membership.BeatAt * time.Millisecond
	next := now.Truncate(time.Second).Add(first + spread)
	for !next.After(now) || next.Unix() == last.Unix() {
		next = next.Add(heartbeatPeriod)
	}
	return next.Sub(now)
}

// send sends a heartbeat to the others, through the store if that is a server.
func (f *Fleet) send(ctx context.Context, purge ring.BasicLifecyclerDelegate, fields ring.InstanceVersions) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if f.direct != nil {
		return f.direct.beat(ctx, f.members, fields)
	}
	return f.members.CAS(ctx, ringKey, func(in any) (out any, retry bool, err error) {
		desc := ring.GetOrCreateRingDesc(in)
		own, listed := desc.Ingesters[f.id]
		if !listed { // The store has lost it.
			own = desc.AddIngester(f.id, f.store.address, "", nil, ring.ACTIVE, time.Now(), false, time.Time{}, fields)
		}
		purge.OnRingInstanceHeartbeat(f.lifecycler.Load(), desc, &own)
		own.Versions, own.Timestamp = fields, time.Now().Unix()
		desc.Ingesters[f.id] = own
		return desc, true, nil
	})
}

// delegate makes members active at once, without tokens. It sends no heartbeats.
type delegate struct{}

var _ ring.BasicLifecyclerDelegate = delegate{}

// OnRingInstanceRegister implements ring.BasicLifecyclerDelegate.
func (delegate) OnRingInstanceRegister(*ring.BasicLifecycler, ring.Desc, bool, string, ring.InstanceDesc) (ring.InstanceState, ring.Tokens) {
	return ring.ACTIVE, nil
}

// OnRingInstanceTokens implements ring.BasicLifecyclerDelegate.
func (delegate) OnRingInstanceTokens(*ring.BasicLifecycler, ring.Tokens) {}

// OnRingInstanceStopping implements ring.BasicLifecyclerDelegate.
func (delegate) OnRingInstanceStopping(*ring.BasicLifecycler) {}

// OnRingInstanceHeartbeat implements ring.BasicLifecyclerDelegate.
func (delegate) OnRingInstanceHeartbeat(*ring.BasicLifecycler, *ring.Desc, *ring.InstanceDesc) {}
