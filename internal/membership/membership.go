// Package membership decides who is a member of the fleet in each second, from nothing
// but heartbeats.
//
// The members of a second vote, in their heartbeats, on who joins, leaves or is lost. A
// change takes effect in the first second that more than half of the members of the
// second before have voted for it settle earlier. That is a fact, which everybody who
// knows enough votes finds alike, and a replica sends only in seconds for which it does:
// so no slot has two owners, however late heartbeats come and whichever members are cut
// off. Timing only decides how often a second stays undecided, and then nothing is sent.
// The argument is in docs/design/0012-membership-by-votes.md.
//
// It reads no clock and talks to nobody. Seconds are whole ones in Unix time, instants
// Unix milliseconds.
package membership

import (
	"cmp"
	"maps"
	"slices"
)

const (
	// period is the time between heartbeats, in which votes are cast.
	period = 1000
	// BeatAt is how many milliseconds into a second a round begins.
	BeatAt = 300
	// BeatSpread is within how many milliseconds from then all send their heartbeats. Members
	// of a second are decided 750 ms before it, which is as long after these at least.
	BeatSpread = 200
	// voteDelay is from the round of a vote to the second in which it counts, if all members
	// agree; serverDelay is added if heartbeats go through a server, which takes longer.
	voteDelay, serverDelay = 2000 - BeatAt, period
	// ahead is how much earlier more than half have to agree if not all do, and how much
	// earlier than it counts a vote that one is lost is cast.
	ahead = period
	// calm is in how large a fleet one tries to have changes that all agree on at once: in
	// larger ones heartbeats take too long to everybody for all to know that they do.
	calm = 16
	// lostAfter is from the round of one's last heartbeat to the vote that it is lost.
	lostAfter = 3000
	// hearing is how old the last heartbeat of one may be who is heard from: that of the last
	// round, not of one before.
	hearing = 1500
	// waking is for how long one that stood still listens if it hears no majority.
	waking = 4000
	// foundAfter is how long a replica looks for others before it founds a fleet.
	foundAfter = 1500
	// founding is how many seconds ahead a fleet is founded, for others to hear of it.
	founding = 2
	// diesYoung is how long a life is that ends in a crash too soon, provenAfter how long one
	// has to live to join while there were such crashes within the last crashing.
	diesYoung, provenAfter, crashing = 4500, 8000, 60_000
	// diesEarly and provenLater are the same if it happened more than once: one such death is
	// no loop yet, and its successor should not have to wait.
	diesEarly, provenLater = 10_000, 12_000
	// recent bounds, in seconds, how far others may be ahead of a replica that works views out
	// from their votes, and remembered for how many seconds of agreed views votes are kept for
	// that.
	recent, remembered = 15, 25
)

// Options are a replica's settings and its knowledge of the fleet.
type Options struct {
	// Self is the ID of this replica, Address and Weight those in its heartbeats.
	Self, Address string
	Weight        uint32
	// MinReplicas is the least number of members that the rate is divided among, and
	// MinReplicasAlone while there is only one. With fewer members each sends as much less of
	// its own share, so that replicas which have another number never send the same slot.
	MinReplicas, MinReplicasAlone int
	// ForgetAfter is for how many seconds there may be no majority before those who are
	// left found a fleet of their own.
	ForgetAfter int64
	// Seeds says that this replica knows of others, so that to hear none of them is a doubt. It
	// is one for StartAloneAfter seconds.
	Seeds           bool
	StartAloneAfter int64
	// Server says that heartbeats go through a server, not from replica to replica. It carries
	// writes out one after the other, so that a replica which reads its own heartbeat has read all
	// that was written before. While it is away those who were members go on.
	Server bool
}

// peer is an incarnation that has been heard of.
type peer struct {
	// Heartbeat is its last one, never nil.
	*Heartbeat
	key Key
	// listed says that the store lists it, and replaced that it was seen to be followed by
	// another incarnation, or by another replica at its address.
	listed, replaced bool
	// out is the second from which it is a member no more, lost that it did not leave.
	out  int64
	lost bool
	// in is the second from which it is a member.
	in int64
}

// Tracker follows the heartbeats, votes and decides. It is not safe for concurrent use.
type Tracker struct {
	o Options
	// peers are the incarnations that are listed or are members, and latest the last one of
	// each ID.
	peers  map[Key]*peer
	latest map[string]*peer
	// heirs are those of them who vote in the seat of another, by ID.
	heirs map[string]*peer
	// heardLast are those that were listed last, in that order.
	heardLast []*peer
	// questions is the memory of the last ballot.
	questions []question
	// lineage is that of the view, 0 if there is none. members are those in known, which is
	// the last second that was agreed on.
	lineage uint64
	// despaired is the lineage that was given up for want of a majority.
	despaired uint64
	members   map[Key]*peer
	known     int64
	// possible are the outlooks of the second tallied; a view of one of them is true.
	possible []outlook
	tallied  int64
	view     View
	// acting are the members of the last view that all are known to have agreed on, and handovers
	// the later ones, if there is a server.
	acting    map[Key]*peer
	handovers []handover
	// total is the weight that the view's shares are of.
	total uint64

	// What this replica says in its heartbeats.
	sent, asked, leaving int64
	// own is the key of the incarnation that asked at ownAsked.
	own      Key
	ownAsked int64
	// announced is when a heartbeat first said that it leaves.
	announced int64
	heir      Key
	heirSince int64
	votes     map[uint64]int64
	// said and settled are the votes as the last heartbeat said them.
	said, settled Votes
	// stamp is that of the votes that are cast now.
	stamp int64

	// begun is when it began to look for others, met says that it has heard one, and unreached
	// that it has not found out about most of its seeds.
	begun          int64
	met, unreached bool
	// heardBack is the last of its own heartbeats that came back from the store, and contact
	// when the store was back.
	heardBack, contact int64
	// slept is when this replica last stood still.
	slept int64
	// absent is from when on a majority or a member has been missing, 0 if none is.
	absent int64
	doubt  string
}

// New returns a tracker that has heard nothing.
func New(o Options) *Tracker {
	return &Tracker{
		o: o, peers: map[Key]*peer{}, latest: map[string]*peer{}, heirs: map[string]*peer{}, members: map[Key]*peer{},
		votes: map[uint64]int64{},
	}
}

// self returns the key of this replica's incarnation.
func (t *Tracker) self() Key {
	if t.own == 0 || t.ownAsked != t.asked {
		t.own, t.ownAsked = KeyOf(t.o.Self, t.asked), t.asked
	}
	return t.own
}

// isMember reports whether this replica is one in the last second that was agreed on.
func (t *Tracker) isMember() bool { return t.asked != 0 && t.members[t.self()] != nil }

// mayBeMember reports whether this replica is one in a view that there may be: its votes
// count if that is the true one.
func (t *Tracker) mayBeMember() bool {
	return t.isMember() || t.asked != 0 && slices.ContainsFunc(t.possible, func(o outlook) bool { return o.member(t.self()) != nil })
}

// Hear takes in, at an instant, all heartbeats that the store lists. They must not be
// modified afterwards; one that was heard before costs next to nothing, if it is in the same
// place.
func (t *Tracker) Hear(now int64, heartbeats []*Heartbeat) {
	for _, p := range t.peers {
		p.listed = false
	}
	first := false
	heard := t.heardLast[:0]
	for i, h := range heartbeats {
		if i < len(t.heardLast) && t.heardLast[i].Heartbeat == h {
			t.heardLast[i].listed = true
			heard = append(heard, t.heardLast[i])
			continue
		}
		p, isFirst := t.hear(now, h)
		heard, first = append(heard, p), first || isFirst
	}
	t.heardLast = heard
	if first {
		t.succeed()
	}
	t.noteClaims()
	t.yield()
}

// hear takes in a heartbeat, and reports whether it is the first of an incarnation.
func (t *Tracker) hear(now int64, h *Heartbeat) (p *peer, first bool) {
	old := t.latest[h.ID]
	if old != nil && (h == old.Heartbeat || h.Sent < old.Sent) {
		old.listed = true // The known heartbeat is newer: a store may be read behind its watch.
		return old, false
	}
	if h.ID == t.o.Self {
		if t.heardBack != 0 && h.Sent-t.heardBack > lostAfter {
			t.contact = now // The server was away.
		}
		t.heardBack = max(t.heardBack, h.Sent)
	} else if now-h.Sent < lostAfter {
		t.met = true
	}
	p = old
	if p == nil || p.Asked != h.Asked {
		p = t.peer(h.Key())
	}
	if old != nil && old != p {
		old.replaced = true
	}
	first = p.ID == ""
	p.Heartbeat, p.listed = h, true
	t.latest[h.ID] = p
	if h.Heir != 0 {
		t.heirs[h.ID] = p
	} else {
		delete(t.heirs, h.ID)
	}
	return p, first
}

// peer returns the peer of an incarnation, which may be new and empty.
func (t *Tracker) peer(k Key) *peer {
	p := t.peers[k]
	if p == nil {
		p = &peer{key: k, Heartbeat: &Heartbeat{}}
		t.peers[k] = p
	}
	return p
}

// succeed finds out who has been followed by another at its address.
func (t *Tracker) succeed() {
	last := map[string]*peer{}
	for _, p := range t.latest {
		if q := last[p.Address]; p.Address != "" && p.Asked != 0 && (q == nil || p.Asked > q.Asked) {
			last[p.Address] = p
		}
	}
	for _, p := range t.peers {
		if q := last[p.Address]; q != nil && q.ID != p.ID && q.Asked > p.Sent {
			p.replaced = true
		}
	}
}

// Leave makes this replica announce that it leaves.
func (t *Tracker) Leave(now int64) {
	if t.leaving == 0 {
		t.leaving = now
	}
}

// Unreached sets whether half or more of those that this replica should find have been
// neither reached nor found to be absent: they may be a fleet already.
func (t *Tracker) Unreached(half bool) { t.unreached = half }

// Slept notes that this replica stood still until an instant: it has yet to hear what
// others have said meanwhile.
func (t *Tracker) Slept(now int64) { t.slept = now }

// SetBack notes that this replica's clock was set back: what it said before is void.
func (t *Tracker) SetBack() {
	t.retire()
	t.sent, t.heardBack, t.slept = 0, 0, 0
	clear(t.peers)
	clear(t.latest)
	clear(t.heirs)
	t.heardLast = nil
}

// retire ends this replica's membership: it must ask again.
func (t *Tracker) retire() {
	t.lineage, t.known, t.asked, t.heir, t.heirSince, t.absent = 0, 0, 0, 0, 0, 0
	t.members, t.votes = map[Key]*peer{}, map[uint64]int64{}
	t.said, t.settled = nil, nil
	t.possible, t.tallied = nil, 0
	t.acting, t.handovers = nil, nil
	t.view = t.view.silenced("joining the fleet")
}

// Doubt sets the reason why this replica should not send, whatever the heartbeats say; the
// empty string means that it may.
func (t *Tracker) Doubt(why string) { t.doubt = why }

// Decide returns who is a member in a second. Called again for a second that could not
// be decided, it may have heard enough by then.
func (t *Tracker) Decide(second int64) View {
	t.advance(second)
	if t.lineage != 0 && t.wasOut() {
		t.retireKeeping()
	}
	t.despair(second)
	t.forget(second)
	t.takeOver(second)
	t.view = t.compose(second)
	return t.view
}

// voteDelay is from the round of a vote that all agree on to the second in which it counts.
func (t *Tracker) voteDelay() int64 {
	if t.o.Server {
		return voteDelay + serverDelay
	}
	return voteDelay
}

// advance works out the views up to a second, as far as they can be.
func (t *Tracker) advance(second int64) {
	if !t.tally(second) {
		t.adopt(second)
		t.tally(second)
	}
}

// tally works out the views up to a second from the votes, and reports whether it could.
func (t *Tracker) tally(second int64) bool {
	if t.lineage == 0 || t.isBehind() {
		return false
	}
	// From the last agreed one on: a view that was in doubt may be known by now.
	t.tallied, t.possible = t.known, []outlook{{base: t.members}}
	for t.lineage != 0 && t.tallied < second && t.step(t.tallied+1) {
		if o := t.possible[0]; len(t.possible) == 1 && o.isCertain() {
			t.part(o, t.tallied)
			t.agree(o.view(), t.tallied)
		}
	}
	return t.known >= second
}

// part notes who has gone out by a second, also of those who came in after the last view
// that was agreed on: nobody comes in twice.
func (t *Tracker) part(o outlook, second int64) {
	for k, c := range o.changed {
		if p := t.peer(k); c.stages == wentOut && p.out == 0 && t.members[k] == nil {
			p.out = second
		}
	}
}

// isBehind reports whether others are so far ahead that they may have dropped votes
// which this replica has not counted.
func (t *Tracker) isBehind() bool {
	for k := range t.members {
		if p := t.peers[k]; p != nil && p.Claim.Lineage == t.lineage && p.Claim.Second > t.known+recent {
			return true
		}
	}
	return false
}

// agree makes a view the one that this replica acts on.
func (t *Tracker) agree(members map[Key]*peer, second int64) {
	for k, p := range t.members {
		if members[k] == nil {
			p.out, p.lost = second, p.Leaving == 0 && !p.replaced
		}
	}
	for k, p := range members {
		if t.members[k] == nil && p.in == 0 {
			p.in = second
		}
	}
	t.hand(members, min(second, t.known+1), second)
	t.known, t.tallied = second, second
	t.members, t.possible = members, []outlook{{base: members}}
	if len(members) == 0 {
		t.retire()
	}
}

// wasOut reports whether this replica's incarnation was a member and is one no more.
func (t *Tracker) wasOut() bool {
	p := t.peers[t.self()]
	return t.asked != 0 && t.leaving == 0 && !t.isMember() && p != nil && p.out != 0
}

// despair gives a view up that has had no majority, or a member that it cannot vote on,
// for long.
func (t *Tracker) despair(second int64) {
	if t.lineage == 0 || t.isDeaf(second) {
		t.absent = 0
		return
	}
	now := second*1000 - period
	short := t.known < second && (t.isMember() || t.known < second-2)
	if !short && 2*t.heard(now, lostAfter) <= len(t.members) {
		short = true
	}
	switch {
	case !short:
		t.absent = 0
	case t.absent == 0:
		t.absent = now
	case now-t.absent >= t.o.ForgetAfter*1000, t.othersAreDead(now):
		lineage := t.lineage
		t.retire()
		t.despaired, t.met = lineage, true
	}
}

// othersAreDead reports whether those members who are not heard have all been followed
// by others at their addresses: nobody is left who could be cut off.
func (t *Tracker) othersAreDead(now int64) bool {
	for k, m := range t.members {
		if k != t.self() && now-m.Sent >= lostAfter && !t.isFollowed(m, now) {
			return false
		}
	}
	return now-t.absent >= lostAfter
}

// isFollowed reports whether one is dead for certain, and that who followed it is heard
// from.
func (t *Tracker) isFollowed(p *peer, now int64) bool {
	if !p.replaced {
		return false
	}
	if q := t.latest[p.ID]; q != nil && q != p {
		return q.ID == t.o.Self || now-q.Sent < lostAfter
	}
	for _, q := range t.latest {
		if q.Address == p.Address && q.Asked > p.Sent && (q.ID == t.o.Self || now-q.Sent < lostAfter) {
			return true
		}
	}
	return false
}

// heard returns how many members were heard from within a time before an instant.
func (t *Tracker) heard(now, within int64) int {
	n := 0
	for k, p := range t.members {
		if k == t.self() || now-t.seat(k, p, now).Sent < within {
			n++
		}
	}
	return n
}

// forget drops incarnations that are over and done with.
func (t *Tracker) forget(second int64) {
	maps.DeleteFunc(t.peers, func(k Key, p *peer) bool {
		old := second-max(p.Sent/1000, p.in, p.out) > 2*remembered
		return t.members[k] == nil && !p.listed && t.latest[p.ID] != p && old
	})
	maps.DeleteFunc(t.latest, func(id string, p *peer) bool {
		old := t.members[p.key] == nil && !p.listed && second*1000-p.Sent > remembered*1000
		if old {
			delete(t.heirs, id)
		}
		return old
	})
}

// sorted returns the incarnations in an order that does not depend on chance.
func sorted(peers map[Key]*peer) []*peer {
	return slices.SortedFunc(maps.Values(peers), func(a, b *peer) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Asked, b.Asked))
	})
}
