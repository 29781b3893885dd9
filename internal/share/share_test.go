package share

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// view returns a view of n members with weights drawn by draw.
func view(n int, draw func(i int) uint32) View {
	members := make([]Member, n)
	for i := range members {
		members[i] = Member{ID: fmt.Sprintf("replica-%04d", i), Weight: draw(i)}
	}
	return NewView(members)
}

func equal(int) uint32 { return 1 }

// randomViews returns views of 1 to 1,000 members with weights of many kinds.
func randomViews(rng *rand.Rand) []View {
	draws := []func(int) uint32{
		equal,
		func(int) uint32 { return 1 + rng.Uint32N(10) },
		func(int) uint32 { return rng.Uint32N(2) },
		func(int) uint32 { return 1 + rng.Uint32N(math.MaxUint32) },
		func(i int) uint32 { return uint32(1) << (i % 32) },
	}
	var views []View
	for _, n := range []int{1, 2, 3, 5, 7, 10, 64, 100, 999, 1000} {
		for _, draw := range draws {
			views = append(views, view(n, draw))
		}
	}
	return views
}

func TestExactlyOneMemberOwnsEachSlot(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, v := range randomViews(rng) {
		arcs := make([]Arc, len(v.Members()))
		for i, m := range v.Members() {
			arcs[i] = v.Arc(m.ID)
		}
		for range 200 {
			seq := rng.Uint64() >> rng.IntN(64)
			owner, ok := v.Owner(seq)
			var owners []string
			for i, m := range v.Members() {
				if arcs[i].Owns(seq) {
					owners = append(owners, m.ID)
				}
			}
			if !ok && len(owners) == 0 && len(v.arcs) == 0 {
				continue // All weights are zero.
			}
			if !ok || !slices.Equal(owners, []string{owner.ID}) {
				t.Fatalf("%d members, slot %d: Owner = %v, %v; the arcs of %v own it", len(arcs), seq, owner, ok, owners)
			}
		}
	}
}

func TestMembersStayWithinFiveSlotsOfTheirExactShare(t *testing.T) {
	const slots = 1_000_000
	rng := rand.New(rand.NewPCG(3, 4))
	for _, v := range randomViews(rng) {
		index := map[string]int{}
		ratios := make([]float64, len(v.Members()))
		var total float64
		for i, m := range v.Members() {
			index[m.ID] = i
			total += float64(m.Weight)
		}
		if total == 0 {
			continue
		}
		for i, m := range v.Members() {
			ratios[i] = float64(m.Weight) / total
		}
		owned := make([]float64, len(ratios))
		worst := 0.0
		for seq := range uint64(slots) {
			m, _ := v.Owner(seq)
			i := index[m.ID]
			// A member is furthest from its share just before and just after a slot
			// of its own, so these are the moments to look.
			worst = max(worst, math.Abs(owned[i]-ratios[i]*float64(seq)))
			owned[i]++
			worst = max(worst, math.Abs(owned[i]-ratios[i]*float64(seq+1)))
		}
		if worst > 5 {
			t.Errorf("%d members: %.2f slots from the exact share, want at most 5", len(ratios), worst)
		}
	}
}

func TestAnEmptyViewOwnsNothing(t *testing.T) {
	for name, v := range map[string]View{
		"zero":            {},
		"no members":      NewView(nil),
		"only weight 0":   NewView([]Member{{ID: "a"}, {ID: "b"}}),
		"a missing arc":   view(3, equal),
		"the member of 0": NewView([]Member{{ID: "me"}, {ID: "other", Weight: 1}}),
	} {
		t.Run(name, func(t *testing.T) {
			arc := v.Arc("me")
			for seq := range uint64(1000) {
				if arc.Owns(seq) {
					t.Fatalf("owns slot %d", seq)
				}
			}
			if got := arc.Count(0, 1000); got != 0 {
				t.Errorf("Count = %d, want 0", got)
			}
			if got := arc.Ratio(); got != 0 {
				t.Errorf("Ratio = %v, want 0", got)
			}
		})
	}
	if m, ok := (View{}).Owner(7); ok {
		t.Errorf("Owner in the zero view = %v", m)
	}
}

func TestOwnershipDoesNotDependOnTheOrderOfMembers(t *testing.T) {
	a := NewView([]Member{{"a", 1}, {"b", 2}, {"c", 3}})
	b := NewView([]Member{{"c", 3}, {"a", 1}, {"b", 2}, {"b", 9}})
	for seq := range uint64(10_000) {
		x, _ := a.Owner(seq)
		y, _ := b.Owner(seq)
		if x != y {
			t.Fatalf("slot %d: %v and %v", seq, x, y)
		}
	}
}

func TestAnIntersectionIsWhatBothOwn(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	arcs := []Arc{{}, Whole()}
	for _, v := range randomViews(rng)[:20] {
		for _, m := range v.Members() {
			arcs = append(arcs, v.Arc(m.ID))
		}
	}
	for range 2000 {
		a, b := arcs[rng.IntN(len(arcs))], arcs[rng.IntN(len(arcs))]
		both := a.Intersect(b)
		for range 50 {
			if seq := rng.Uint64(); both.Owns(seq) != (a.Owns(seq) && b.Owns(seq)) {
				t.Fatalf("%+v and %+v: %+v, which owns slot %d: %v", a, b, both, seq, both.Owns(seq))
			}
		}
		if both == (Arc{}) != (both.Ratio() == 0) {
			t.Fatalf("%+v has a ratio of %g", both, both.Ratio())
		}
	}
}

func TestCountAgreesWithOwns(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	arcs := []Arc{Whole(), {}, {start: 0, last: 0, some: true}, {start: ^uint64(0), last: ^uint64(0), some: true}}
	for _, v := range randomViews(rng) {
		members := v.Members()
		arcs = append(arcs, v.Arc(members[0].ID), v.Arc(members[len(members)-1].ID), v.Arc(members[rng.IntN(len(members))].ID))
	}
	for _, arc := range arcs {
		from := rng.Uint64() >> rng.IntN(60)
		to := from + rng.Uint64N(3000)
		var want uint64
		for seq := from; seq < to; seq++ {
			if arc.Owns(seq) {
				want++
			}
		}
		if got := arc.Count(from, to); got != want {
			t.Errorf("%+v: Count(%d, %d) = %d, want %d", arc, from, to, got, want)
		}
		if got := arc.Count(to, from); got != 0 && to > from {
			t.Errorf("%+v: Count of an empty range = %d", arc, got)
		}
	}
}

func TestCountsOfAllMembersAddUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, v := range randomViews(rng) {
		if len(v.arcs) == 0 {
			continue
		}
		from := rng.Uint64() >> 2
		to := from + rng.Uint64()>>2
		var sum uint64
		for _, m := range v.Members() {
			sum += v.Arc(m.ID).Count(from, to)
		}
		if sum != to-from {
			t.Errorf("%d members: counts add up to %d, want %d", len(v.Members()), sum, to-from)
		}
	}
}

func TestRatiosAreTheWeights(t *testing.T) {
	v := NewView([]Member{{"a", 1}, {"b", 1}, {"c", 2}})
	for id, want := range map[string]float64{"a": 0.25, "b": 0.25, "c": 0.5} {
		if got := v.Arc(id).Ratio(); math.Abs(got-want) > 1e-15 {
			t.Errorf("Ratio of %s = %v, want %v", id, got, want)
		}
	}
	if got := Whole().Ratio(); got != 1 {
		t.Errorf("Ratio of the whole circle = %v, want 1", got)
	}
}

func FuzzCount(f *testing.F) {
	f.Add(uint64(0), uint64(0), uint64(0), uint16(1))
	f.Add(uint64(1)<<63, uint64(1)<<62, ^uint64(0)-5000, uint16(5000))
	f.Fuzz(func(t *testing.T, start, last, from uint64, n uint16) {
		if last < start {
			start, last = last, start
		}
		arc := Arc{start: start, last: last, some: true}
		to := from + uint64(n)
		if to < from {
			return
		}
		var want uint64
		for seq := from; seq < to; seq++ {
			if arc.Owns(seq) {
				want++
			}
		}
		if got := arc.Count(from, to); got != want {
			t.Errorf("%+v: Count(%d, %d) = %d, want %d", arc, from, to, got, want)
		}
	})
}

func TestWhoeverOwnsASlotOfAPartOwnsItOfTheWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, v := range randomViews(rng) {
		var all uint64
		for _, m := range v.Members() {
			all += uint64(m.Weight)
		}
		for _, total := range []uint64{0, all, all + 1, 2 * all, 10_000 * (all + 1)} {
			p := NewPartialView(v.Members(), total)
			for range 50 {
				seq := rng.Uint64() >> rng.IntN(64)
				owner, ok := p.Owner(seq)
				if whole, _ := v.Owner(seq); ok && owner != whole {
					t.Fatalf("slot %d: of a total of %d %v owns it, else %v", seq, total, owner, whole)
				}
				if ok && !p.Arc(owner.ID).Owns(seq) {
					t.Fatalf("slot %d: Owner = %v, whose arc does not own it", seq, owner)
				}
			}
			for _, m := range v.Members() {
				want := float64(m.Weight) / float64(max(1, all, total))
				if got := p.Arc(m.ID).Ratio(); math.Abs(got-want) > 1e-12 {
					t.Fatalf("a weight of %d of a total of %d owns %v, want %v", m.Weight, max(all, total), got, want)
				}
			}
		}
	}
}
