// Package membership decides who is a member of the fleet in each second, from
// nothing but the heartbeats that were heard: replicas that have heard the same decide
// the same, so that their views change at the same instant.
//
// Joins and leaves are announced and take effect Settle later, when everyone has heard
// of them. A member whose heartbeats are missing is lost; what was its part of the
// rate is divided among the others once those that are heard from are a majority, or
// when it has been lost for long. It reads no clock and talks to nobody: seconds are
// arguments, in Unix time.
package membership

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
)

// Reasons not to send that are told in several places.
const (
	whyAway    = "was away and has yet to come back to the fleet"
	whyUnheard = "its own heartbeats are not heard"
)

// Seconds are whole ones in Unix time, and so are the stamps of announcements; instants
// are in Unix milliseconds.
const (
	// Settle is how many seconds after the stamp of its announcement a join or a leave
	// takes effect: at least 2 s after the announcement itself, as stamps are rounded
	// down.
	Settle = 3
	// lost is the age in milliseconds of a member's last heartbeat in the second in which
	// it is lost: 3 to 5 s after it has died.
	lost = 4000
	// fresh is the age of a heartbeat in the second for which a member counts towards a
	// majority. When members are decided the last heartbeat of one that is well is at most
	// 1.75 s away from that second, and its time on the way: that may be 0.65 s. When a
	// partition cuts off several, their last heartbeats are at most 1 s apart, and the
	// difference of their times on the way: that may be 0.6 s without any of them being
	// fresh when the first of them is lost, so that the smaller side would take itself for
	// the larger.
	fresh = 2400
	// parted is for how many seconds in a row there has to be no majority to speak of a
	// partition, and reunion for how many seconds after it nobody is taken over: not all
	// of those who are back are heard in the same second.
	parted, reunion = 3, 2
	// remember is for how many seconds members that have left are kept, to tell heartbeats
	// that come late from those of new members.
	remember = 120
)

// Heartbeat is what a replica last told about itself.
type Heartbeat struct {
	ID     string
	Weight uint32
	// Sent is when it was sent, in milliseconds by the sender's clock, as are all of these.
	Sent int64
	// Registered is the second in which the replica registered.
	Registered int64
	// Since, if not 0, is a later second from which the replica wants to count anew: it
	// was away, so that the others may have taken over its part.
	Since int64
	// Leaving is the second in which it announced its leave, or 0.
	Leaving int64
}

// joins returns the second from which the replica counts by its own announcement.
func (h Heartbeat) joins() int64 { return max(h.Registered+Settle, h.Since) }

// leaves returns the second from which it does not count any more.
func (h Heartbeat) leaves() int64 {
	if h.Leaving == 0 {
		return math.MaxInt64
	}
	return h.Leaving + Settle
}

// settles returns the second from which what the heartbeat tells is known to everyone.
func (h Heartbeat) settles() int64 { return h.Sent/1000 + Settle }

// member is a replica that has been heard of.
type member struct {
	Heartbeat
	// from is the second from which it counts here.
	from int64
	// taken tells that its part has been taken over, in second takenAt.
	taken   bool
	takenAt int64
	// gone tells that the store does not list it any more.
	gone bool
}

// counts reports whether it is a member in a second, lost or not.
func (m *member) counts(second int64) bool { return m.from <= second && second < m.leaves() }

// Options are what all replicas of a fleet have in common, but for Self.
type Options struct {
	// Self is the ID of this replica.
	Self string
	// MinReplicas is the least number of members that the rate is divided among. Parts
	// beyond the members that there are nobody sends.
	MinReplicas int
	// ForgetAfter is for how many seconds a member has to be lost before its part is
	// taken over although those that are heard are not a majority.
	ForgetAfter int64
}

// Tracker follows the heartbeats and decides. It is not safe for concurrent use.
type Tracker struct {
	o       Options
	members map[string]*member
	// decided is the last second that was decided, and view what.
	decided int64
	view    View
	// contact is the second from which heartbeats are heard again after none was for a
	// while: nobody is lost before it has had the time to send one.
	contact int64
	// away, if not 0, is the second in which this replica found that it had been away. It
	// does not count until it has asked for a later one.
	away int64
	// without is for how many seconds in a row there has been no majority, and wary the
	// second from which a majority takes over.
	without, wary int64
	// doubt is why this replica should not send, whatever the heartbeats say.
	doubt string
}

// New returns a tracker that has heard nothing.
func New(o Options) *Tracker {
	return &Tracker{o: o, members: map[string]*member{}, decided: math.MinInt64, contact: math.MinInt64}
}

// Hear takes in what the store lists, all of it each time.
func (t *Tracker) Hear(heartbeats []Heartbeat) {
	for _, m := range t.members {
		m.gone = true
	}
	for _, h := range heartbeats {
		if m := t.members[h.ID]; m != nil {
			m.gone = false
			t.update(m, h)
		} else {
			t.members[h.ID] = &member{Heartbeat: h, from: t.admits(h)}
		}
	}
}

// admits returns the second from which a replica counts that was not known before. To
// hear of it after it should have counted, while counting oneself, means that two fleets
// have met: it comes in at a second that all who hear of it now agree on.
func (t *Tracker) admits(h Heartbeat) int64 {
	if t.view.Live && h.ID != t.o.Self && h.joins() <= t.decided {
		return max(h.settles(), t.decided+1)
	}
	return h.joins()
}

func (t *Tracker) update(m *member, h Heartbeat) {
	if h.Sent < m.Sent {
		return // Older than what is known: a store may be read behind its watch.
	}
	back := m.taken && h.Sent > m.Sent
	rejoined := h.Registered > m.Registered
	m.Heartbeat = h
	switch {
	case back && h.Since > m.takenAt:
		m.taken, m.from = false, h.Since
	case back:
		m.taken, m.from = false, max(h.settles(), t.decided+1)
	case rejoined:
		m.from = t.admits(h)
	case !t.view.Live:
		// It may have been away while this replica was, and the others know.
		m.from = max(m.from, h.joins())
	}
}

// Away tells that this replica has been away, until the given second: it did not run.
// It does not count until it has announced a second from which it wants to, which
// Heartbeat.Since is.
func (t *Tracker) Away(second int64) {
	t.away = second
	t.view = t.view.silenced(whyAway)
}

// IsAway reports whether Away was called and this replica has yet to announce a second
// from which it counts again.
func (t *Tracker) IsAway() bool {
	m := t.members[t.o.Self]
	return t.away != 0 && (m == nil || m.Since < t.away)
}

// Doubt tells why this replica should not send, whatever the heartbeats say; the empty
// string that it may.
func (t *Tracker) Doubt(why string) { t.doubt = why }

// Decide returns who is a member in a second, which has to be greater than in the
// call before.
func (t *Tracker) Decide(second int64) View {
	t.decided = second
	if t.isReturning(second) {
		// It may not have heard yet of those who live.
		t.view = t.compose(second)
		t.view.StoreUp = !t.isDeaf(second)
		return t.view
	}
	if t.isDeaf(second) {
		// Not even this replica's own heartbeats are heard: the store is away, not the
		// fleet. What was agreed on stays.
		t.contact = math.MaxInt64
		t.view.Second, t.view.StoreUp = second, false
		if !t.view.Live && t.view.Why == "" {
			t.view.Why = whyUnheard
		}
		return t.view
	}
	if t.contact == math.MaxInt64 {
		t.contact = second
	}
	t.takeOver(second)
	t.forget(second)
	t.view = t.compose(second)
	return t.view
}

// isReturning reports whether this replica was away and does not count again yet.
func (t *Tracker) isReturning(second int64) bool {
	return t.away != 0 && (t.IsAway() || second < t.members[t.o.Self].Since)
}

// isDeaf reports whether no member, this replica among them, has been heard from for as
// long as it takes to be lost.
func (t *Tracker) isDeaf(second int64) bool {
	if t.members[t.o.Self] == nil {
		return false
	}
	for _, m := range t.members {
		if second*1000 < m.Sent+lost {
			return false
		}
	}
	return true
}

// isLost reports whether a member has not been heard from for so long that it is lost,
// and for some seconds more than that.
func (t *Tracker) isLost(m *member, second, more int64) bool {
	last := m.Sent
	if t.contact != math.MinInt64 {
		last = max(last, t.contact*1000)
	}
	return (second-more)*1000 >= last+lost
}

// isForgotten reports whether a member has been lost for so long that it does not count
// towards a majority any more.
func (t *Tracker) isForgotten(m *member, second int64) bool {
	return t.isLost(m, second, t.o.ForgetAfter)
}

// takeOver decides whose part is taken over. Once it is, it stays so until the member
// is heard from again.
func (t *Tracker) takeOver(second int64) {
	majority := t.hasMajority(second)
	switch {
	case !majority:
		t.without++
	case t.without >= parted:
		t.wary = second + reunion
		fallthrough
	default:
		t.without = 0
	}
	for _, m := range t.members {
		if m.taken || !m.counts(second) || !t.isLost(m, second, 0) {
			continue
		}
		if majority && second >= t.wary || t.isForgotten(m, second) {
			m.taken, m.takenAt = true, second
		}
	}
}

// hasMajority reports whether more than half of the members are heard from.
func (t *Tracker) hasMajority(second int64) bool {
	all, heard := 0, 0
	for _, m := range t.members {
		if !m.counts(second) || t.isForgotten(m, second) {
			continue
		}
		all++
		if second*1000 < m.Sent+fresh {
			heard++
		}
	}
	return 2*heard > all
}

// forget drops members that are over and done with.
func (t *Tracker) forget(second int64) {
	maps.DeleteFunc(t.members, func(_ string, m *member) bool {
		return m.gone && (second >= m.leaves()+remember || m.taken && second >= m.takenAt+remember)
	})
}

// compose returns the view of a second.
func (t *Tracker) compose(second int64) View {
	v := View{Second: second, StoreUp: true}
	var list []share.Member
	for _, m := range t.members {
		if !m.counts(second) {
			continue
		}
		if t.isLost(m, second, 0) {
			v.Lost++
		}
		if !m.taken {
			list = append(list, share.Member{ID: m.ID, Weight: m.Weight})
		}
	}
	v.Members = len(list)
	list = t.pad(list)
	slices.SortFunc(list, compareMembers)
	v.Share = t.view.Share
	if !slices.Equal(list, v.Share.Members()) {
		v.Share = share.NewView(list)
	}
	v.Live, v.Why = t.isLive(second)
	if v.Live {
		v.Arc = v.Share.Arc(t.o.Self)
	}
	return v
}

func compareMembers(a, b share.Member) int { return cmp.Compare(a.ID, b.ID) }

// pad adds members that nobody is until there are MinReplicas. They weigh as much as
// the heaviest, so that nobody has more than its part of MinReplicas.
func (t *Tracker) pad(list []share.Member) []share.Member {
	heaviest := uint32(1)
	for _, m := range list {
		heaviest = max(heaviest, m.Weight)
	}
	for i := len(list); i < t.o.MinReplicas; i++ {
		list = append(list, share.Member{ID: fmt.Sprintf("\xff%d", i), Weight: heaviest})
	}
	return list
}

// isLive reports whether this replica may send, and if not why.
func (t *Tracker) isLive(second int64) (live bool, why string) {
	m := t.members[t.o.Self]
	switch {
	case t.doubt != "":
		return false, t.doubt
	case m == nil:
		return false, "not registered in the fleet yet"
	case second >= m.leaves():
		return false, "has left the fleet"
	case t.IsAway():
		return false, whyAway
	case second < m.from, second < m.Since:
		return false, "joining the fleet"
	case m.taken:
		return false, whyUnheard
	case second*1000 < m.Sent-2000:
		return false, "its clock was set back"
	}
	return true, ""
}
