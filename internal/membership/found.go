package membership

import (
	"cmp"
	"maps"
	"slices"
)

// lineageBits are those of a lineage that distinguish it from others that were founded in the
// same second.
const lineageBits = 29

// founded returns the first second of the lineage.
func (t *Tracker) founded() int64 { return int64(t.lineage >> lineageBits) }

// claim is what this replica says of its view.
func (t *Tracker) claim() Claim {
	return Claim{Lineage: t.lineage, Second: t.known, Hash: hashOf(t.lineage, keysOf(t.members))}
}

func keysOf(members map[Key]*peer) []Key { return slices.Collect(maps.Keys(members)) }

// hashOf returns a hash of a view, which does not depend on the order.
func hashOf(lineage uint64, members []Key) uint64 {
	h := splitMix64(lineage)
	for _, k := range members {
		h ^= splitMix64(uint64(k))
	}
	return h
}

// isLive reports whether one has said at an instant, or a little before, that it has a
// view that it acts on.
func (p *peer) isLive(now int64) bool {
	return p.claims(now) && p.Claim.Majority && p.Claim.Second*1000 > p.Sent-2*period
}

// claims reports whether one claims a view from which later ones can be worked out.
func (p *peer) claims(now int64) bool {
	return p.listed && p.Claim.Lineage != 0 && now-p.Sent < lostAfter && p.Claim.Second*1000 > now-recent*1000
}

// adopt takes over a view that somebody claims: that of this replica's lineage, or of the
// oldest if it has none.
func (t *Tracker) adopt(second int64) {
	now := second*1000 - period
	oldest := t.oldest(now)
	for _, p := range sorted(t.peers) {
		c := p.Claim
		switch {
		case p.ID == t.o.Self, !p.claims(now), c.Second <= t.known:
		case t.lineage != 0 && c.Lineage != t.lineage:
		case t.lineage == 0 && oldest != 0 && c.Lineage != oldest:
		case c.Lineage == t.despaired && !p.isLive(now):
		default:
			if members, ok := t.reconstruct(p); ok {
				t.replace(p, members)
			}
		}
	}
}

// replace takes over the view that one claims.
func (t *Tracker) replace(by *peer, members map[Key]*peer) {
	for _, v := range by.Settled {
		k, kind := split(v.For)
		if kind != isOut || v.At != gone || members[k] != nil {
			continue
		}
		if p := t.peer(k); p.out == 0 { // It may have left before this replica could hear of it.
			p.out = by.Claim.Second
		}
	}
	t.handNew(by.Claim, members)
	t.agree(members, by.Claim.Second)
	if t.wasOut() {
		t.retireKeeping()
	}
}

// retireKeeping makes this replica ask anew, with the view that it has.
func (t *Tracker) retireKeeping() {
	lineage, known, members := t.lineage, t.known, t.members
	t.retire()
	t.lineage = lineage
	t.agree(members, known)
}

// oldest returns the oldest lineage that somebody lives in, or 0.
func (t *Tracker) oldest(now int64) uint64 {
	var oldest uint64
	for _, p := range t.latest {
		if p.ID != t.o.Self && p.isLive(now) && (oldest == 0 || p.Claim.Lineage < oldest) {
			oldest = p.Claim.Lineage
		}
	}
	return oldest
}

// yield gives this replica's view up for an older one that others live in: two fleets
// have met. The other sends everything.
func (t *Tracker) yield() {
	oldest := t.oldest(t.sent)
	switch {
	case t.lineage == 0 || oldest == 0:
	case oldest < t.lineage, oldest != t.lineage && !t.isMember():
		t.retire()
	}
}

// reconstruct returns the members that one claims. It sends no list, as that would be
// long, but what cannot be seen from the others' heartbeats, and a hash.
func (t *Tracker) reconstruct(by *peer) (map[Key]*peer, bool) {
	members := map[Key]*peer{}
	var keys []Key
	for k, p := range t.peers {
		_, in := by.Settled.of(k.vote(isIn))
		_, out := by.Settled.of(k.vote(isOut))
		if in || !out && p.listed && p.Claim.Lineage == by.Claim.Lineage {
			members[k] = p
			keys = append(keys, k)
		}
	}
	return members, hashOf(by.Claim.Lineage, keys) == by.Claim.Hash
}

// found founds a fleet of all who ask for one, if this replica is the first of them.
func (t *Tracker) found(now int64) {
	if t.lineage != 0 || t.asked == 0 || now < t.asked+foundAfter || t.oldest(now) != 0 || t.mayBeAlive(now) || t.isUnsure(now) {
		return
	}
	first := now/1000 + 1 + founding
	founders := map[Key]*peer{}
	var keys []Key
	for _, p := range sorted(t.peers) {
		if !p.listed || p.replaced || p.Asked == 0 || p.Leaving != 0 || p.Claim.Lineage != 0 || now-p.Sent >= lostAfter {
			continue
		}
		if p.ID != t.o.Self && cmp.Or(cmp.Compare(p.Asked, t.asked), cmp.Compare(p.ID, t.o.Self)) < 0 {
			return
		}
		founders[p.key] = p
		keys = append(keys, p.key)
	}
	if founders[t.self()] == nil {
		return // It does not hear itself yet.
	}
	t.lineage = uint64(first)<<lineageBits | splitMix64(uint64(t.self()))>>(64-lineageBits)
	t.acting = founders
	t.agree(founders, first)
	for _, k := range keys {
		t.votes[k.vote(joins)] = t.stamp
	}
}

// mayBeAlive reports whether one that was a member not long ago may be so still, out of
// sight.
func (t *Tracker) mayBeAlive(now int64) bool {
	for _, p := range t.latest {
		if p.ID != t.o.Self && p.Claim.Lineage != 0 && p.listed && now-p.Sent < t.o.ForgetAfter*1000+lostAfter && !t.isFollowed(p, now) {
			return true
		}
	}
	return false
}
