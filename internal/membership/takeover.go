package membership

const (
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
)

// isLost reports whether a member has not been heard from for so long that it is lost,
// and for some seconds more than that.
func (t *Tracker) isLost(m *member, second, more int64) bool {
	return !t.deaf && (second-more)*1000 >= max(m.Sent, t.contact*1000)+lost
}

// isForgotten reports whether a member has been lost for so long that it does not count
// towards a majority any more.
func (t *Tracker) isForgotten(m *member, second int64) bool {
	return t.isLost(m, second, t.o.ForgetAfter)
}

// takeOver decides whose part is taken over. Once it is, it stays so until the member
// is heard from again.
func (t *Tracker) takeOver(second int64) {
	heard, all := t.heard(second)
	majority := 2*heard > all
	switch {
	case !majority:
		if t.without == 0 {
			t.outvoted, t.found = false, false
		}
		t.outvoted = t.outvoted || 2*(all-heard) > all
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

// heard returns how many members are heard from, and how many there are.
func (t *Tracker) heard(second int64) (heard, all int) {
	for _, m := range t.members {
		if !m.counts(second) || t.isForgotten(m, second) {
			continue
		}
		all++
		if second*1000 < m.Sent+fresh {
			heard++
		}
	}
	return heard, all
}

// reunite finds out that this replica was on the smaller side of a partition that has
// healed. The larger side has taken over its part, so that it comes back as one that was
// away: at a second that it announces, and all agree on. Just after the store was away,
// which it was for all, it only means that the others hear it again later.
func (t *Tracker) reunite() {
	if t.decided < t.contact+remember || t.without < parted || !t.outvoted || !t.found || t.away != 0 && t.isReturning(t.decided) {
		return
	}
	if heard, all := t.heard(t.decided); 2*heard > all {
		t.Away(t.decided + 1)
	}
}
