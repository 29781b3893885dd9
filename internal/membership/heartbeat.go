package membership

import (
	"cmp"
	"hash/fnv"
	"math/bits"
	"slices"
)

// Heartbeat is a replica's last report about itself. Instants are in Unix milliseconds
// by its own clock.
type Heartbeat struct {
	ID     string
	Weight uint32
	// Address is where it listens. Nobody else can at the same time, so that a newcomer
	// there proves its predecessor dead; empty if addresses prove nothing.
	Address string
	// Sent is when it was sent.
	Sent int64
	// Asked is when the replica asked to count, 0 while it does not. It asks anew, as
	// another incarnation, after it was taken out.
	Asked int64
	// Leaving is when it announced its leave, or 0.
	Leaving int64
	// Heir is the dead predecessor in whose seat it votes, or 0, and HeirSince from when on.
	Heir      Key
	HeirSince int64
	// Claim is the last view that it has agreed on.
	Claim Claim
	// HandsOver says that with a server it acts on a view only once all have claimed it. Version
	// 0.1.0 does not.
	HandsOver bool
	// Votes are its own votes. Settled are those that made their difference by the second of
	// its claim, and those that state what its claim contains: a replica that has come as far
	// need not look at them.
	Votes, Settled Votes
}

// Key returns the key of the replica's incarnation.
func (h *Heartbeat) Key() Key { return KeyOf(h.ID, h.Asked) }

// Claim says which incarnations are members in a second. It is zero for a replica that
// is no member.
type Claim struct {
	// Lineage is the founding that the view descends from. Of two the lower one is older.
	Lineage uint64
	Second  int64
	Hash    uint64
	// Majority says that more than half of the members are heard from.
	Majority bool
}

// Key is an incarnation of a replica: of each ID, from when it asked to count until it
// is taken out. Bit 62 is set, bit 63 and the last three are not.
type Key uint64

// keyBit marks keys, and the votes made of them.
const keyBit = 1 << 62

// KeyOf returns the key of a replica that asked to count at an instant.
func KeyOf(id string, asked int64) Key {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // It never fails.
	x := splitMix64(h.Sum64() ^ splitMix64(uint64(asked)))
	return Key(x&^(1<<63|7) | keyBit)
}

// splitMix64 spreads the bits of a number (the finalizer of SplitMix64).
func splitMix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// Vote is the instant of its stamp, and its subject: a key, and in its last three bits a
// kind.
type Vote struct {
	For uint64
	At  int64
}

// Votes are in the order of their subjects, one for each. Do not modify them: other
// heartbeats share them.
type Votes []Vote

// NewVotes returns votes that come in any order. It takes the slice over.
func NewVotes(votes []Vote) Votes {
	slices.SortFunc(votes, compareVotes)
	return slices.CompactFunc(votes, func(a, b Vote) bool { return a.For == b.For })
}

func compareVotes(a, b Vote) int { return cmp.Compare(a.For, b.For) }

// of returns the stamp of the vote for something, and whether there is one.
func (v Votes) of(vote uint64) (at int64, ok bool) {
	i, ok := slices.BinarySearchFunc(v, vote, func(v Vote, vote uint64) int { return cmp.Compare(v.For, vote) })
	if !ok {
		return 0, false
	}
	return v[i].At, true
}

// IsVote reports whether a number is one that votes are kept under.
func IsVote(number uint64) bool { return bits.LeadingZeros64(number) == 1 }

// What a vote says of an incarnation, from the instant of its stamp on. Stamps are the
// beginnings of rounds. Votes for a join and a leave stay. A vote that it
// is lost ends when it is heard from again; the last two such votes are kept, with their
// ends, for those who still have to count them.
const (
	joins uint64 = iota
	leaves
	lost
	found
	lostBefore
	foundBefore
	// isIn and isOut are no votes: they say what the sender's claim contains, for those
	// incarnations whose own heartbeats do not show it. In the place of a stamp isOut has
	// whether the incarnation is gone for good.
	isIn
	isOut
)

// What isOut says: that an incarnation has been a member and will be none any more, or
// only that it is none.
const (
	gone int64 = 1 + iota
	absent
)

func (k Key) vote(kind uint64) uint64 { return uint64(k) | kind }

func split(vote uint64) (k Key, kind uint64) { return Key(vote &^ 7), vote & 7 }

// hesitant is added to the stamp of a vote that is to count only if a majority stands by
// it for longer, and not at once because all agree.
const hesitant = 1

// round returns the beginning of the round that an instant is in: all heartbeats that
// are sent in it cast their votes at this instant.
func round(instant int64) int64 { return instant - (instant-BeatAt)%period }

// saysLost reports whether votes on one incarnation, which may be of other kinds too, say
// that it is lost at an instant.
func saysLost(votes []Vote, at int64) bool {
	var last, before bool
	for _, v := range votes {
		switch _, kind := split(v.For); kind {
		case lost:
			last = v.At <= at
		case found:
			last = last && at < v.At
		case lostBefore:
			before = v.At <= at
		case foundBefore:
			before = before && at < v.At
		}
	}
	return last || before
}
