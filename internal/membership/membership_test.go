package membership

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// takeover is how many seconds after its last heartbeat, in these tests, a member is lost.
const takeover = lost/1000 + 1

// fleet is heartbeats as a replica hears them: of each of the living one a second, sent
// in the second before the one that is decided, but for the last half of it.
type fleet struct {
	t       *testing.T
	tracker *Tracker
	beats   map[string]Heartbeat
	second  int64
}

// settled returns a replica "a" in a fleet of these, which have been there for long.
func settled(t *testing.T, o Options, ids ...string) *fleet {
	t.Helper()
	o.Self = "a"
	if o.ForgetAfter == 0 {
		o.ForgetAfter = 60
	}
	f := &fleet{t: t, tracker: New(o), beats: map[string]Heartbeat{}, second: 1000}
	for _, id := range ids {
		f.beats[id] = Heartbeat{ID: id, Weight: 1, Registered: 500}
	}
	return f
}

// decide lets another second come, in which these are heard from, and returns the view.
func (f *fleet) decide(heard ...string) View {
	f.second++
	for _, id := range heard {
		h := f.beats[id]
		h.ID, h.Sent = id, f.second*1000-900
		f.beats[id] = h
	}
	var all []Heartbeat
	for _, h := range f.beats {
		if h.Sent != 0 {
			all = append(all, h)
		}
	}
	f.tracker.Hear(all)
	return f.tracker.Decide(f.second)
}

// members returns the IDs of those that the rate is divided among.
func members(v View) string {
	var ids []string
	for _, m := range v.Share.Members() {
		ids = append(ids, m.ID)
	}
	return fmt.Sprint(ids)
}

// expect fails unless these are the members.
func (f *fleet) expect(v View, want ...string) {
	f.t.Helper()
	if got := members(v); got != fmt.Sprint(want) {
		f.t.Fatalf("second %d: members %s, want %v", f.second, got, want)
	}
}

func TestAJoinTakesEffectWhenEveryoneHasHeardOfIt(t *testing.T) {
	f := settled(t, Options{}, "a", "b")
	f.expect(f.decide("a", "b"), "a", "b")
	f.beats["c"] = Heartbeat{Weight: 1, Registered: f.second}
	joins := f.second + Settle
	for f.second < joins-1 {
		f.expect(f.decide("a", "b", "c"), "a", "b")
	}
	f.expect(f.decide("a", "b", "c"), "a", "b", "c")
}

func TestALeaveTakesEffectWhenEveryoneHasHeardOfIt(t *testing.T) {
	f := settled(t, Options{}, "a", "b")
	f.decide("a", "b")
	b := f.beats["b"]
	b.Leaving = f.second
	f.beats["b"] = b
	leaves := f.second + Settle
	for f.second < leaves-1 {
		f.expect(f.decide("a", "b"), "a", "b")
	}
	f.expect(f.decide("a", "b"), "a")
	delete(f.beats, "b") // It has unregistered.
	f.expect(f.decide("a"), "a")
}

func TestOnesOwnLeaveSilences(t *testing.T) {
	f := settled(t, Options{}, "a", "b")
	if v := f.decide("a", "b"); !v.Live || v.Arc.Ratio() != 0.5 {
		t.Fatalf("live %v with %g of the rate", v.Live, v.Arc.Ratio())
	}
	a := f.beats["a"]
	a.Leaving = f.second
	f.beats["a"] = a
	var v View
	for range Settle {
		v = f.decide("a", "b")
	}
	if v.Live || v.Arc.Ratio() != 0 || v.Why == "" {
		t.Errorf("live %v (%s) with %g of the rate", v.Live, v.Why, v.Arc.Ratio())
	}
}

func TestAMajorityTakesOverTheLost(t *testing.T) {
	f := settled(t, Options{}, "a", "b", "c")
	f.decide("a", "b", "c")
	last := f.second - 1
	for f.second < last+takeover-1 {
		f.expect(f.decide("a", "b"), "a", "b", "c")
	}
	v := f.decide("a", "b")
	f.expect(v, "a", "b")
	if v.Lost != 1 {
		t.Errorf("%d are lost, want 1", v.Lost)
	}
}

func TestAMinorityHoldsUntilItForgets(t *testing.T) {
	f := settled(t, Options{ForgetAfter: 60}, "a", "b")
	f.decide("a", "b")
	gone := f.second - 1 + takeover
	for f.second < gone+60-1 {
		v := f.decide("a")
		f.expect(v, "a", "b")
		if !v.Live {
			t.Fatal("it stopped to send its own part")
		}
	}
	f.expect(f.decide("a"), "a")
}

func TestOneOfAPartitionInHalvesTakesOverNothing(t *testing.T) {
	f := settled(t, Options{}, "a", "b", "c", "d")
	f.decide("a", "b", "c", "d")
	// The last heartbeats of the others came in different seconds.
	f.decide("a", "b", "c")
	for range 30 {
		f.expect(f.decide("a", "b"), "a", "b", "c", "d")
	}
	f.expect(f.decide("a", "b", "c", "d"), "a", "b", "c", "d")
}

func TestWhenAPartitionHealsThoseWhoAreNotHeardAtOnceKeepTheirPart(t *testing.T) {
	f := settled(t, Options{}, "a", "b", "c", "d")
	f.decide("a", "b", "c", "d")
	for range 10 {
		f.decide("a", "b")
	}
	f.expect(f.decide("a", "b", "c"), "a", "b", "c", "d")
	f.expect(f.decide("a", "b", "c"), "a", "b", "c", "d")
	f.expect(f.decide("a", "b", "c", "d"), "a", "b", "c", "d")
}

func TestWhoDoesNotComeBackFromAPartitionIsTakenOver(t *testing.T) {
	f := settled(t, Options{}, "a", "b", "c", "d")
	f.decide("a", "b", "c", "d")
	for range 10 {
		f.decide("a", "b")
	}
	for range reunion {
		f.expect(f.decide("a", "b", "c"), "a", "b", "c", "d")
	}
	f.expect(f.decide("a", "b", "c"), "a", "b", "c")
}

func TestTheSmallerSideOfAPartitionTakesOverNothing(t *testing.T) {
	f := settled(t, Options{}, "a", "b", "c", "d", "e")
	f.decide("a", "b", "c", "d", "e")
	f.decide("a", "b", "c", "d")
	f.decide("a", "b", "c")
	for range 30 {
		f.expect(f.decide("a", "b"), "a", "b", "c", "d", "e")
	}
}

func TestAMemberThatWasTakenOverComesBackAtAnAgreedSecond(t *testing.T) {
	f := settled(t, Options{}, "a", "b", "c")
	f.decide("a", "b", "c")
	for range takeover + 5 {
		f.decide("a", "b")
	}
	f.expect(f.decide("a", "b"), "a", "b")
	v := f.decide("a", "b", "c")
	back := f.second - 1 + Settle + grace // It announces none itself.
	for f.second < back {
		f.expect(v, "a", "b")
		v = f.decide("a", "b", "c")
	}
	f.expect(v, "a", "b", "c")
}

func TestTheSecondThatItAsksForCountsWhenItComesBack(t *testing.T) {
	f := settled(t, Options{}, "a", "b", "c")
	f.decide("a", "b", "c")
	for range takeover + 5 {
		f.decide("a", "b")
	}
	c := f.beats["c"]
	c.Since = f.second + 7
	f.beats["c"] = c
	for f.second < c.Since-1 {
		f.expect(f.decide("a", "b", "c"), "a", "b")
	}
	f.expect(f.decide("a", "b", "c"), "a", "b", "c")
}

func TestWhenNothingIsHeardTheLastViewIsHeld(t *testing.T) {
	f := settled(t, Options{}, "a", "b", "c")
	v := f.decide("a", "b", "c")
	for range 1000 {
		v = f.decide()
		f.expect(v, "a", "b", "c")
		if !v.Live {
			t.Fatalf("it stopped to send: %s", v.Why)
		}
	}
	if v.StoreUp {
		t.Error("the store is said to be up")
	}
	// It comes back, and the others' first heartbeats with some delay.
	for _, heard := range [][]string{{"a"}, {"a"}, {"a"}, {"a"}, {"a"}, {"a"}, {"a"}, {"a", "b"}, {"a", "b"}, {"a", "b", "c"}} {
		v = f.decide(heard...)
		f.expect(v, "a", "b", "c")
		if !v.Live {
			t.Fatalf("it stopped to send: %s", v.Why)
		}
	}
	if !v.StoreUp || v.Lost != 0 {
		t.Errorf("store up: %v, %d lost", v.StoreUp, v.Lost)
	}
}

func TestAReplicaThatWasAwaySendsNothingUntilItHasAnnouncedItsReturn(t *testing.T) {
	f := settled(t, Options{}, "a", "b", "c")
	f.decide("a", "b", "c")
	f.second += 20
	f.tracker.Away(f.second + 1)
	for name, heard := range map[string][]string{"nobody": nil, "itself": {"a"}, "all": {"a", "b", "c"}} {
		if v := f.decide(heard...); v.Live || v.Arc.Ratio() != 0 {
			t.Fatalf("it is live having heard from %s", name)
		}
	}
	if !f.tracker.IsAway() {
		t.Error("it is not said to be away")
	}
	a := f.beats["a"]
	a.Since = f.second + Settle
	f.beats["a"] = a
	for f.second < a.Since-1 {
		if v := f.decide("a", "b", "c"); v.Live {
			t.Fatalf("second %d: it is live before %d", f.second, a.Since)
		}
	}
	v := f.decide("a", "b", "c")
	f.expect(v, "a", "b", "c")
	if !v.Live || f.tracker.IsAway() {
		t.Errorf("it is not live: %s", v.Why)
	}
}

func TestFleetsThatMeetJoinAtAnAgreedSecond(t *testing.T) {
	f := settled(t, Options{}, "a", "b")
	f.decide("a", "b")
	f.beats["z"] = Heartbeat{Weight: 1, Registered: 600}
	v := f.decide("a", "b", "z")
	joins := f.second - 1 + Settle
	for f.second < joins {
		f.expect(v, "a", "b")
		v = f.decide("a", "b", "z")
	}
	f.expect(v, "a", "b", "z")
}

func TestANewReplicaTakesThoseThatAreThereAtTheirWord(t *testing.T) {
	f := settled(t, Options{}, "b", "c")
	f.beats["a"] = Heartbeat{Weight: 1, Registered: f.second}
	v := f.decide("a", "b", "c")
	if v.Live {
		t.Fatal("it is live at once")
	}
	f.expect(v, "b", "c")
	f.decide("a", "b", "c")
	v = f.decide("a", "b", "c")
	f.expect(v, "a", "b", "c")
	if !v.Live {
		t.Errorf("not live: %s", v.Why)
	}
}

func TestTheDeadOfFormerTimesDoNotCount(t *testing.T) {
	f := settled(t, Options{}, "a")
	f.beats["x"] = Heartbeat{ID: "x", Weight: 1, Registered: 500, Sent: 900_000}
	f.expect(f.decide("a"), "a")
}

func TestFewerThanMinReplicasDoNotSendAll(t *testing.T) {
	f := settled(t, Options{MinReplicas: 4}, "a", "b")
	v := f.decide("a", "b")
	if v.Members != 2 || v.Arc.Ratio() != 0.25 {
		t.Errorf("%d members, a part of %g; want 2 and a quarter", v.Members, v.Arc.Ratio())
	}
}

func TestDoubtSilences(t *testing.T) {
	f := settled(t, Options{}, "a", "b")
	f.decide("a", "b")
	f.tracker.Doubt("its clock is off")
	if v := f.decide("a", "b"); v.Live || v.Why != "its clock is off" || v.Arc.Ratio() != 0 {
		t.Errorf("live %v, %q", v.Live, v.Why)
	}
	f.tracker.Doubt("")
	if v := f.decide("a", "b"); !v.Live {
		t.Errorf("not live: %s", v.Why)
	}
}

func TestAClockThatWasSetBackSilences(t *testing.T) {
	f := settled(t, Options{}, "a", "b")
	f.decide("a", "b")
	f.second -= 3600
	if v := f.tracker.Decide(f.second); v.Live {
		t.Error("it is live by heartbeats of the future")
	}
}

func TestStatesAreTold(t *testing.T) {
	f := settled(t, Options{}, "a", "b", "c", "d", "e")
	f.decide("a", "b", "c", "d", "e")
	f.beats["new"] = Heartbeat{Weight: 1, Registered: f.second}
	b := f.beats["b"]
	b.Leaving = f.second
	f.beats["b"] = b
	f.decide("a", "b", "c", "d", "new")
	states := func() map[string]State {
		all := map[string]State{}
		for _, s := range f.tracker.Statuses() {
			all[s.ID] = s.State
		}
		return all
	}
	if s := states(); s["a"] != Live || s["b"] != Leaving || s["new"] != Joining || s["e"] != Live {
		t.Errorf("%v", s)
	}
	for range takeover {
		f.decide("a", "c", "d", "new")
	}
	if s := states(); s["e"] != TakenOver || s["new"] != Live || s["b"] != "" {
		t.Errorf("%v", s)
	}
	for range takeover {
		f.decide("a")
	}
	if s := states(); s["c"] != LostHeld {
		t.Errorf("%v", s)
	}
}

func TestWhoHasLeftIsForgotten(t *testing.T) {
	f := settled(t, Options{}, "a")
	for i := range 1000 {
		id := fmt.Sprint("r", i)
		h := Heartbeat{ID: id, Weight: 1, Registered: f.second}
		if i%2 == 0 {
			h.Leaving = f.second + 5
		}
		f.beats[id] = h
		for range 10 {
			f.decide("a", id)
		}
		delete(f.beats, id)
	}
	if n := len(f.tracker.members); n > 50 {
		t.Errorf("%d are remembered", n)
	}
}

func TestHeartbeatsFromTheStoresPastAreIgnored(t *testing.T) {
	f := settled(t, Options{}, "a", "b")
	f.decide("a", "b")
	old := []Heartbeat{f.beats["a"], f.beats["b"]}
	for range 10 {
		f.decide("a", "b")
	}
	f.tracker.Hear(old)
	f.second++
	v := f.tracker.Decide(f.second)
	if f.expect(v, "a", "b"); v.Lost != 0 {
		t.Errorf("%d are lost", v.Lost)
	}
	if i := slices.IndexFunc(f.tracker.Statuses(), func(s Status) bool { return s.Sent < (f.second-3)*1000 }); i >= 0 {
		t.Errorf("%+v is old", f.tracker.Statuses()[i])
	}
	if got := (Heartbeat{}).leaves(); got != math.MaxInt64 {
		t.Errorf("a replica that stays leaves in %d", got)
	}
}

// parting is a fleet of which the first n are cut off from the rest for 12 s. Heartbeats
// have random phases and times on the way; one that has reached one of a side reaches
// them all.
type parting struct {
	rng         *rand.Rand
	n           int
	cut, healed int64
	phase       []int64
	trackers    []*Tracker
	// crossing is the time on the way to the other side, by sender and instant.
	crossing map[[2]int64]int64
	// since is what replicas announce, from their heartbeat after that on.
	since map[int]int64
}

func part(rng *rand.Rand, all, n int) *parting {
	cut := 1_000_000 + rng.Int64N(1000)
	p := &parting{rng: rng, n: n, cut: cut, healed: cut + 12_000, crossing: map[[2]int64]int64{}, since: map[int]int64{}}
	for i := range all {
		p.phase = append(p.phase, rng.Int64N(1000))
		p.trackers = append(p.trackers, New(Options{Self: fmt.Sprint(i), ForgetAfter: 60, MinReplicas: 1}))
	}
	return p
}

// arrives returns how long a heartbeat takes, and whether it arrives.
func (p *parting) arrives(from, to int, sent int64) (int64, bool) {
	if from == to {
		return 0, true
	}
	way := p.rng.Int64N(250)
	if (from < p.n) == (to < p.n) {
		return way, true
	}
	key := [2]int64{int64(from), sent}
	if _, known := p.crossing[key]; !known {
		p.crossing[key] = p.rng.Int64N(300)
	}
	arrived := sent + p.crossing[key]
	return way + p.crossing[key], arrived <= p.cut || arrived > p.healed
}

// last returns the last heartbeat of one that another has heard at an instant.
func (p *parting) last(from, to int, at int64) Heartbeat {
	h := Heartbeat{ID: fmt.Sprint(from), Weight: 1, Registered: 500}
	for h.Sent = at - at%1000 + 1000 + p.phase[from]; ; h.Sent -= 1000 {
		if way, ok := p.arrives(from, to, h.Sent); ok && h.Sent+way <= at {
			break
		}
	}
	if s := p.since[from]; s != 0 && s <= h.Sent/1000+Settle {
		h.Since = s
	}
	return h
}

// decide lets all decide a second.
func (p *parting) decide(second int64) []View {
	at := second*1000 - 750
	views := make([]View, len(p.trackers))
	for i, tracker := range p.trackers {
		var heard []Heartbeat
		for j := range p.trackers {
			heard = append(heard, p.last(j, i, at))
		}
		tracker.Hear(heard)
		if tracker.IsAway() && p.since[i] == 0 {
			next := at - at%1000 + p.phase[i]
			if next < at {
				next += 1000
			}
			p.since[i] = next/1000 + Settle
		}
		views[i] = tracker.Decide(second)
	}
	return views
}

func TestAPartitionDividesTheFleetOnceAndUnitesItOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		all := 3 + rng.IntN(5)
		n := 1 + rng.IntN(all-1)
		p := part(rng, all, n)
		for second := int64(990); second < 1030; second++ {
			views := p.decide(second)
			check := func(problem string) {
				t.Helper()
				t.Fatalf("%d of %d cut off at %d until %d, second %d: %s: %+v", n, all, p.cut, p.healed, second, problem, views)
			}
			for i, v := range views {
				size := n
				if i >= n {
					size = all - n
				}
				got := len(v.Share.Members())
				switch larger := 2*size > all; {
				case !v.Live && second*1000 < p.healed+7000:
					if larger || 2*size == all {
						check("one is silent that nobody has taken over")
					}
				case i > 0 && (i < n) == (i-1 < n) && views[i-1].Live && members(v) != members(views[i-1]):
					check("two of one side differ")
				case second*1000 < p.healed && (got != all && !larger || got < size):
					check("one of those who are heard is left out, or one is taken over by the smaller side")
				case second*1000 > p.cut+5000 && second*1000 < p.healed && larger && got != size:
					check("the larger side has not taken over")
				case second*1000 > p.healed+7000 && (got != all || !v.Live):
					check("not united")
				}
			}
		}
	}
}
