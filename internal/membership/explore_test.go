package membership

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var (
	episodes = flag.Int("membership.episodes", 0, "episodes of the explorer; 0 is a few thousand, fewer with the race detector")
	seed     = flag.Uint64("membership.seed", 1, "the first episode's seed")
)

// deed is something that happens in an episode. Numbers are taken modulo what there is,
// so that those that are left mean something when others have been left out.
type deed struct {
	kind     string
	who      int
	wait     int64 // before it, in quanta
	strength int64
}

// kinds are what happens, as often as they are listed.
func kinds() []string {
	return []string{"kill", "kill", "restart", "restart", "stop", "cont", "start", "leave", "partition", "heal", "heal", "delay", "lag"}
}

// episode is a fleet and what happens to it.
type episode struct {
	seed     uint64
	replicas int
	deeds    []deed
	// tame says that there is always a majority, so that more can be expected.
	tame bool
	// server says that heartbeats go through one.
	server bool
}

// kindsWithServer are those of a fleet whose heartbeats go through a server.
func kindsWithServer() []string {
	return []string{"kill", "kill", "stop", "cont", "start", "start", "leave", "leave", "away", "away", "back", "back", "delay", "lag", "slow"}
}

func newEpisode(seed uint64, server bool) episode {
	rng := rand.New(rand.NewPCG(seed, 99))
	e := episode{seed: seed, replicas: 2 + rng.IntN(6), tame: rng.IntN(2) == 0, server: server}
	all := kinds()
	if server {
		all = kindsWithServer()
	}
	for range 1 + rng.IntN(8) {
		e.deeds = append(e.deeds, deed{all[rng.IntN(len(all))], rng.IntN(1000), rng.Int64N(rng.Int64N(160) + 1), rng.Int64N(1000)})
	}
	return e
}

// exploration is an episode that is being played.
type exploration struct {
	episode
	w   *world
	log []string
	// faults are when something happened.
	faults []int64
	// away says that the server was: what died meanwhile is not missed.
	away bool
}

// play plays the episode and returns the problem that it found, or the empty string.
func (e episode) play() (problem string, log []string) {
	x := &exploration{episode: e, w: newWorld(e.seed, Options{MinReplicas: 1, ForgetAfter: 60, StartAloneAfter: 1_000_000, Seeds: true})}
	if e.server {
		x.w = newServerWorld(e.seed)
	}
	for i := range e.replicas {
		x.start(string(rune('a'+i)), "")
	}
	x.w.run(x.w.now + 12_000)
	x.note("tick 12")
	if x.w.run(x.w.now + 2000); !x.w.owned(x.w.now/1000 - 2).exact() {
		return fmt.Sprintf("no fleet of %d has formed", e.replicas), x.log
	}
	for _, d := range e.deeds {
		x.w.run(x.w.now + d.wait*quantum)
		if d.wait > 0 {
			x.note(fmt.Sprint("wait ", d.wait*quantum))
		}
		x.do(d)
	}
	x.calm()
	last := x.w.now
	x.w.run((x.w.now/1000 + 22) * 1000)
	x.note("tick 22")
	return x.judge(last), x.log
}

func (x *exploration) note(line string) { x.log = append(x.log, line) }

func (x *exploration) start(id, addr string) {
	switch {
	case x.server: // It holds no addresses that prove anything.
	case addr == "":
		addr = id
	}
	x.w.add(id, addr)
	x.note("start " + id + "@" + addr)
	x.w.born++
}

// running are those who run, in an order that does not change.
func (x *exploration) running(ok func(*node) bool) []*node {
	var all []*node
	for _, n := range x.w.nodes {
		if n.running && ok(n) {
			all = append(all, n)
		}
	}
	return all
}

// spared reports whether another one can be lost in a tame episode.
func (x *exploration) spared() bool {
	if !x.tame {
		return true
	}
	if x.server && (x.w.server.away || x.w.now-x.w.server.backSince < 12_000) {
		return false
	}
	missing, there := 1, 0
	for _, n := range x.w.nodes {
		settled := len(n.views) >= 9 && x.w.now-n.woken > 12_000
		switch {
		case n.running && !n.stopped && settled && n.leaving == 0:
			there++
		case n.running, x.w.now-n.ended < 12_000:
			missing++
		}
	}
	return there-1 > missing
}

// do does a deed, if it can be done.
func (x *exploration) do(d deed) {
	pick := func(ok func(*node) bool) *node {
		if all := x.running(ok); len(all) > 0 {
			return all[d.who%len(all)]
		}
		return nil
	}
	awake := func(n *node) bool { return !n.stopped && n.leaving == 0 }
	n := pick(awake)
	switch d.kind {
	case "kill", "restart":
		if n == nil || !x.spared() {
			return
		}
		x.w.end(n)
		x.note("kill " + n.id)
		if d.kind == "restart" {
			x.w.run(x.w.now + d.strength%20*quantum)
			x.note(fmt.Sprint("wait ", d.strength%20*quantum))
			side := n.side
			x.start(fmt.Sprint(n.addr, x.w.born), n.addr)
			x.w.nodes[len(x.w.nodes)-1].side = side
		}
	case "stop":
		if n == nil || !x.spared() {
			return
		}
		n.stopped = true
		x.note("stop " + n.id)
	case "cont":
		if n = pick(func(n *node) bool { return n.stopped }); n == nil {
			return
		}
		n.stopped = false
		x.w.wake(n)
		x.note("cont " + n.id)
	case "start":
		// It finds those who are there: those who find only each other are another fleet.
		if n = pick(func(n *node) bool { return !n.stopped && len(n.views) > 9 }); n == nil {
			return
		}
		x.start(fmt.Sprint("n", x.w.born), "")
		x.w.nodes[len(x.w.nodes)-1].side = n.side
	case "leave":
		if n == nil || !x.spared() {
			return
		}
		x.w.leave(n)
		x.note("leave " + n.id)
	case "partition":
		if x.tame {
			return
		}
		x.split(d)
	case "heal":
		for _, n := range x.w.nodes {
			n.side = 0
		}
		x.note("heal")
	case "delay":
		x.w.from, x.w.to = d.strength%100, d.strength%100+d.strength%350
		x.note(fmt.Sprint("delay ", x.w.from, " ", x.w.to))
		return
	case "lag":
		if x.tame || n == nil {
			return
		}
		x.w.lag[n.id] = d.strength * x.slowest() / 1000
		x.note(fmt.Sprint("lag ", n.id, " ", x.w.lag[n.id]))
	case "slow":
		if x.tame || n == nil {
			return
		}
		x.w.server.slow[n.id] = d.strength * x.slowest() / 1000
		x.note(fmt.Sprint("slow ", n.id, " ", x.w.server.slow[n.id]))
	case "away":
		x.w.server.hang(x.w)
		x.away = true
		x.note("away")
	case "back":
		x.w.server.goOn(x.w)
		x.note("back")
	}
	x.faults = append(x.faults, x.w.now)
}

// slowest is the longest extra time that a message takes. A replica that hears of nothing for
// longer than it takes a server for away, while the others do, is not played.
func (x *exploration) slowest() int64 {
	if x.server {
		return 1500
	}
	return 5000
}

func (x *exploration) split(d deed) {
	sides := make([][]string, 2+d.strength%2)
	for i, n := range x.running(func(*node) bool { return true }) {
		n.side = (d.who >> i) % len(sides)
		sides[n.side] = append(sides[n.side], n.id)
	}
	var parts []string
	for _, s := range sides {
		parts = append(parts, strings.Join(s, " "))
	}
	x.note("partition " + strings.Join(parts, " | "))
}

// calm undoes the disturbances that can be undone.
func (x *exploration) calm() {
	for _, n := range x.w.nodes {
		n.side = 0
		if n.running && n.stopped {
			n.stopped = false
			x.w.wake(n)
			x.note("cont " + n.id)
		}
	}
	x.w.lag, x.w.from, x.w.to = map[string]int64{}, 20, 300
	if x.server {
		x.w.server.slow = map[string]int64{}
		x.w.server.goOn(x.w)
	}
	x.note("heal")
	x.note("delay 20 300")
}

// judge describes the first mistake in the ownership of slots.
func (x *exploration) judge(last int64) string {
	w := x.w
	short := 0
	first := w.nodes[0].lineages[w.begin+12]
	for k := w.begin; k < w.now/1000-1; k++ {
		o := w.owned(k)
		if len(o.lineages) > 1 && !o.lineages[first] {
			return "" // The fleet died, and those who came then parted while they founded another.
		}
		if o.doubled || o.differ && !x.server {
			return fmt.Sprintf("second %d: %s", k-w.begin, o)
		}
		if x.tame && k > w.begin+12 && o.present < x.bound(k)-1e-9 {
			short++
		}
	}
	if !x.tame || len(w.running()) == 0 {
		return ""
	}
	if short > 2*len(x.faults) && !x.away {
		return fmt.Sprintf("less than the share of those who live was owned for %d seconds", short)
	}
	for k := last/1000 + x.settles(); k < w.now/1000-1; k++ {
		if o := w.owned(k); !o.exact() {
			return fmt.Sprintf("second %d, %d after the last fault: %s", k-w.begin, k-last/1000, o)
		}
	}
	return ""
}

// settles is within how many seconds after the last fault all is exact.
func (x *exploration) settles() int64 {
	if x.server {
		return 15
	}
	return 11
}

// running are those who run at the end.
func (w *world) running() []*node {
	return slices.DeleteFunc(slices.Clone(w.nodes), func(n *node) bool { return !n.running || n.leaving != 0 })
}

// bound is what those own at least who run all of a second and are members: the share
// of each in the largest fleet that there may be.
func (x *exploration) bound(k int64) float64 {
	live, all := 0, 0
	for _, n := range x.w.nodes {
		switch v, known := n.views[k-5]; {
		case n.whole[k] && n.whole[k-1] && known && v.Live:
			live++
			all++
		case n.wasUp(k-12, k):
			all++
		}
	}
	return float64(live) / math.Max(1, float64(all))
}

// wasUp reports whether it ran in one of some seconds.
func (n *node) wasUp(from, to int64) bool {
	for k := from; k <= to; k++ {
		if n.up[k] {
			return true
		}
	}
	return false
}

// shrink returns the episode with the same kind of problem that has the least deeds.
func (e episode) shrink() episode {
	for again := true; again; {
		again = false
		for i := range e.deeds {
			smaller := e
			smaller.deeds = slices.Delete(slices.Clone(e.deeds), i, i+1)
			if i < len(smaller.deeds) {
				smaller.deeds[i].wait += e.deeds[i].wait
			}
			if problem, _ := smaller.play(); problem != "" {
				e, again = smaller, true
				break
			}
		}
		if smaller := e; !again && e.replicas > 2 {
			smaller.replicas--
			if problem, _ := smaller.play(); problem != "" {
				e, again = smaller, true
			}
		}
	}
	return e
}

// TestExplore plays random episodes. No second may have more owned than there is, in no
// episode. While there is a majority, those who live own at least their shares but for
// two seconds a fault, and all is exact within 10 s of the last one.
func TestExplore(t *testing.T) { exploreAll(t, false) }

// TestExploreWithServer does so where heartbeats go through a server, which is away at times.
func TestExploreWithServer(t *testing.T) { exploreAll(t, true) }

func exploreAll(t *testing.T, server bool) {
	t.Helper()
	n := *episodes
	if n == 0 {
		n = 1500
		if raceEnabled || testing.Short() {
			n = 200
		}
	}
	const batches = 4
	for batch := range batches {
		t.Run(fmt.Sprint("batch ", batch), func(t *testing.T) {
			t.Parallel()
			for i := batch; i < n; i += batches {
				explore(t, *seed+uint64(i), server)
			}
		})
	}
}

// explore plays the episode of a seed, and fails with the shortest one that does if it
// goes wrong.
func explore(t *testing.T, seed uint64, server bool) {
	t.Helper()
	e := newEpisode(seed, server)
	problem, _ := e.play()
	if problem == "" {
		return
	}
	e = e.shrink()
	smaller, log := e.play()
	t.Fatalf("seed %d (tame: %v): %s\nin short: %s\n%s", e.seed, e.tame, problem, smaller, strings.Join(log, "\n"))
}
