package membership

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

var (
	minutes = flag.Int("membership.minutes", 0, "virtual minutes of planned joins and leaves for each size of a fleet; 0 is 10, or 2 with the race detector")
	large   = flag.Int("membership.large", 0, "replicas of the large fleet; 0 is 200, or 40 with the race detector")
)

// TestPlannedChangesAreExact has replicas join and leave, often several at a time, for
// long: in no second is a slot without an owner, and in none has it two.
func TestPlannedChangesAreExact(t *testing.T) {
	virtual := *minutes
	if virtual == 0 {
		virtual = 10
		if raceEnabled || testing.Short() {
			virtual = 2
		}
	}
	for _, size := range []int{1, 2, 3, 5, 9, 17, 30} {
		t.Run(fmt.Sprint(size, " replicas"), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(*seed, uint64(size)))
			w := newWorld(*seed, Options{MinReplicas: 1, ForgetAfter: 60, StartAloneAfter: 1, Seeds: true})
			for i := range size {
				w.add(fmt.Sprint("r", i), fmt.Sprint("r", i))
			}
			w.run(w.now + 12_000)
			changes, checked := 0, w.now/1000-1
			for end := w.now + int64(virtual)*60_000; w.now < end; {
				w.run(w.now + 50*rng.Int64N(200))
				there := w.staying()
				if len(there) > 1 && rng.IntN(2) == 0 && 2*len(there) > size {
					w.leave(there[rng.IntN(len(there))])
				} else if len(there) < 2*size {
					w.add(fmt.Sprint("n", changes), fmt.Sprint("n", changes))
				}
				changes++
				w.mustBeExact(t, checked, w.now/1000-1)
				checked = w.now / 1000
				w.prune()
			}
			t.Logf("%d joins and leaves in %d minutes", changes, virtual)
		})
	}
}

// TestALargeFleet has many replicas. Some of them join, leave and die.
func TestALargeFleet(t *testing.T) {
	size := *large
	if size == 0 {
		size = 200
		if raceEnabled || testing.Short() {
			size = 40
		}
	}
	w := newWorld(*seed, Options{MinReplicas: 1, ForgetAfter: 60, StartAloneAfter: 1, Seeds: true})
	// What gossip takes among so many.
	w.from, w.to = 100, 700
	for i := range size {
		w.add(fmt.Sprintf("r%04d", i), fmt.Sprint("r", i))
	}
	w.run(w.now + 12_000)
	for i := range size / 10 {
		w.add(fmt.Sprintf("n%04d", i), fmt.Sprint("n", i))
		w.leave(w.nodes[2*i])
		w.run(w.now + int64(5000/(size/10))/quantum*quantum)
	}
	w.run(w.now + 10_000)
	planned := w.now/1000 - 1
	w.mustBeExact(t, w.begin+12, planned)
	for _, n := range w.staying()[:size*3/10] {
		w.end(n)
	}
	w.run(w.now + 14_000)
	w.mustBeExact(t, planned+9, w.now/1000-1)
	for k := planned; k <= planned+9; k++ {
		if o := w.owned(k); o.sum > 1+1e-9 || o.differ {
			t.Fatalf("second %d: %s", k-w.begin, o)
		}
	}
}

// prune forgets those who ended a while ago.
func (w *world) prune() {
	w.nodes = slices.DeleteFunc(w.nodes, func(n *node) bool { return !n.running && w.now-n.ended > 5000 })
	for _, n := range w.nodes {
		for i, e := range n.store {
			if e != nil && e.gone && w.now-e.Sent > 60_000 {
				n.store[i] = nil
			}
		}
	}
}

// forget forgets the decisions for seconds before one.
func (w *world) forget(second int64) {
	for _, n := range w.nodes {
		for k := range n.views {
			if k < second {
				delete(n.views, k)
				delete(n.lineages, k)
			}
		}
	}
}

// staying are those who run and have not been asked to leave.
func (w *world) staying() []*node {
	var all []*node
	for _, n := range w.nodes {
		if n.running && n.leaving == 0 {
			all = append(all, n)
		}
	}
	return all
}

// mustBeExact fails the test unless all slots of the seconds have one owner who is there.
func (w *world) mustBeExact(t *testing.T, from, to int64) {
	t.Helper()
	for k := from; k <= to; k++ {
		if o := w.owned(k); !o.exact() {
			t.Fatalf("second %d: %s", k-w.begin, o)
		}
	}
}
