package membership

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// says reports whether a seat has voted something by an instant, as the rules put it.
func says(v Votes, k Key, kind uint64, at int64) bool {
	from, ok := v.of(k.vote(kind))
	if kind != lost {
		return ok && from&^hesitant <= at
	}
	until := func(end uint64) bool {
		to, ended := v.of(k.vote(end))
		return !ended || at < to
	}
	before, twice := v.of(k.vote(lostBefore))
	return ok && from <= at && until(found) || twice && before <= at && until(foundBefore)
}

// asked returns the result of one question, seat by seat.
func asked(seats []seat, k Key, kind uint64, at int64) (yes, no bool) {
	var yesNow, noNow, yesAhead, noAhead int
	for _, s := range seats {
		now, before := round(s.Sent) >= at, round(s.Sent) >= at-ahead
		switch voted := says(s.votes, k, kind, at); {
		case kind == lost && s.voter == k:
			noNow++
		case kind == lost && voted && now:
			yesNow++
		case kind == lost && !voted && before:
			noNow++
		case kind == lost:
		default:
			from, _ := s.votes.of(k.vote(kind))
			early := says(s.votes, k, kind, at-ahead)
			yesAhead, noAhead = yesAhead+count(early), noAhead+count(!early && before)
			halfhearted := voted && from&hesitant != 0
			yesNow, noNow = yesNow+count(voted && !halfhearted), noNow+count(halfhearted || !voted && now)
		}
	}
	n := len(seats)
	if kind == lost {
		return 2*yesNow > n, 2*noNow >= n
	}
	return 2*yesAhead > n || yesNow == n, 2*noAhead >= n && noNow > 0
}

// isVotedOn reports whether there is anything to count.
func isVotedOn(v Votes, k Key, kind uint64) bool {
	_, ok := v.of(k.vote(kind))
	_, before := v.of(k.vote(lostBefore))
	return ok || kind == lost && before
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// ballotAt is the instant of ballots.
const ballotAt = 1_000_000_300

// someVotes returns members, at random, with votes on each other and on two others.
func someVotes(rng *rand.Rand) (tr *Tracker, members map[Key]*peer, keys []Key) {
	n := 1 + rng.IntN(7)
	keys = make([]Key, n+2)
	for i := range keys {
		keys[i] = KeyOf(fmt.Sprint(i), rng.Int64())
	}
	members = map[Key]*peer{}
	for _, k := range keys[:n] {
		var votes []Vote
		for _, about := range keys {
			for kind := joins; kind <= foundBefore; kind++ {
				if rng.IntN(2) == 0 {
					votes = append(votes, Vote{For: about.vote(kind), At: ballotAt + 1000*(rng.Int64N(6)-3) + rng.Int64N(2)*hesitant*int64(count(kind < lost))})
				}
			}
		}
		h := &Heartbeat{ID: fmt.Sprint(k), Sent: ballotAt + 1000*(rng.Int64N(5)-3) + rng.Int64N(200), Votes: NewVotes(votes)}
		members[k] = &peer{key: k, Heartbeat: h}
	}
	return New(Options{Self: "nobody"}), members, keys
}

// TestABallotCountsWhatEachSeatSays compares the count of all questions in one pass with
// that of each on its own.
func TestABallotCountsWhatEachSeatSays(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 5))
	for range 2000 {
		tr, members, keys := someVotes(rng)
		var seats []seat
		for k, m := range members {
			seats = append(seats, seat{voter: k, Sent: m.Sent, votes: m.Votes})
		}
		n := len(seats)
		b := tr.ballot(outlook{base: members}, ballotAt)
		for _, k := range keys {
			q := b.on(k)
			for kind, result := range map[uint64]func() (yes, no bool){
				joins:  func() (yes, no bool) { return b.changes(q.joins) },
				leaves: func() (yes, no bool) { return b.changes(q.leaves) },
				lost:   func() (yes, no bool) { return b.loses(q.lost) },
			} {
				if !slices.ContainsFunc(seats, func(s seat) bool { return isVotedOn(s.votes, k, kind) }) {
					continue
				}
				yes, no := result()
				if wantYes, wantNo := asked(seats, k, kind, ballotAt); yes != wantYes || no != wantNo {
					t.Fatalf("%d seats, kind %d: %v and %v, want %v and %v", n, kind, yes, no, wantYes, wantNo)
				}
			}
		}
	}
}

// TestSuspicionsAreDroppedWhenTheyAreOver has all miss a heartbeat of one: nobody may carry
// that for ever.
func TestSuspicionsAreDroppedWhenTheyAreOver(t *testing.T) {
	w := formed(5)
	w.nodes[0].stopped = true
	w.run(w.now + 2000)
	w.nodes[0].stopped = false
	w.wake(w.nodes[0])
	w.run(w.now + 2000)
	carried := func() (n int) {
		for _, node := range w.nodes {
			n += len(node.tracker.votes)
		}
		return n
	}
	if carried() == 0 {
		t.Fatal("nobody was suspected")
	}
	w.run(w.now + (2*remembered+10)*1000)
	if n := carried(); n != 0 {
		t.Errorf("%d votes are carried for ever", n)
	}
}

// TestResultsHoldInAllViews compares a ballot of open seats with those of all the views that
// there may be.
func TestResultsHoldInAllViews(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 6))
	certain := 0
	for range 3000 {
		tr, members, keys := someVotes(rng)
		o := outlook{base: members, changed: map[Key]place{}}
		var open []Key
		for k := range members {
			if rng.IntN(3) == 0 && len(open) < 4 {
				open = append(open, k)
				o.changed[k] = place{inside | []stage{outside, wentOut}[rng.IntN(2)], members[k]}
			}
		}
		for _, k := range keys {
			b := tr.ballot(o, ballotAt)
			q, isKnown := b.on(k), b.isKnown()
			joinsYes, joinsNo := b.changes(q.joins)
			leavesYes, leavesNo := b.changes(q.leaves)
			lostYes, lostNo := b.loses(q.lost)
			for _, yes := range []bool{joinsYes, joinsNo, leavesYes, leavesNo, lostYes, lostNo} {
				certain += count(yes)
			}
			for taken := range 1 << len(open) {
				view := maps.Clone(members)
				for i, other := range open {
					if taken>>i&1 == 0 {
						delete(view, other)
					}
				}
				if len(view) == 0 {
					continue
				}
				one := tr.ballot(outlook{base: view}, ballotAt)
				is := one.on(k)
				yes, no := one.changes(is.joins)
				no = no || !is.joins.asked
				if joinsYes && !yes || joinsNo && !no {
					t.Fatalf("joins: %v and %v, but %v and %v in a view", joinsYes, joinsNo, yes, no)
				}
				yes, no = one.changes(is.leaves)
				no = no || !is.leaves.asked
				if leavesYes && !yes || leavesNo && !no {
					t.Fatalf("leaves: %v and %v, but %v and %v in a view", leavesYes, leavesNo, yes, no)
				}
				// Only a member can be lost.
				yes, no = one.loses(is.lost)
				no = no || !is.lost.asked
				if (members[k] == nil || view[k] != nil) && (lostYes && !yes || lostNo && !no) {
					t.Fatalf("is lost: %v and %v, but %v and %v in a view", lostYes, lostNo, yes, no)
				}
				if isKnown && !one.isKnown() {
					t.Fatal("enough is known, but not in a view")
				}
			}
		}
	}
	if certain == 0 {
		t.Fatal("nothing was certain")
	}
}
