package membership

// Said is what this replica's next heartbeat has to say.
type Said struct {
	Asked, Leaving int64
	Heir           Key
	HeirSince      int64
	Claim          Claim
	Votes, Settled Votes
}

// Beat casts this replica's votes and returns what its heartbeat of an instant says.
// Whatever it returns has to be sent.
func (t *Tracker) Beat(now int64) Said {
	now = max(now, t.sent+1)
	// Later than all that can be known from the heartbeat before.
	t.stamp = round(now)
	if t.sent != 0 {
		t.stamp = max(t.stamp, round(t.sent)+period)
	}
	t.sent = now
	if t.leaving != 0 && t.announced == 0 {
		t.announced = now
	}
	if t.begun == 0 {
		t.begun = now
	}
	t.ask(now)
	t.inherit(now)
	if t.mayBeMember() || t.heir != 0 {
		t.vote(now)
	}
	t.found(now)
	t.describe()
	t.say()
	said := Said{Asked: t.asked, Leaving: t.leaving, Heir: t.heir, HeirSince: t.heirSince, Votes: t.said, Settled: t.settled}
	if t.isMember() || t.isHandingOver() {
		said.Claim = t.claim()
		said.Claim.Majority = 2*t.heard(now, lostAfter) > len(t.members)
	}
	return said
}

// say puts the votes that were cast into the order in which they are sent.
func (t *Tracker) say() {
	votes, settled := make([]Vote, 0, len(t.votes)), make([]Vote, 0, len(t.votes))
	for v, at := range t.votes {
		if t.isSettled(v) {
			settled = append(settled, Vote{For: v, At: at})
		} else {
			votes = append(votes, Vote{For: v, At: at})
		}
	}
	t.said, t.settled = NewVotes(votes), NewVotes(settled)
}

// isSettled reports whether a vote changes nothing after the second that this replica
// claims.
func (t *Tracker) isSettled(vote uint64) bool {
	if !t.isMember() {
		return false
	}
	switch k, kind := split(vote); kind {
	case isIn, isOut:
		return true
	case joins:
		return t.members[k] != nil || t.isOut(k)
	case leaves:
		return t.isOut(k)
	case lost, found:
		return t.isOut(k) || t.isPast(k, found)
	default:
		return t.isOut(k) || t.isPast(k, foundBefore)
	}
}

// isPast reports whether a vote that one is lost had ended when what comes after the last
// view was voted.
func (t *Tracker) isPast(k Key, end uint64) bool {
	at, ended := t.votes[k.vote(end)]
	return ended && at <= (t.known+1)*1000-t.voteDelay()
}

// Waits reports whether this replica waits for those that it should find.
func (t *Tracker) Waits(now int64) bool {
	return t.o.Seeds && !t.met && (t.begun == 0 || now < t.begun+t.o.StartAloneAfter*1000)
}

// isUnsure reports whether this replica founds no fleet with those that it has met: others
// that it should find may have one.
func (t *Tracker) isUnsure(now int64) bool {
	return t.unreached && t.begun != 0 && now < t.begun+t.o.StartAloneAfter*1000
}

// ask asks to count, once there is no doubt that all who can be found have been.
func (t *Tracker) ask(now int64) {
	if t.asked == 0 && t.leaving == 0 && !t.Waits(now) {
		t.asked = now
	}
}

// inherit takes the seat of the member that this replica follows at its address, once
// all that it has said has been heard: it is dead, and should not be missed in a vote.
func (t *Tracker) inherit(now int64) {
	if t.heir != 0 && t.members[t.heir] == nil {
		t.heir, t.heirSince = 0, 0 // Its votes stay: they count for its own seat, and others have heard them.
	}
	if t.heir != 0 || t.o.Address == "" || t.lineage == 0 || t.asked == 0 || t.isMember() || now < t.asked+hearing {
		return
	}
	for k, m := range t.members {
		if m.replaced && m.ID != t.o.Self && m.Address == t.o.Address && m.Sent < t.asked && round(m.Sent) < t.stamp-ahead && !t.isInherited(k) {
			t.heir, t.heirSince = k, t.stamp
			t.inheritVotes(m.Votes)
			t.inheritVotes(m.Settled)
			t.say()
		}
	}
}

func (t *Tracker) inheritVotes(votes Votes) {
	for _, v := range votes {
		if _, kind := split(v.For); kind != isIn && kind != isOut {
			t.votes[v.For] = v.At
		}
	}
}

func (t *Tracker) isInherited(k Key) bool {
	for _, p := range t.heirs {
		if p.Heir == k && p.ID != t.o.Self {
			return true
		}
	}
	return false
}

// vote casts votes. Those who do not hear a majority have none that counts, and would
// only leave the others in doubt about it.
func (t *Tracker) vote(now int64) {
	heard := t.heard(now, hearing)
	if 2*heard <= len(t.members) {
		return
	}
	stamp := t.stamp
	if heard < len(t.members) || heard > calm || t.isShort() {
		// All can hardly agree by the same round, or not all will know that they have.
		stamp += hesitant
	}
	for k := range t.disputed() {
		t.cast(k.vote(leaves), stamp)
	}
	sentVotes, life := t.ballot(outlook{base: t.members}, t.sent), t.probation(now)
	for k, p := range t.peers {
		switch {
		case t.members[k] == nil:
			if p.Sent-p.Asked+period/4 >= life && t.isWelcome(now, p, sentVotes.on(k)) {
				t.cast(k.vote(joins), stamp)
			}
		case t.hasLeft(k, p) || sentVotes.on(k).leaves.asked:
			t.cast(k.vote(leaves), stamp)
		case k != t.self():
			t.suspect(now, k, p)
		}
	}
}

// isShort reports whether a member is known to be dead.
func (t *Tracker) isShort() bool {
	for k, p := range t.members {
		if k != t.self() && p.replaced {
			return true
		}
	}
	return false
}

// disputed are those whose membership can no longer be decided: some voted and died, or
// have not been heard of since. Nothing can be sent until they are out, one way or the
// other.
func (t *Tracker) disputed() map[Key]*peer {
	all := map[Key]*peer{}
	if t.tallied < t.known+2 {
		return all
	}
	o := union(t.possible)
	for k, c := range o.changed {
		if c.stages.isOpen() && c.stages&inside != 0 {
			all[k] = c.peer
		}
	}
	return all
}

// isWelcome reports whether one that asks should join.
func (t *Tracker) isWelcome(now int64, p *peer, sentVotes *question) bool {
	switch {
	case p.Asked == 0, p.Leaving != 0, !p.listed, p.replaced, now-p.Sent >= hearing, p.out != 0:
		return false
	case p.Claim.Lineage != 0 && p.Claim.Lineage != t.lineage:
		return false // It has a fleet of its own, which it has to give up first.
	case sentVotes.leaves.asked, sentVotes.lost.asked:
		return false // It was a member, and is on its way out.
	}
	return true
}

// probation returns for how long a replica that asks to join must live before it does: for
// longer than those that die soon after they were started, if any do.
func (t *Tracker) probation(now int64) int64 {
	young, early := 0, 0
	for _, p := range t.peers {
		if p.Asked == 0 || p.Leaving != 0 || now-p.Sent >= crashing || !p.replaced && now-max(p.Sent, t.contact) < hearing {
			continue
		}
		// Who has asked anew lives on as another incarnation.
		if q := t.latest[p.ID]; q != nil && q != p {
			continue
		}
		switch life := p.Sent - p.Asked; {
		case life < diesYoung:
			young++
		case life < diesEarly:
			early++
		}
	}
	switch {
	case early > 0 && early+young > 1:
		return provenLater
	case young > 0:
		return provenAfter
	default:
		return 0
	}
}

// hasLeft reports whether a member has announced its leave, or has gone without.
func (t *Tracker) hasLeft(k Key, p *peer) bool {
	if k == t.self() {
		return t.leaving != 0
	}
	return p.Leaving != 0 || p.replaced || !p.listed && t.sent-p.Sent >= hearing
}

// cast votes, unless it has been.
func (t *Tracker) cast(vote uint64, at int64) {
	if _, done := t.votes[vote]; !done {
		t.votes[vote] = at
	}
}

// suspect votes that a member is lost, or no longer so.
func (t *Tracker) suspect(now int64, k Key, p *peer) {
	_, voted := t.votes[k.vote(lost)]
	end, ended := t.votes[k.vote(found)]
	last := max(p.Sent, t.contact)
	if t.o.Server {
		now = t.heardBack // What a server has not been there to carry out is not missed.
	}
	switch silent := now-last >= hearing; {
	case voted && !ended && !silent:
		t.votes[k.vote(found)] = t.stamp
	case !silent, voted && !ended:
	case voted:
		if _, twice := t.votes[k.vote(foundBefore)]; twice && !t.isOver(k, foundBefore) {
			return
		}
		t.votes[k.vote(lostBefore)], t.votes[k.vote(foundBefore)] = t.votes[k.vote(lost)], end
		delete(t.votes, k.vote(found))
		fallthrough
	default:
		// Ahead of its time, so that a member that is cut off knows for as long that it has not
		// been voted lost. All have heard the same last heartbeat, mostly.
		t.votes[k.vote(lost)] = max(t.stamp+ahead, round(last)+lostAfter)
	}
}

// isOver reports whether a vote that one is lost ended so long ago that nobody has to count
// it any more.
func (t *Tracker) isOver(k Key, end uint64) bool {
	at, ended := t.votes[k.vote(end)]
	return ended && t.known*1000-at >= remembered*1000
}

// describe says what this replica's claim contains, where that cannot be seen, and drops
// votes that nobody needs any more.
func (t *Tracker) describe() {
	for v := range t.votes {
		k, kind := split(v)
		p := t.peers[k]
		switch {
		case kind == isIn || kind == isOut:
			delete(t.votes, v)
		case kind == found && t.isOver(k, found):
			delete(t.votes, k.vote(lost))
			delete(t.votes, v)
		case kind == foundBefore && t.isOver(k, foundBefore):
			delete(t.votes, k.vote(lostBefore))
			delete(t.votes, v)
		case p == nil,
			t.members[k] == nil && p.out != 0 && t.known > p.out+remembered,
			kind == joins && p.in != 0 && t.known > p.in+remembered:
			delete(t.votes, v)
		}
	}
	if !t.isMember() {
		return
	}
	for v := range t.votes {
		if k, _ := split(v); t.isOut(k) {
			t.votes[k.vote(isOut)] = gone
		}
	}
	for k, p := range t.peers {
		shows := p.listed && p.Claim.Lineage == t.lineage
		switch member := t.members[k] != nil; {
		case member && !shows:
			t.votes[k.vote(isIn)] = 1
		case !member && shows && t.isOut(k):
			t.votes[k.vote(isOut)] = gone
		case !member && shows:
			t.votes[k.vote(isOut)] = absent
		}
	}
}
