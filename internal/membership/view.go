package membership

import (
	"cmp"
	"slices"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
)

// HasLeft is why a replica may not send that has left.
const HasLeft = "has left the fleet"

// View is who is a member in a second.
type View struct {
	Second int64
	// Share divides the slots that are due in the second.
	Share share.View
	// Arc is this replica's share, empty unless it is Live: if it may not send Why says
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
	// Agreed says that it is known who sends what in the second. It is not if too few members are
	// heard from: the members are then those of the last second that was agreed on.
	Agreed bool
	// Waiting says that this replica has reached none of those that it should.
	Waiting bool
}

// silenced returns the view without this replica's share.
func (v View) silenced(why string) View {
	v.Live, v.Why, v.Arc = false, why, share.Arc{}
	return v
}

// compose returns the view of a second.
func (t *Tracker) compose(second int64) View {
	v := View{Second: second, StoreUp: !t.isDeaf(second), Agreed: t.lineage != 0 && t.knows(second)}
	members := t.actsOn()
	v.Members, v.Lost = len(members), t.missing(second)
	v.Share = t.view.Share
	list := v.Share.Members()
	if !t.isList(list, members) {
		list = listOf(members)
	}
	if total := t.weightOf(list); total != t.total || !slices.Equal(list, v.Share.Members()) {
		v.Share, t.total = share.NewPartialView(list, total), total
	}
	v.Waiting = t.asked == 0 && t.Waits(second*1000-period)
	v.Live, v.Why = t.mayAct(second)
	if v.Live {
		v.Arc = t.arc(v.Share, second)
	}
	return v
}

// isList reports whether a list is that of members, as nearly always.
func (t *Tracker) isList(list []share.Member, members map[Key]*peer) bool {
	if len(list) != len(members) {
		return false
	}
	for _, m := range list {
		p := t.latest[m.ID]
		if p == nil || members[p.key] != p || p.Weight != m.Weight {
			return false
		}
	}
	return true
}

// listOf returns members in the order of their IDs.
func listOf(members map[Key]*peer) []share.Member {
	byID := make(map[string]*peer, len(members))
	for _, m := range members {
		// Of two incarnations of one replica the later one sends.
		if q := byID[m.ID]; q == nil || q.Asked < m.Asked {
			byID[m.ID] = m
		}
	}
	list := make([]share.Member, 0, len(byID))
	for id, m := range byID {
		list = append(list, share.Member{ID: id, Weight: m.Weight})
	}
	slices.SortFunc(list, func(a, b share.Member) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// weightOf returns the weight of a list of members, and of as many as MinReplicas of the
// heaviest at least, so that nobody has more than its share of MinReplicas.
func (t *Tracker) weightOf(list []share.Member) uint64 {
	heaviest, all := uint64(1), uint64(0)
	for _, m := range list {
		heaviest = max(heaviest, uint64(m.Weight))
		all += uint64(m.Weight)
	}
	least := t.o.MinReplicas
	if len(list) == 1 {
		least = max(least, t.o.MinReplicasAlone)
	}
	return all + uint64(max(0, least-len(list)))*heaviest
}

// missing returns how many members are not heard from, or were taken over.
func (t *Tracker) missing(second int64) int {
	n := 0
	for k, p := range t.peers {
		switch {
		case k == t.self():
		case t.members[k] != nil:
			if t.isSilent(p, second) {
				n++
			}
		case p.lost && p.listed && !p.replaced && t.latest[p.ID] == p:
			n++
		}
	}
	return n
}

func (t *Tracker) isSilent(p *peer, second int64) bool {
	return !t.isDeaf(second) && second*1000-max(p.Sent, t.contact) >= lostAfter+period
}

// mayAct reports whether this replica may send, and if not why.
func (t *Tracker) mayAct(second int64) (live bool, why string) {
	switch {
	case t.doubt != "":
		return false, t.doubt
	case t.leaving != 0 && !t.isMember() && !t.isActing(second) && !t.mayComeIn(second):
		return false, HasLeft
	case t.asked == 0 && t.Waits(second*1000-period):
		return false, "waits for the rest of the fleet: none of the replicas in join has been reached"
	case t.asked == 0:
		return false, "not registered in the fleet yet"
	case t.lineage == 0 && t.mayBeAlive(second*1000-period):
		return false, "waits for a majority of the fleet that was there"
	case t.lineage == 0 && t.isUnsure(second*1000-period):
		return false, "waits for the rest of the fleet: most of the replicas in join have not been reached"
	case t.lineage == 0, !t.isActing(second), t.known > second:
		return false, "joining the fleet"
	case t.isWaking(second):
		return false, "stood still and has yet to hear whether it was missed"
	case !t.knows(second):
		return false, "too few members are heard from to know who sends what"
	}
	return true, ""
}

// isWaking reports whether this replica stood still a moment ago and does not hear enough
// of the others yet to know that they have not done without it.
func (t *Tracker) isWaking(second int64) bool {
	return second*1000 < t.slept+waking && 2*t.heard(t.sent, hearing) <= len(t.members)
}

// mayComeIn reports whether this replica, which is leaving, may still be voted in: others
// may have asked for it before they heard that it leaves.
func (t *Tracker) mayComeIn(second int64) bool {
	if t.asked == 0 || t.isOut(t.self()) {
		return false
	}
	return t.announced == 0 || second*1000 < round(t.announced)+t.voteDelay()+ahead+period
}

// State is the state of a replica in a second.
type State string

// The states.
const (
	Waiting   State = "waiting"    // has reached none of those that it should
	Joining   State = "joining"    // has asked, does not count yet
	Live      State = "live"       // counts
	Leaving   State = "leaving"    // counts, and has announced its leave
	LostHeld  State = "lost"       // not heard from; its share is nobody's
	TakenOver State = "taken over" // not heard from; the others send its share
)

// Status is the known state of a replica.
type Status struct {
	Heartbeat
	State State
	// From is the second from which it counts, 0 if that is not known.
	From int64
}

// Statuses returns the states of the replicas that have not left, sorted by ID.
func (t *Tracker) Statuses() []Status {
	var all []Status
	for _, p := range t.latest {
		member := t.members[p.key] != nil
		if !member && (!p.listed || p.replaced || p.Leaving != 0 && p.out != 0) {
			continue
		}
		all = append(all, Status{Heartbeat: *p.Heartbeat, State: t.state(p, member), From: p.in})
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (t *Tracker) state(p *peer, member bool) State {
	silent := t.isSilent(p, t.view.Second)
	switch {
	case member && silent:
		return LostHeld
	case member && p.Leaving != 0:
		return Leaving
	case member && (t.lineage == 0 || p.in <= max(t.known, t.view.Second)):
		return Live
	case silent:
		return TakenOver
	case p.Asked == 0:
		return Waiting
	default:
		return Joining
	}
}
