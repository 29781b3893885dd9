package membership

import (
	"cmp"
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
	// open says that it may be nobody's, as the member may be none.
	open bool
}

// tally counts seats: of those who are members for certain, and of those who may be.
type tally struct{ certain, open int }

func (t *tally) add(s *seat) {
	if s.open {
		t.open++
	} else {
		t.certain++
	}
}

func (t tally) plus(o tally) tally  { return tally{t.certain + o.certain, t.open + o.open} }
func (t tally) minus(o tally) tally { return tally{t.certain - o.certain, t.open - o.open} }

// seat returns the seat of a member at an instant: from when on it has an heir, that is
// the heir's.
func (t *Tracker) seat(k Key, p *peer, at int64) seat {
	switch {
	case k == t.self(), k == t.heir && t.heirSince <= at:
		return seat{voter: k, Sent: t.sent, votes: t.said}
	case p.replaced:
		for _, q := range t.heirs {
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

// ballot holds the votes of the members of a second by an instant, as far as they are known.
type ballot struct {
	at    int64
	seats tally
	// recent and now are the seats whose votes are known ahead of the instant, and by it.
	recent, now tally
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
	early, late, hesitant tally
	// earlyKnown and lateKnown are the seats whose votes until then are known.
	earlyKnown, lateKnown tally
}

// suspicion is how many seats say that an incarnation is lost.
type suspicion struct {
	// asked says that one has said so, whenever; by how many do at the instant, and surely they
	// cannot have taken it back; ahead of them are known ahead of the instant.
	asked         bool
	surely, ahead tally
	// itself is the seat of the incarnation, if it has one and one has said so.
	itself seat
}

// ballot counts what the members of a second have voted by an instant. That is work by the
// number of votes alone: all questions are counted in one pass over those of each seat. The
// next ballot takes its memory over.
func (t *Tracker) ballot(o outlook, at int64) *ballot {
	b := &ballot{at: at, questions: t.questions[:0]}
	for k, m := range o.members() {
		s := t.seat(k, m, at)
		s.open = o.isOpen(k)
		b.add(&s)
		b.count(&s, s.votes)
		b.count(&s, s.settled)
	}
	t.questions = b.questions
	for i := range b.questions {
		q := &b.questions[i]
		if m := o.member(q.key); q.lost.asked && m != nil {
			q.lost.itself = t.seat(q.key, m, at)
			q.lost.itself.open, q.lost.itself.early = o.isOpen(q.key), round(q.lost.itself.Sent) >= at-ahead
		}
	}
	return b
}

// add adds a seat.
func (b *ballot) add(s *seat) {
	sent := round(s.Sent)
	s.early, s.late = sent >= b.at-ahead, sent >= b.at
	b.seats.add(s)
	if s.early {
		b.recent.add(s)
	}
	if s.late {
		b.now.add(s)
	}
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
		q.lost.surely.add(s)
	}
	if s.early {
		q.lost.ahead.add(s)
	}
}

// stand counts a seat's vote that one joins or leaves, by its stamp.
func (b *ballot) stand(to *standing, s *seat, stamp int64) {
	to.asked = true
	from := stamp &^ hesitant
	if from <= b.at-ahead {
		to.early.add(s)
		if s.early {
			to.earlyKnown.add(s)
		}
	}
	if from > b.at {
		return
	}
	if stamp != from {
		to.hesitant.add(s)
	} else {
		to.late.add(s)
	}
	if s.late {
		to.lateKnown.add(s)
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

// lead returns by how much the seats of a tally are more than the others, in the view, of all
// that there may be, in which they are fewest: an open seat is taken unless that helps.
func (b *ballot) lead(t tally) int {
	return 2*t.certain - b.seats.certain - b.seats.minus(t).open
}

// isKnown reports whether no change can have been made that nobody here knows of: more
// than half may have made one that was voted a while ago, and all of them one that was
// voted by the instant.
func (b *ballot) isKnown() bool { return b.lead(b.recent) >= 0 && b.now.certain > 0 }

// changes returns whether it is certain that one joins or leaves, or that it does not: it
// does if more than half have said so ahead of the instant, or all by it. A member that is
// cut off has not agreed to what the others do then, and so knows for longer that nothing
// has changed.
func (b *ballot) changes(s standing) (yes, no bool) {
	mostNot, notAll := b.recent.minus(s.earlyKnown), b.now.minus(s.lateKnown).plus(s.hesitant)
	return b.lead(s.early) > 0 || s.late == b.seats, b.lead(mostNot) >= 0 && notAll.certain > 0
}

// loses returns whether it is certain that one is lost, if it is a member, or that it is not:
// it is if more than half say so at the instant. Such votes are cast ahead.
func (b *ballot) loses(s suspicion) (yes, no bool) {
	not := b.recent.minus(s.ahead)
	// Its own seat is taken in each view that matters, and it does not take itself for lost.
	switch {
	case s.itself.voter == 0:
	case !s.itself.early:
		not.certain++
	case s.itself.open:
		not = not.plus(tally{certain: 1, open: -1})
	}
	return b.lead(s.surely) > 0, b.lead(not) >= 0
}

// most returns how many outlooks are followed, each on its own, in a fleet of n, before they
// become one. Following one is work by the size of the fleet, and there are many where
// heartbeats are late: a replica that has too little of a processor must not need more of it then.
func most(n int) int { return max(4, min(64, 32*calm/max(1, n))) }

// step works out which views the second after the last that was tallied may have, if
// enough is known.
//
// That more than half have voted yes by an instant is a fact, and so is that at least
// half have not: a replica that knows one of them comes to the same view. Where neither is known
// both are followed, until they come to the same.
func (t *Tracker) step(second int64) bool {
	var next []outlook
	for _, o := range t.possible {
		all, ok := t.follow(o, second)
		if !ok {
			return false
		}
		for _, o := range all {
			if !slices.ContainsFunc(next, o.equal) {
				next = append(next, o)
			}
		}
		if len(next) > most(len(t.members)) {
			next = []outlook{union(next)}
		}
	}
	t.tallied, t.possible = second, next
	return true
}

// follow returns the outlooks that may follow one in a second.
func (t *Tracker) follow(o outlook, second int64) (next []outlook, ok bool) {
	b := t.ballot(o, second*1000-t.voteDelay())
	if !b.isKnown() {
		return nil, false
	}
	next = []outlook{o}
	copied := false
	for i := range b.questions {
		k := b.questions[i].key
		before, p := o.stage(k), o.member(k)
		if before == wentOut || t.isOut(k) {
			continue
		}
		after := b.stages(&b.questions[i], before)
		if after == before {
			continue
		}
		if p == nil {
			p = t.peers[k]
		}
		if after&inside != 0 && p == nil {
			return nil, false // It has to be heard of first.
		}
		if !copied {
			next, copied = []outlook{o.clone()}, true
		}
		next = divide(next, k, place{stages: after, peer: p}, most(len(t.members)))
	}
	return next, true
}

// divide changes the place of an incarnation in outlooks. If it is an open one each becomes one
// for each of its stages, but for more than the limit.
func divide(all []outlook, k Key, to place, limit int) []outlook {
	if !to.stages.isOpen() || 2*len(all) > limit {
		for _, o := range all {
			o.set(k, to)
		}
		return all
	}
	var divided []outlook
	for _, o := range all {
		for s := outside; s <= wentOut; s <<= 1 {
			if to.stages&s != 0 {
				one := o.clone()
				one.set(k, place{stages: s, peer: to.peer})
				divided = append(divided, one)
			}
		}
	}
	return divided
}

// stages returns at which stages an incarnation may be after a ballot, from those before. Its
// results hold in all views that there may be.
func (b *ballot) stages(q *question, before stage) (after stage) {
	left, stays := false, true
	if q.leaves.asked { // Also before it has come in.
		left, stays = b.changes(q.leaves)
	}
	leave := func(s stage, goes, stays bool) {
		switch {
		case goes:
			after |= wentOut
		case stays:
			after |= s
		default:
			after |= s | wentOut
		}
	}
	if before&outside != 0 {
		comes := outside
		if q.joins.asked {
			switch yes, no := b.changes(q.joins); {
			case yes:
				comes = inside
			case !no:
				comes = outside | inside
			}
		}
		leave(comes, left, stays)
	}
	if before&inside != 0 {
		lost, found := false, true
		if q.lost.asked {
			lost, found = b.loses(q.lost)
		}
		leave(inside, left || lost, stays && found)
	}
	return after | before&wentOut
}

// isOut reports whether an incarnation was a member and is one no more: it does not come
// back.
func (t *Tracker) isOut(k Key) bool {
	p := t.peers[k]
	return p != nil && p.out != 0
}
