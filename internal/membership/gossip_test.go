package membership

import (
	"flag"
	"fmt"
	"math"
	"testing"
)

var gossiping = flag.Int("membership.gossiping", 0, "replicas of the fleet that gossips; 0 is 40, or 16 with the race detector")

// gossip is how news spreads in a world: as memberlist spreads it, with the settings of
// package fleet. A replica that has some passes it on at its next ticks, each time to a few
// others that it takes for alive, until it has been sent often enough.
type gossip struct {
	// every is the time between two ticks, fanOut to how many each goes.
	every  int64
	fanOut int
	// mult is by what the logarithm of the fleet's size is multiplied for the number of
	// times that news is sent.
	mult int
	// loss is the share of messages that are lost, from and to the time that one takes.
	loss     float64
	from, to int64
	// deadFor is for how long the dead are taken for alive.
	deadFor int64
	// pushPull is the time after which a replica exchanges all that it knows with another.
	pushPull int64

	// arrivals are how often news arrived, by how many quanta after it was sent; missed how
	// often it did not at all.
	arrivals [60]int
	missed   int
}

// asMemberlist returns gossip between machines that are not far from each other.
func asMemberlist(loss float64) *gossip {
	return &gossip{every: 200, fanOut: 4, mult: 4, loss: loss, from: 1, to: 40, deadFor: 60_000, pushPull: 30_000}
}

// sends is how often a replica of a fleet of n passes news on.
func (g *gossip) sends(n int) int { return g.mult * int(math.Ceil(math.Log10(float64(n+1)))) }

// step is the resolution of the spreading, in milliseconds.
const step = 10

// spread sends news from a replica and returns when it arrives at each, 0 if never.
func (g *gossip) spread(w *world, from *node) []int64 {
	targets := make([]int, 0, len(w.nodes))
	at := make([]int64, len(w.nodes))
	origin := -1
	for i, n := range w.nodes {
		if n == from {
			origin = i
		}
		if n.running || w.now-n.ended < g.deadFor {
			targets = append(targets, i)
		}
	}
	at[origin] = w.now
	ticks := make([][]int, 400) // Of those who have the news, by steps from now on.
	left := make([]int, len(w.nodes))
	learn := func(i int) {
		left[i] = g.sends(len(targets))
		first := (at[i]-w.now)/step + 1 + w.rng.Int64N(g.every/step)
		ticks[first] = append(ticks[first], i)
	}
	learn(origin)
	for k := range ticks {
		for _, i := range ticks[k] {
			for range min(g.fanOut, left[i]) {
				left[i]--
				j := targets[w.rng.IntN(len(targets))]
				if at[j] != 0 || !w.reaches(w.nodes[i], w.nodes[j]) || w.rng.Float64() < g.loss {
					continue
				}
				at[j] = w.now + int64(k)*step + g.from + w.rng.Int64N(g.to-g.from+1)
				if at[j]-w.now < int64(len(ticks))*step/2 {
					learn(j)
				}
			}
			if next := k + int(g.every/step); left[i] > 0 && next < len(ticks) {
				ticks[next] = append(ticks[next], i)
			}
		}
	}
	g.count(w, from, at)
	return at
}

// count notes when news arrived.
func (g *gossip) count(w *world, from *node, at []int64) {
	for j, n := range w.nodes {
		switch {
		case n == from || !w.reaches(from, n):
		case at[j] == 0:
			g.missed++
		default:
			g.arrivals[min(len(g.arrivals)-1, int(at[j]-w.now)/quantum)]++
		}
	}
}

// within returns within how many milliseconds a share of what arrived did.
func (g *gossip) within(share float64) int {
	all, sum := 0, 0
	for _, n := range g.arrivals {
		all += n
	}
	for i, n := range g.arrivals {
		if sum += n; float64(sum) >= share*float64(all) {
			return (i + 1) * quantum
		}
	}
	return len(g.arrivals) * quantum
}

// isToExchange reports whether a replica, which has just sent a heartbeat, exchanges all
// that it knows now: the more there are the more seldom, as memberlist does.
func (g *gossip) isToExchange(w *world) bool {
	scale := 1.0
	if n := float64(len(w.nodes)); n > 32 {
		scale = math.Ceil(math.Log2(n)-5) + 1
	}
	return w.rng.Float64() < period/(scale*float64(g.pushPull))
}

// neverMore fails the test if more than there is was owned in a second, or by different
// views.
func (w *world) neverMore(t *testing.T, from, to int64) {
	t.Helper()
	for k := from; k <= to; k++ {
		if o := w.owned(k); o.sum > 1+1e-9 || o.differ {
			t.Fatalf("second %d: %.3f is owned, by different views: %v", k-w.begin, o.sum, o.differ)
		}
	}
}

// untilExact lets time pass until all is owned by those who are there and stays so for a
// few seconds, and returns how long that took.
func (w *world) untilExact(t *testing.T, within int64) int64 {
	t.Helper()
	begin := w.now / 1000
	for since := begin; ; {
		w.run((w.now/1000 + 1) * 1000)
		k := w.now/1000 - 1
		w.neverMore(t, k, k)
		if !w.owned(k).exact() {
			since = k + 1
		}
		if k-since >= 3 {
			return since - begin
		}
		if since > begin+within {
			t.Fatalf("%d s later: %.3f is owned", since-begin, w.owned(k).present)
		}
	}
}

// TestNewsReachesNearlyAllInTime spreads single heartbeats through fleets of many sizes, to
// learn how long they take: votes in large ones have 1.75 s.
func TestNewsReachesNearlyAllInTime(t *testing.T) {
	for _, size := range []int{16, 100, 300, 1000} {
		w := newWorld(*seed, Options{})
		g := asMemberlist(0.05)
		for i := range size {
			w.nodes = append(w.nodes, &node{id: fmt.Sprint(i), running: true})
		}
		for i := range 100 {
			g.spread(w, w.nodes[i%size])
		}
		late := float64(g.missed) / float64(100*(size-1))
		t.Logf("%d replicas: half have it within %d ms, 99.9 %% within %d ms, %.4f %% never", size, g.within(0.5), g.within(0.999), 100*late)
		if got := g.within(0.999); got > 1750 || late > 0.001 {
			t.Errorf("%d replicas: 99.9 %% have it within %d ms, %.4f %% never", size, got, 100*late)
		}
	}
}

// TestAFleetThatGossips has many replicas form a fleet, replaces all of them and kills
// three in ten at once, while their heartbeats take their way through gossip.
func TestAFleetThatGossips(t *testing.T) {
	size := *gossiping
	if size == 0 {
		size = 40
		if raceEnabled || testing.Short() {
			size = 16
		}
	}
	for _, loss := range []float64{0, 0.05} {
		t.Run(fmt.Sprintf("%.0f %% of the messages are lost", 100*loss), func(t *testing.T) {
			t.Parallel()
			gossipThrough(t, size, asMemberlist(loss))
		})
	}
}

func gossipThrough(t *testing.T, size int, g *gossip) {
	t.Helper()
	w := newWorld(*seed, Options{MinReplicas: 1, ForgetAfter: 60, StartAloneAfter: 20, Seeds: true})
	w.gossip = g
	for i := range size {
		w.add(fmt.Sprintf("r%04d", i), fmt.Sprint("r", i))
		w.run(w.now + int64(2000*(i+1)/size-2000*i/size)/quantum*quantum)
	}
	t.Logf("%d replicas: exact %d s after the last was started", size, w.untilExact(t, 15))

	const batches = 10
	checked, lost := w.now/1000, 0.0
	check := func() {
		w.neverMore(t, checked, w.now/1000-1)
		for ; checked < w.now/1000-1; checked++ {
			lost += max(0, 1-w.owned(checked).sum)
		}
		w.forget(checked)
	}
	for b := range batches {
		old := w.staying()[:size*(b+1)/batches-size*b/batches]
		for i := range old {
			w.add(fmt.Sprintf("n%d-%04d", b, i), fmt.Sprint("n", b, "-", i))
		}
		w.run(w.now + 6000)
		for _, n := range old {
			w.leave(n)
		}
		w.run(w.now + 4000)
		check()
	}
	w.run(w.now + 6000)
	check()
	t.Logf("all replaced, %d at a time: %.2f seconds' worth of slots lost", size/batches, lost)
	w.prune()

	for _, n := range w.staying()[:size*3/10] {
		w.end(n)
	}
	t.Logf("%d killed at once: exact %d s later", size*3/10, w.untilExact(t, 12))
	t.Logf("half of the heartbeats arrived within %d ms, 99.9 %% within %d ms, all within %d ms; %d never did",
		g.within(0.5), g.within(0.999), g.within(1), g.missed)
}
