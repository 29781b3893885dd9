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
	// grace is for how many seconds more than Settle one that was taken over is waited for
	// to announce when it comes back, in case its first heartbeat does not.
	grace = 2
	// remember is for how many seconds members that have left are kept, to tell heartbeats
	// that come late from those of new members.
	remember = 120
)

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
	// deaf tells that none was heard in the last second.
	deaf bool
	// away, if not 0, is the second in which this replica found that it had been away. It
	// does not count until it has asked for a later one.
	away int64
	// without is for how many seconds in a row there has been no majority, and wary the
	// second from which a majority takes over.
	without, wary int64
	// outvoted tells that, while there is none, those who are not heard from may have one.
	outvoted bool
	// found tells that one who was lost then has been heard from again.
	found bool
	// doubt is why this replica should not send, whatever the heartbeats say.
	doubt string
}

// New returns a tracker that has heard nothing.
func New(o Options) *Tracker {
	return &Tracker{o: o, members: map[string]*member{}}
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
	t.reunite()
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
	t.found = t.found || h.Sent > m.Sent && t.isLost(m, t.decided, 0)
	rejoined := h.Registered > m.Registered
	m.Heartbeat = h
	switch {
	case back && h.Since > m.takenAt:
		m.taken, m.from = false, max(h.Since, t.decided+1)
	case back:
		m.taken, m.from = false, max(h.settles()+grace, t.decided+1)
	case rejoined:
		m.from = t.admits(h)
	case m.from > t.decided && m.takenAt != 0 && h.Since > m.takenAt:
		m.from = max(h.Since, t.decided+1) // It has found out that it was taken over.
	case !t.view.Live:
		// It may have been away while this replica was, and the others know.
		m.from = max(m.from, h.joins())
	}
}

// Away tells that this replica has been away, until the given second: it did not run.
// It does not count until it has announced a second from which it wants to, which
// Heartbeat.Since is.
func (t *Tracker) Away(second int64) {
	t.away, t.without = second, 0
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
		t.deaf = true
		t.view.Second, t.view.StoreUp = second, false
		if !t.view.Live && t.view.Why == "" {
			t.view.Why = whyUnheard
		}
		return t.view
	}
	if t.deaf {
		t.deaf, t.contact = false, second
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
