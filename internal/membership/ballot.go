package membership

import (
	"maps"
	"slices"
)

// seat is the vote of a member, or of its heir if it is dead.
type seat struct {
	// Sent is until when what it voted is known.
	Sent  int64
	votes Votes
}

// seat returns the seat of a member at an instant: from when on it has an heir, that is
// the heir's.
func (t *Tracker) seat(k Key, p *peer, at int64) seat {
	switch {
	case k == t.self(), k == t.heir && t.heirSince <= at:
		return seat{Sent: t.sent, votes: t.votes}
	case p.replaced:
		for _, q := range t.latest {
			if q.Heir == k && q.HeirSince <= at && q.ID != t.o.Self {
				return seat{Sent: q.Sent, votes: q.Votes}
			}
		}
	}
	return seat{Sent: p.Sent, votes: p.Votes}
}

// ballot is what the members of a view have voted by an instant, as far as that is known.
type ballot struct {
	seats map[Key]seat
	at    int64
	// hearsAll tells that what is not known was not voted.
	hearsAll bool
}

// isKnown reports whether no change can have been made that nobody here knows of: more
// than half may have made one that was voted a while ago, and all of them one that was
// voted by the instant.
func (b ballot) isKnown() bool {
	recent, now := 0, 0
	for _, s := range b.seats {
		if round(s.Sent) >= b.at-ahead {
			recent++
		}
		if round(s.Sent) >= b.at {
			now++
		}
	}
	return b.hearsAll || 2*recent >= len(b.seats) && now > 0
}

// result returns whether it is certain that a change is made, or that it is not.
//
// One is lost if more than half say so at the instant. It joins or leaves if more than
// half have said so ahead of the instant, or all by it: whoever is cut off has not agreed
// to what the others do then, and so knows for longer that nothing has changed.
func (b ballot) result(k Key, kind uint64) (yes, no bool) {
	n := len(b.seats)
	if kind == lost {
		p := b.poll(func(voter Key, s seat) (yes, no bool) {
			switch says := s.votes.agrees(k, lost, b.at); {
			case voter == k:
				return false, true // Nobody takes itself for lost.
			case says:
				return b.knows(s, b.at), false // It may have been taken back.
			default:
				// Such votes are cast ahead.
				return false, b.knows(s, b.at-ahead)
			}
		})
		return 2*p.yes > n, 2*p.no >= n
	}
	most := b.poll(func(_ Key, s seat) (yes, no bool) {
		yes = s.votes.agrees(k, kind, b.at-ahead)
		return yes, !yes && b.knows(s, b.at-ahead)
	})
	all := b.poll(func(_ Key, s seat) (yes, no bool) {
		yes = s.votes.agrees(k, kind, b.at)
		if yes && s.votes.isHesitant(k, kind) {
			return false, true
		}
		return yes, !yes && b.knows(s, b.at)
	})
	return 2*most.yes > n || all.yes == n, 2*most.no >= n && all.no > 0
}

// knows reports whether all is known that a seat had voted by an instant.
func (b ballot) knows(s seat, at int64) bool { return b.hearsAll || round(s.Sent) >= at }

// tallies are how the members stand to a question: those who have voted yes, and those
// who are known not to have.
type tallies struct{ yes, no int }

// poll asks all seats.
func (b ballot) poll(ask func(voter Key, s seat) (yes, no bool)) (p tallies) {
	for voter, s := range b.seats {
		yes, no := ask(voter, s)
		if yes {
			p.yes++
		}
		if no {
			p.no++
		}
	}
	return p
}

// most returns how many views may be possible in a fleet of n before it is no use to follow
// them all. Following one is work by the size of the fleet, and many are possible where
// heartbeats are late: whoever has too little of a processor must not need more of it then.
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
// half have not: whoever knows one of them comes to the same view. Where neither is known
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
	members := view.members
	b := ballot{seats: make(map[Key]seat, len(members)), at: second*1000 - t.settle(), hearsAll: t.hearsAll()}
	asked := map[uint64]bool{}
	for k, m := range members {
		s := t.seat(k, m, b.at)
		b.seats[k] = s
		for v := range s.votes {
			asked[v] = true
		}
	}
	if !b.isKnown() {
		return nil, false
	}
	next = []possibility{view}
	for v := range asked {
		k, kind := split(v)
		m := members[k]
		switch {
		case kind == joins && m == nil && !view.gone[k] && !t.isOut(k):
		case kind == leaves && !view.gone[k] && !t.isOut(k): // Also before it has come in.
		case kind == lost && m != nil:
		default:
			continue
		}
		yes, no := b.result(k, kind)
		if kind == joins {
			// Whoever has been voted out again does not come in any more.
			left, stays := b.result(k, leaves)
			yes, no = yes && stays, no || left
		}
		switch {
		case no:
		case kind == joins && t.peers[k] == nil, len(next) > most(len(t.members)):
			return nil, false // It has to be heard of first.
		case yes:
			next = changed(next, k, t.peers[k], kind)
		default:
			next = append(next, changed(next, k, t.peers[k], kind)...)
		}
	}
	return next, true
}

// changed returns the views after a change.
func changed(views []possibility, k Key, p *peer, kind uint64) []possibility {
	all := make([]possibility, len(views))
	for i, v := range views {
		all[i] = possibility{maps.Clone(v.members), v.gone}
		if kind == joins {
			all[i].members[k] = p
			continue
		}
		all[i].gone = maps.Clone(v.gone)
		if all[i].gone == nil {
			all[i].gone = map[Key]bool{}
		}
		all[i].gone[k] = true
		delete(all[i].members, k)
	}
	return all
}

// hearsAll reports whether what has not been heard has not been said: the store keeps
// everything, and what this replica has told it came back.
func (t *Tracker) hearsAll() bool { return t.o.Server && t.heardBack > t.slept }

// isOut reports whether an incarnation was a member and is one no more: it does not come
// back.
func (t *Tracker) isOut(k Key) bool {
	p := t.peers[k]
	return p != nil && p.out != 0
}
