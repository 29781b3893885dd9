package membership

import (
	"cmp"
	"maps"
	"slices"
)

// seat is the vote of a member, or of its heir if it is dead.
type seat struct {
	voter Key
	// Sent is until when what it voted is known.
	Sent  int64
	votes Votes
	// settled are votes that this replica has not come as far as to need no more.
	settled Votes
	// early and late say that all its votes are known ahead of a ballot's instant, and by it.
	early, late bool
}

// seat returns the seat of a member at an instant: from when on it has an heir, that is
// the heir's.
func (t *Tracker) seat(k Key, p *peer, at int64) seat {
	switch {
	case k == t.self(), k == t.heir && t.heirSince <= at:
		return seat{voter: k, Sent: t.sent, votes: t.said}
	case p.replaced:
		for _, q := range t.latest {
			if q.Heir == k && q.HeirSince <= at && q.ID != t.o.Self {
				return t.seatOf(k, q)
			}
		}
	}
	return t.seatOf(k, p)
}

// seatOf returns the seat of a member that another replica votes in.
func (t *Tracker) seatOf(k Key, p *peer) seat {
	s := seat{voter: k, Sent: p.Sent, votes: p.Votes}
	if p.Claim.Lineage != t.lineage || p.Claim.Second > t.known {
		s.settled = p.Settled
	}
	return s
}

// ballot holds the votes of the members of a view by an instant, as far as they are known.
type ballot struct {
	at    int64
	seats int
	// recent and now are the seats whose votes are known ahead of the instant, and by it. An
	// unknown vote was not cast if this replica hears all.
	recent, now int
	hearsAll    bool
	// questions are the questions voted on, in the order of their keys, and unasked is any
	// other.
	questions []question
	unasked   question
}

// question is how the seats stand to an incarnation.
type question struct {
	key           Key
	joins, leaves standing
	lost          suspicion
}

// standing is how many seats have voted that an incarnation joins, or leaves.
type standing struct {
	// asked says that one has, whenever.
	asked bool
	// early have by ahead of the instant, and late by it and not hesitantly; hesitant by it.
	early, late, hesitant int
	// earlyKnown and lateKnown are the seats whose votes until then are known.
	earlyKnown, lateKnown int
}

// suspicion is how many seats say that an incarnation is lost.
type suspicion struct {
	// asked says that one has said so, whenever; by how many do at the instant, and surely they
	// cannot have taken it back; ahead of them are known ahead of the instant.
	asked         bool
	surely, ahead int
	// itself says that the incarnation has a seat, and itselfAhead that this is known ahead of
	// the instant.
	itself, itselfAhead bool
}

// ballot counts what the members of a view have voted by an instant. That is work by the
// number of votes alone: all questions are counted in one pass over those of each seat. The
// next ballot takes its memory over.
func (t *Tracker) ballot(members map[Key]*peer, at int64) *ballot {
	b := &ballot{at: at, seats: len(members), hearsAll: t.hearsAll(), questions: t.questions[:0]}
	for k, m := range members {
		s := t.seat(k, m, at)
		b.add(&s)
		b.count(&s, s.votes)
		b.count(&s, s.settled)
	}
	t.questions = b.questions
	for i := range b.questions {
		q := &b.questions[i]
		if m := members[q.key]; m != nil {
			q.lost.itself, q.lost.itselfAhead = true, b.hearsAll || round(t.seat(q.key, m, at).Sent) >= at-ahead
		}
	}
	return b
}

// add adds a seat.
func (b *ballot) add(s *seat) {
	sent := round(s.Sent)
	if sent >= b.at-ahead {
		b.recent++
	}
	if sent >= b.at {
		b.now++
	}
	s.early, s.late = b.hearsAll || sent >= b.at-ahead, b.hearsAll || sent >= b.at
}

// count counts some of the votes of a seat.
func (b *ballot) count(s *seat, votes Votes) {
	for i := 0; len(votes) > 0; {
		k, kind := split(votes[0].For)
		n := 1
		for n < len(votes) && Key(votes[n].For&^7) == k {
			n++
		}
		if kind == isIn || kind == isOut {
			votes = votes[n:]
			continue
		}
		for i < len(b.questions) && b.questions[i].key < k {
			i++
		}
		if i == len(b.questions) || b.questions[i].key != k {
			b.questions = slices.Insert(b.questions, i, question{key: k})
		}
		b.ask(&b.questions[i], s, votes[:n])
		votes = votes[n:]
	}
}

// ask counts what a seat has voted on one incarnation.
func (b *ballot) ask(q *question, s *seat, votes []Vote) {
	for _, v := range votes {
		switch _, kind := split(v.For); kind {
		case joins:
			b.stand(&q.joins, s, v.At)
		case leaves:
			b.stand(&q.leaves, s, v.At)
		case lost, lostBefore:
			q.lost.asked = true
		}
	}
	// Nobody takes itself for lost.
	if s.voter == q.key || !saysLost(votes, b.at) {
		return
	}
	if s.late {
		q.lost.surely++
	}
	if s.early {
		q.lost.ahead++
	}
}

// stand counts a seat's vote that one joins or leaves, by its stamp.
func (b *ballot) stand(to *standing, s *seat, stamp int64) {
	to.asked = true
	from := stamp &^ hesitant
	if from <= b.at-ahead {
		to.early++
		if s.early {
			to.earlyKnown++
		}
	}
	if from > b.at {
		return
	}
	if stamp != from {
		to.hesitant++
	} else {
		to.late++
	}
	if s.late {
		to.lateKnown++
	}
}

// on returns the question of an incarnation, one that nobody has voted on if there is none.
func (b *ballot) on(k Key) *question {
	i, ok := slices.BinarySearchFunc(b.questions, k, func(q question, k Key) int { return cmp.Compare(q.key, k) })
	if !ok {
		return &b.unasked
	}
	return &b.questions[i]
}

// isKnown reports whether no change can have been made that nobody here knows of: more
// than half may have made one that was voted a while ago, and all of them one that was
// voted by the instant.
func (b *ballot) isKnown() bool {
	return b.hearsAll || 2*b.recent >= b.seats && b.now > 0
}

// known returns of how many seats it is known what they had voted ahead of the instant,
// and by it.
func (b *ballot) known() (recent, now int) {
	if b.hearsAll {
		return b.seats, b.seats
	}
	return b.recent, b.now
}

// changes returns whether it is certain that one joins or leaves, or that it does not: it
// does if more than half have said so ahead of the instant, or all by it. A member that is
// cut off has not agreed to what the others do then, and so knows for longer that nothing
// has changed.
func (b *ballot) changes(s standing) (yes, no bool) {
	recent, now := b.known()
	mostNot, notAll := recent-s.earlyKnown, now-s.lateKnown+s.hesitant
	return 2*s.early > b.seats || s.late == b.seats, 2*mostNot >= b.seats && notAll > 0
}

// loses returns whether it is certain that one is lost, or that it is not: it is if more
// than half say so at the instant. Such votes are cast ahead.
func (b *ballot) loses(s suspicion) (yes, no bool) {
	recent, _ := b.known()
	not := recent - s.ahead
	if s.itself && !s.itselfAhead {
		not++
	}
	return 2*s.surely > b.seats, 2*not >= b.seats
}

// most returns how many views may be possible in a fleet of n before it is no use to follow
// them all. Following one is work by the size of the fleet, and many are possible where
// heartbeats are late: a replica that has too little of a processor must not need more of it then.
func most(n int) int { return max(4, min(64, 64*calm/max(1, n))) }

// possibility is a view that there may be.
type possibility struct {
	members map[Key]*peer
	// gone are those that went out since the last view that was agreed on.
	gone map[Key]bool
}

func (v possibility) equal(o possibility) bool {
	return maps.Equal(v.members, o.members) && maps.Equal(v.gone, o.gone)
}

// step works out which views the second after the last that was tallied may have, if
// enough is known.
//
// That more than half have voted yes by an instant is a fact, and so is that at least
// half have not: a replica that knows one of them comes to the same view. Where neither is known
// both are followed, until they come to the same.
func (t *Tracker) step(second int64) bool {
	var next []possibility
	for _, v := range t.possible {
		views, ok := t.follow(v, second)
		if !ok || len(next)+len(views) > most(len(t.members)) {
			return false
		}
		for _, v := range views {
			if !slices.ContainsFunc(next, v.equal) {
				next = append(next, v)
			}
		}
	}
	t.tallied, t.possible = second, next
	return true
}

// follow returns the views that may follow one in a second.
func (t *Tracker) follow(view possibility, second int64) (next []possibility, ok bool) {
	b := t.ballot(view.members, second*1000-t.voteDelay())
	if !b.isKnown() {
		return nil, false
	}
	d := &division{views: []possibility{view}}
	for _, q := range b.questions {
		left, stays := false, true
		if q.leaves.asked && !view.gone[q.key] && !t.isOut(q.key) { // Also before it has come in.
			left, stays = b.changes(q.leaves)
		}
		if q.joins.asked && view.members[q.key] == nil && !view.gone[q.key] && !t.isOut(q.key) {
			// A member that has been voted out does not come in again.
			yes, no := b.changes(q.joins)
			yes, no = yes && stays, no || left
			if !no && t.peers[q.key] == nil {
				return nil, false // It has to be heard of first.
			}
			d.divide(change{key: q.key, comes: t.peers[q.key]}, yes, no)
		}
		d.divide(change{key: q.key}, left, stays)
		if q.lost.asked && view.members[q.key] != nil {
			yes, no := b.loses(q.lost)
			d.divide(change{key: q.key}, yes, no)
		}
		if len(d.views) > most(len(t.members)) {
			return nil, false
		}
	}
	return d.views, true
}

// change is one of a view: an incarnation that comes in, or one that goes out.
type change struct {
	key   Key
	comes *peer
}

// division is the views that there may be after some changes.
type division struct {
	views []possibility
	// owned says that the views are copies of those before, and may be modified.
	owned bool
}

// divide makes a change in all views if it is certain, and in a copy of each if neither
// that nor the contrary is.
func (d *division) divide(c change, yes, no bool) {
	switch {
	case no:
	case yes:
		if !d.owned {
			d.views = cloned(d.views)
			d.owned = true
		}
		for i := range d.views {
			d.views[i].make(c)
		}
	default:
		others := cloned(d.views)
		for i := range others {
			others[i].make(c)
		}
		if !d.owned {
			d.views = cloned(d.views)
			d.owned = true
		}
		d.views = append(d.views, others...)
	}
}

func cloned(views []possibility) []possibility {
	all := make([]possibility, len(views))
	for i, v := range views {
		all[i] = possibility{members: maps.Clone(v.members), gone: maps.Clone(v.gone)}
	}
	return all
}

// make makes a change.
func (v *possibility) make(c change) {
	if c.comes != nil {
		v.members[c.key] = c.comes
		return
	}
	if v.gone == nil {
		v.gone = map[Key]bool{}
	}
	v.gone[c.key] = true
	delete(v.members, c.key)
}

// hearsAll reports whether this replica has heard everything that was said: the store keeps
// everything, and this replica's own heartbeat came back.
func (t *Tracker) hearsAll() bool { return t.o.Server && t.heardBack > t.slept }

// isOut reports whether an incarnation was a member and is one no more: it does not come
// back.
func (t *Tracker) isOut(k Key) bool {
	p := t.peers[k]
	return p != nil && p.out != 0
}
