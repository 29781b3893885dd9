//go:build e2e

package e2e

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// members returns the view that a replica has of a fleet in which all are live, and its
// own ID.
func (r *replica) members(t *testing.T) (view share.View, self string) {
	t.Helper()
	v := r.view(t)
	var members []share.Member
	for _, m := range v.Members {
		members = append(members, share.Member{ID: m.ID, Weight: m.Weight})
	}
	return share.NewView(members), v.Self
}

// onlyFrom fails the test unless each of the missing slots was one member's.
func (a audit) onlyFrom(t *testing.T, view share.View, id string) {
	t.Helper()
	others := slices.DeleteFunc(slices.Clone(a.missing), func(s timeline.Slot) bool {
		owner, _ := view.Owner(s.Seq)
		return owner.ID == id
	})
	if len(others) > 0 {
		t.Errorf("%d slots were not sent that others than %s own, due in %s", len(others), id, bySecond(others, secondOf))
	}
}

func TestAFleetGrowsShrinksAndRestartsWithoutLosingOrDoublingASlot(t *testing.T) {
	t.Parallel()
	f := newGossipFleet(t, 7)
	all := f.start(t, 3)
	begin := f.target.first(t)
	for n := 4; n <= 5; n++ {
		all = append(all, f.launch(t))
		all[n-1].ready(t)
		agree(t, n, all...)
	}
	for _, r := range all {
		r.shows(t, "traffic_fleet_config_mismatch_members", 0)
		r.shows(t, "traffic_fleet_lost_members", 0)
		r.shows(t, "traffic_fleet_store_up", 1)
	}

	all[0].signal(t, syscall.SIGTERM)
	all[0].unready(t)
	all[0].gone(t)
	agree(t, 4, all[1:]...)
	// Two at once.
	all[1].signal(t, syscall.SIGTERM)
	all[2].leave(t)
	all[1].gone(t)
	agree(t, 2, all[3:]...)

	// As a rollout does: the new one is ready before the old one has to go.
	for _, old := range all[3:5] {
		fresh := f.launch(t)
		fresh.ready(t)
		old.leave(t)
		all = append(all, fresh)
	}
	agree(t, 2, all[5:]...)
	f.target.exact(t, always(), begin, time.Now().Add(2*time.Second))
}

func TestACrashLosesOnlyThePartOfTheCrashedReplicaForSeconds(t *testing.T) {
	t.Parallel()
	f := newGossipFleet(t, 5)
	all := f.start(t, 5)
	begin := f.target.first(t)
	f.target.waitUntil(t, begin.Add(time.Second))
	view, _ := all[0].members(t)
	_, victim := all[4].members(t)

	killed := time.Now()
	all[4].signal(t, syscall.SIGKILL)
	agree(t, 4, all[:4]...)
	// Requests in flight when it was killed may be lost as well.
	from, to := killed.Add(-time.Second), killed.Add(takeover)
	f.target.exact(t, always(), begin, from)
	f.target.exact(t, always(), to, to.Add(5*time.Second))
	f.target.lost(t, view, victim, from, to)
}

// lost fails the test unless some slots are missing in a time, but only of one member,
// and nothing was sent twice.
func (l *ledger) lost(t *testing.T, view share.View, id string, from, to time.Time) {
	t.Helper()
	a := l.audit(always(), from, to, nil)
	for _, problem := range a.problems() {
		t.Error(problem)
	}
	if len(a.missing) == 0 {
		t.Errorf("%s was away and no slot is missing", id)
	}
	a.onlyFrom(t, view, id)
	t.Log(a.gaps())
}

func TestAReplicaThatStoodStillComesBackWithoutABurstOrADouble(t *testing.T) {
	t.Parallel()
	const still = 20 * time.Second
	f := newGossipFleet(t, 3)
	f.dropLate(t)
	all := f.start(t, 3)
	begin := f.target.first(t)
	f.target.waitUntil(t, begin.Add(time.Second))
	view, _ := all[0].members(t)
	_, victim := all[2].members(t)

	stopped := time.Now()
	all[2].signal(t, syscall.SIGSTOP)
	agree(t, 2, all[:2]...)
	f.target.waitUntil(t, stopped.Add(still-straggling))
	woken := time.Now()
	all[2].signal(t, syscall.SIGCONT)
	back := woken.Add(10 * time.Second)
	f.target.exact(t, always(), back, back.Add(4*time.Second))
	agree(t, 3, all...)

	from, to := stopped.Add(-time.Second), stopped.Add(takeover)
	f.target.exact(t, always(), begin, from)
	f.target.lost(t, view, victim, from, to)
	f.target.exact(t, always(), to, woken)
	a := f.target.audit(always(), woken, back, nil)
	for _, problem := range a.problems() {
		t.Error(problem)
	}
	for second, n := range a.perSecond {
		if n > steadyRate+1 {
			t.Errorf("%d requests were due in second %s: a burst", n, clock(second))
		}
	}
	t.Log(a.gaps())
}
