package membership

import (
	"flag"
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/override"
	"github.com/traffic-exporter/traffic_exporter/internal/share"
)

var episodes = flag.Int("membership.episodes", 0, "episodes of the simulated year; 0 is 150, or 8 with the race detector")

const (
	// leadTime is how long before a second its members are decided.
	leadTime = 0.75
	// slowest is the longest that a heartbeat takes to another replica. It is what the
	// rules have to stand: Settle-1 seconds less leadTime, and a little.
	slowest = 1.2
)

// replica is one as it really is. Times are in seconds.
type replica struct {
	id     string
	weight uint32
	// phase is when in a second it sends its heartbeats, born its first one.
	phase, born float64
	// leaving is the heartbeat with which it announced its leave, crashed when it died.
	leaving, crashed float64
	// It stands still from pausedAt to resumed, of which its first heartbeat after that
	// is the next, with the second since from which it wants to count.
	pausedAt, resumed float64
	since             int64
}

var never = math.Inf(1)

// sends reports whether the replica sends a heartbeat at t.
func (r *replica) sends(t float64) bool {
	return t >= r.born && t < r.crashed && (t < r.pausedAt || t >= r.resumed) && t < r.leaves()
}

// leaves returns when it unregisters.
func (r *replica) leaves() float64 { return math.Floor(r.leaving) + Settle }

// beat returns the heartbeat that it sends at t.
func (r *replica) beat(t float64) Heartbeat {
	h := Heartbeat{ID: r.id, Weight: r.weight, Sent: int64(t * 1000), Registered: int64(r.born)}
	if t >= r.leaving {
		h.Leaving = int64(r.leaving)
	}
	if t >= r.resumed {
		h.Since = r.since
	}
	return h
}

// acts reports whether it sends what it owns in a second.
func (r *replica) acts(second int64) bool {
	t := float64(second)
	return second >= int64(r.born)+Settle && t < r.leaves() && t < r.crashed &&
		(t < r.pausedAt || t >= r.resumed && second >= r.since)
}

// excused reports whether nobody may be there to send what it owns in a second: it is
// dead or stands still, and the others have not had the time to see that.
func (r *replica) excused(second int64) bool {
	t := float64(second)
	failed := math.Min(r.crashed, r.pausedAt)
	return t >= math.Floor(failed) && (t <= failed+5 || t < float64(r.since)+1)
}

// world is all replicas, and some of them, the observers, with what they decide.
type world struct {
	t         *testing.T
	rng       *rand.Rand
	seed      maphash.Seed
	all       map[string]*replica
	born      int
	observers map[string]*observer
	// changes are those of the rate in this episode.
	changes    []override.Change
	slots      int
	exercised  map[string]int
	bufferList []Heartbeat
}

type observer struct {
	tracker *Tracker
	view    View
	history override.History
	last    int64
}

func newWorld(t *testing.T, n int, start float64) *world {
	t.Helper()
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(1, 2)), seed: maphash.MakeSeed(), all: map[string]*replica{},
		observers: map[string]*observer{}, exercised: map[string]int{},
	}
	for range n {
		w.add(start - 100 - 1000*w.rng.Float64())
	}
	return w
}

// add makes a replica that sends its first heartbeat at a time.
func (w *world) add(at float64) *replica {
	r := &replica{
		id: fmt.Sprintf("r%06d", w.rng.IntN(1e6)*1000+w.born%1000), weight: 1 + w.rng.Uint32N(3),
		born: at, phase: at - math.Floor(at), leaving: never, crashed: never, pausedAt: never, resumed: never,
	}
	w.born++
	w.all[r.id] = r
	return r
}

// delay returns how long a heartbeat takes to an observer.
func (w *world) delay(from, to string, n int64) float64 {
	if from == to {
		return 0
	}
	x := maphash.String(w.seed, from) ^ 3*maphash.String(w.seed, to) ^ 5*uint64(n)
	return slowest * float64(x*0x9E3779B97F4A7C15>>11) / (1 << 53)
}

// heard returns what an observer has heard at a time.
func (w *world) heard(by string, at float64) []Heartbeat {
	list := w.bufferList[:0]
	for _, r := range w.all {
		if at >= r.leaves()+slowest {
			continue // It has unregistered, and that is known.
		}
		for n := int64(math.Floor(at - r.phase)); float64(n) >= at-r.phase-slowest-40; n-- {
			t := float64(n) + r.phase
			if r.sends(t) && t+w.delay(r.id, by, n) <= at {
				list = append(list, r.beat(t))
				break
			}
		}
	}
	w.bufferList = list
	return list
}

// watchers makes a few replicas observers, who know what there is to know.
func (w *world) watchers(ids ...string) {
	for id := range w.observers {
		if w.all[id] == nil {
			delete(w.observers, id)
		}
	}
	for _, id := range ids {
		w.observers[id] = &observer{tracker: New(Options{Self: id, MinReplicas: 1, ForgetAfter: 60})}
	}
}

// second lets all observers decide a second, and checks what they have decided.
func (w *world) second(k int64) {
	at := float64(k) - leadTime
	for id, o := range w.observers {
		r := w.all[id]
		if at < r.born || at >= r.crashed || at >= r.pausedAt && at < r.resumed {
			continue
		}
		if r.since != 0 && r.resumed <= at && o.last < int64(r.resumed) {
			o.tracker.Away(k)
		}
		o.last = k
		o.tracker.Hear(w.heard(id, at))
		o.view = o.tracker.Decide(k)
		for _, c := range w.changes {
			if heard := float64(c.Written.UnixMilli())/1000 + w.delay(c.Reason, id, k-k%7); heard <= at {
				o.history = merged(o.history, c)
			}
		}
	}
	w.check(k)
}

func merged(h override.History, c override.Change) override.History {
	b := override.Book{"s": h}
	b.Merge(override.Book{"s": override.History{c}})
	return b["s"]
}

// check holds that the live observers agree, and that each slot has one who sends it.
func (w *world) check(k int64) {
	var agreed *observer
	for id, o := range w.observers {
		r := w.all[id]
		if o.view.Second != k {
			continue
		}
		if !o.view.Live {
			if o.view.Arc != (share.Arc{}) {
				w.t.Fatalf("second %d: %s is not live (%s) and has a part", k, id, o.view.Why)
			}
			if r.acts(k) {
				w.t.Fatalf("second %d: %s should be live, but %s", k, id, o.view.Why)
			}
			continue
		}
		if !r.acts(k) && float64(k) < r.crashed && float64(k) < r.pausedAt {
			w.t.Fatalf("second %d: %s should not be live", k, id)
		}
		if agreed == nil {
			agreed = o
			continue
		}
		if !slices.Equal(agreed.view.Share.Members(), o.view.Share.Members()) {
			w.t.Fatalf("second %d: two observers count %d and %d members; they differ in\n%s", k, agreed.view.Members, o.view.Members,
				w.difference(agreed.view, o.view)+fmt.Sprintf("%+v\n%+v", *w.all[agreed.tracker.o.Self], *w.all[id]))
		}
		a, okA := agreed.history.At(time.Unix(k, 0))
		b, okB := o.history.At(time.Unix(k, 0))
		if okA != okB || a.Value != b.Value {
			w.t.Fatalf("second %d: two observers apply the rates %g and %g", k, a.Value, b.Value)
		}
	}
	if agreed == nil {
		w.t.Fatalf("second %d: nobody is live", k)
	}
	for range 10 {
		seq := w.rng.Uint64() >> w.rng.IntN(64)
		m, ok := agreed.view.Share.Owner(seq)
		w.slots++
		if r := w.all[m.ID]; !ok || r == nil || !r.acts(k) && !r.excused(k) {
			w.t.Fatalf("second %d: slot %d is of %q, which does not send it: %+v", k, seq, m.ID, r)
		}
	}
}

// difference tells what is known of those that are in one view only.
func (w *world) difference(a, b View) string {
	var text strings.Builder
	for _, m := range a.Share.Members() {
		if !slices.Contains(b.Share.Members(), m) {
			fmt.Fprintf(&text, "%+v (only in the first)\n", w.all[m.ID])
		}
	}
	for _, m := range b.Share.Members() {
		if !slices.Contains(a.Share.Members(), m) {
			fmt.Fprintf(&text, "%+v (only in the second)\n", w.all[m.ID])
		}
	}
	return text.String()
}

// episode is a time in which things happen.
func (w *world) episode(start int64, n int) {
	w.sweep(float64(start))
	ids := make([]string, 0, len(w.all))
	for id := range w.all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	w.rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	joiner := w.add(float64(start) + 2 + 10*w.rng.Float64())
	clear(w.observers)
	w.watchers(append(slices.Clone(ids[:3]), joiner.id)...)

	faults := 0
	for _, id := range ids[2:min(len(ids), 2+n)] { // One observer is among them.
		r := w.all[id]
		at := float64(start) + 2 + 10*w.rng.Float64()
		// Heartbeats at other times than their phase would have to be added.
		at = math.Floor(at) + r.phase
		switch kind := w.rng.IntN(4); {
		case kind == 0 && faults < len(ids)/4:
			r.crashed = at + 0.001 + 0.998*w.rng.Float64()
			w.exercised["crash"]++
			faults++
		case kind == 1 && faults < len(ids)/4:
			r.pausedAt = at + 0.001 + 0.998*w.rng.Float64()
			// Lengths at which the others may just so have taken over, or not, are left out:
			// such a replica stays silent until it is certain, which is all that can be said.
			r.resumed = math.Floor(r.pausedAt) + 1 + r.phase
			if w.rng.IntN(2) == 0 {
				r.resumed += float64(6 + w.rng.IntN(12))
				r.since = int64(r.resumed) + Settle
			}
			w.exercised["standstill"]++
			faults++
		case kind == 2:
			w.add(at + w.rng.Float64())
			w.exercised["join"]++
		default:
			r.leaving = at
			w.exercised["leave"]++
		}
	}
	w.changes = w.changes[:0]
	for i := range w.rng.IntN(4) {
		now := time.UnixMilli(start*1000 + 2000 + w.rng.Int64N(10_000))
		var c override.Change
		c.Kind, c.Value, c.Until = override.Rate, w.rng.Float64(), now.Add(time.Duration(5+w.rng.IntN(10))*time.Second).Truncate(time.Second)
		c.Replica, c.Reason = ids[i], fmt.Sprint("change ", i, start)
		_, c, _ = override.History{}.Add(c, now)
		w.changes = append(w.changes, c)
		w.exercised["rate change"]++
	}
	for k := start; k < start+40; k++ {
		w.second(k)
	}
}

// sweep forgets who is gone, and lets those who paused be as the others.
func (w *world) sweep(now float64) {
	for id, r := range w.all {
		if r.crashed < now || r.leaves() < now {
			delete(w.all, id)
		}
		r.pausedAt, r.resumed, r.since = never, never, 0
	}
	for len(w.all) < 950 {
		w.add(now - 50)
	}
	for len(w.all) > 1050 {
		for id := range w.all {
			delete(w.all, id)
			break
		}
	}
}

func TestAYearOfAThousandReplicas(t *testing.T) {
	n := *episodes
	if n == 0 {
		n = 150
		if raceEnabled {
			n = 8
		}
	}
	const year = 365 * 24 * 3600
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	w := newWorld(t, 1000, float64(start))
	for i := range n {
		w.episode(start+int64(i)*(year/int64(n)), 1+w.rng.IntN(40))
	}
	t.Logf("%d slots in %d episodes: %v", w.slots, n, w.exercised)
	for _, kind := range []string{"crash", "standstill", "join", "leave", "rate change"} {
		if w.exercised[kind] < n/2 {
			t.Errorf("only %d times: %s", w.exercised[kind], kind)
		}
	}
}
