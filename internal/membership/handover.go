package membership

import (
	"maps"
	"slices"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
)

// handOver is how many seconds after the first of a view the members of a fleet with a server
// act on it: all have said by then that they have agreed on it.
const handOver = 2

// handover is a view that a fleet with a server has agreed on, and that some may not know yet.
//
// A server may hang at any instant, and a replica that does not hear of a vote cannot know whether
// the others do. So nobody acts on a view before all who might act on an older one have claimed it.
// One that has agreed on a view that not all have claimed in time has what it owns in both; one that
// has not agreed on it goes on with the older one.
type handover struct {
	// from is the first second that the view may be of, and second the first that it is of for
	// certain. Between them it may be open.
	from, second int64
	members      map[Key]*peer
	hash         uint64
	// claimed is when the first heartbeat was sent that claims the view, by incarnation.
	claimed map[Key]int64
}

// hand begins the handover to the view of a second, if it differs from the last.
func (t *Tracker) hand(members map[Key]*peer, from, second int64) {
	if !t.o.Server || t.isHanded(members) {
		return
	}
	h := handover{from: from, second: second, members: members, hash: hashOf(t.lineage, keysOf(members)), claimed: map[Key]int64{}}
	t.handovers = append(t.handovers, h)
	t.noteClaims()
}

// isHanded reports whether members are those of the last view.
func (t *Tracker) isHanded(members map[Key]*peer) bool {
	last := t.acting
	if n := len(t.handovers); n > 0 {
		last = t.handovers[n-1].members
	}
	return last != nil && sameMembers(last, members)
}

func sameMembers(a, b map[Key]*peer) bool {
	return maps.EqualFunc(a, b, func(p, q *peer) bool { return p == q })
}

// handNew begins the handover to a view that another replica claims. The views before it are
// not known, unless it is the last one still: nobody comes in twice.
func (t *Tracker) handNew(c Claim, members map[Key]*peer) {
	if t.lineage != c.Lineage || !t.isHanded(members) {
		t.acting, t.handovers, t.known = nil, nil, c.Second-1
	}
	if t.lineage = c.Lineage; c.Second == t.founded() {
		t.acting = members // Nobody acts on an older one.
	}
}

// noteClaims notes who claims the views that are handed over.
func (t *Tracker) noteClaims() {
	for _, h := range t.handovers {
		for _, p := range t.latest {
			if _, known := h.claimed[p.key]; !known && p.Claim.Lineage == t.lineage && p.Claim.Hash == h.hash {
				h.claimed[p.key] = p.Sent
			}
		}
	}
}

// takeOver makes the views those that are acted on that all have claimed in time for a second.
func (t *Tracker) takeOver(second int64) {
	for i, h := range slices.Backward(t.handovers) {
		if second >= h.second && t.isAtOnce(h) || second >= h.second+handOver && t.isClaimed(i, second) {
			t.acting, t.handovers = h.members, t.handovers[i+1:]
			return
		}
	}
}

// isAtOnce reports whether a member, before or after the handover, is of a version that acts on
// views from their first second on.
func (t *Tracker) isAtOnce(h handover) bool {
	for _, members := range []map[Key]*peer{t.acting, h.members} {
		for k, p := range members {
			if k != t.self() && !p.HandsOver {
				return true
			}
		}
	}
	return false
}

// isDue reports whether others may act on the view in a second.
func (h handover) isDue(second int64) bool { return second >= h.from+handOver }

// isClaimed reports whether nobody acts on a view before one that is handed over, in a second: all
// who might have claimed it before they decided what they do then.
func (t *Tracker) isClaimed(i int, second int64) bool {
	for _, p := range t.latest {
		if p.ID == t.o.Self || p.Claim.Lineage != t.lineage || t.isDone(p) || t.comesAfter(i, p) {
			continue
		}
		if sent, ok := t.handovers[i].claimed[p.key]; !ok || sent >= second*1000-period {
			return false
		}
	}
	return true
}

// comesAfter reports whether one is a member of views only after one that is handed over.
func (t *Tracker) comesAfter(i int, p *peer) bool {
	for _, h := range t.handovers[:i+1] {
		if h.members[p.key] != nil {
			return false
		}
	}
	return t.acting[p.key] == nil && slices.ContainsFunc(t.handovers[i+1:], func(h handover) bool { return h.members[p.key] != nil })
}

// isDone reports whether one acts no more: it has left, or the server was there for as long as it
// takes to stop, and it wrote nothing.
func (t *Tracker) isDone(p *peer) bool {
	silence := t.heardBack - max(p.Sent, t.contact)
	return !p.listed && (p.Leaving != 0 || silence >= hearing) || silence >= deafAfter
}

// deafAfter is how old a replica's last heartbeat that came back from the server is when it
// cannot know any more whether it has been taken over.
const deafAfter = lostAfter + period

// isDeaf reports whether not even this replica's own heartbeats come back from the server.
func (t *Tracker) isDeaf(second int64) bool {
	return t.o.Server && t.heardBack >= t.slept && t.heardBack != 0 && second*1000-t.heardBack >= deafAfter
}

// isAway reports whether the server is away, as far as this replica can see: it is deaf, and no
// majority has voted it out.
func (t *Tracker) isAway(second int64) bool {
	if !t.isDeaf(second) {
		return false
	}
	against := 0
	for k, p := range t.acting {
		if k != t.self() && (votesOut(p.Votes, t.self()) || votesOut(p.Settled, t.self())) {
			against++
		}
	}
	return 2*against <= len(t.acting)
}

// actsOn returns the members of the view that this replica acts on in a second, if it may be
// acted on.
func (t *Tracker) actsOn() map[Key]*peer {
	if t.o.Server {
		return t.acting
	}
	return t.members
}

// isActing reports whether this replica has a share in a second.
func (t *Tracker) isActing(second int64) bool {
	if !t.o.Server {
		return t.isMember()
	}
	if t.asked == 0 || t.acting[t.self()] == nil {
		return false
	}
	for _, h := range t.handovers {
		if h.isDue(second) && h.members[t.self()] == nil {
			return false
		}
	}
	return true
}

// knows reports whether this replica knows enough to act in a second: the view of it, or, with
// a server, that nobody else has its share.
func (t *Tracker) knows(second int64) bool {
	switch {
	case t.known == second || !t.o.Server:
		return t.known == second
	case t.known > second, t.heardBack <= t.slept:
		return false
	}
	return !t.isDeaf(second) || t.isAway(second)
}

// votesOut reports whether one of the votes is that an incarnation leaves or is lost.
func votesOut(votes Votes, k Key) bool {
	for _, kind := range []uint64{leaves, lost, lostBefore} {
		if _, ok := votes.of(k.vote(kind)); ok {
			return true
		}
	}
	return false
}

// arc returns this replica's share in a second: in doubt what it owns in all views that
// others may act on.
func (t *Tracker) arc(v share.View, second int64) share.Arc {
	arc := v.Arc(t.o.Self)
	for _, h := range t.handovers {
		if h.isDue(second) {
			list := listOf(h.members)
			arc = arc.Intersect(share.NewPartialView(list, t.weightOf(list)).Arc(t.o.Self))
		}
	}
	return arc
}

// isHandingOver reports whether this replica is no member any more, but has to let the others
// know that it has agreed.
func (t *Tracker) isHandingOver() bool {
	return t.o.Server && t.lineage != 0 && t.leaving != 0 && t.asked != 0
}
