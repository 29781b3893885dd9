package fleet

import (
	"fmt"
	"slices"
	"time"

	"github.com/grafana/dskit/ring"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/membership"
	"github.com/traffic-exporter/traffic_exporter/internal/share"
)

const (
	// keep is how many seconds of views are kept, for slots that are found overdue.
	keep = 128
)

// window is this replica's part in each of the last seconds. It is immutable.
type window struct {
	first int64
	arcs  []share.Arc
}

// with returns the window with the arc of one more second, or another one of the last.
// Those between are empty.
func (w *window) with(second int64, arc share.Arc) *window {
	if last := w.first + int64(len(w.arcs)) - 1; len(w.arcs) > 0 && second == last {
		arcs := slices.Clone(w.arcs)
		arcs[len(arcs)-1] = arc
		return &window{first: w.first, arcs: arcs}
	}
	if len(w.arcs) == 0 || second < w.first+int64(len(w.arcs)) || second >= w.first+int64(len(w.arcs))+keep {
		return &window{first: second, arcs: []share.Arc{arc}}
	}
	n := int(second-w.first) + 1
	arcs := make([]share.Arc, n)
	copy(arcs, w.arcs)
	arcs[n-1] = arc
	cut := max(0, n-keep)
	return &window{first: w.first + int64(cut), arcs: arcs[cut:]}
}

// arc returns this replica's part of the slots due in a second: nothing for those that
// nothing is known of.
func (w *window) arc(second int64) share.Arc {
	i, n := second-w.first, int64(len(w.arcs))
	switch {
	case i < 0 || i >= n:
		return share.Arc{}
	default:
		return w.arcs[i]
	}
}

var _ engine.Arcs = (*Fleet)(nil)

// Arc implements engine.Arcs.
func (f *Fleet) Arc(due time.Time) share.Arc { return f.windows.Load().arc(second(due)) }

// tick decides the members of the seconds that begin until lead from now.
func (f *Fleet) tick(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noticeAbsence(now)
	f.ticked = now
	f.tracker.Doubt(f.clocks.doubt())
	next := second(now.Add(lead))
	for s := max(f.decided+1, next-1); s <= next; s++ {
		f.decide(s)
	}
}

// second returns the whole second that an instant is in.
func second(t time.Time) int64 { return t.Unix() }

// noticeAbsence finds out whether this replica has stood still, or its clock was set back.
// The next decision or heartbeat calls it, whichever comes first.
func (f *Fleet) noticeAbsence(now time.Time) {
	if f.ticked.IsZero() || f.beaten.IsZero() {
		return
	}
	gap := now.Sub(f.ticked)
	switch {
	case gap < -time.Second:
		f.tracker.SetBack()
		f.clocks = clocks{}
		f.decided = second(now.Add(lead)) - 1
		f.logger.Warn("the clock was set back, this replica joins the fleet anew", "by_seconds", -gap.Seconds())
	case gap >= stalledAfter && now.Sub(f.beaten) >= silentAfter:
		f.tracker.Slept(now.UnixMilli())
		f.clocks = clocks{}
		f.logger.Warn("this replica stood still", "for_seconds", gap.Seconds())
	default:
		return
	}
	f.storeNews.resumed = second(now.Add(lead))
	f.ticked = now
}

func (f *Fleet) decide(s int64) {
	old := f.view
	f.before, f.view = old, f.tracker.Decide(s)
	f.decided = s
	f.windows.Store(f.windows.Load().with(s, f.view.Arc))
	f.report(old, f.view)
}

// report logs the changes.
func (f *Fleet) report(old, v membership.View) {
	switch away, back := f.storeNews.about(v.StoreUp, v.Second); {
	case away:
		f.logger.Error("the fleet's store is away, the last view of the fleet is held", "store", f.store.name)
	case back:
		f.logger.Info("the fleet's store is back", "store", f.store.name)
	}
	if old.Waiting != v.Waiting {
		if v.Waiting {
			f.logger.Warn("none of the replicas in join has been reached, waiting for them before anything is sent",
				"join", f.o.Memberlist.Join, "start_alone_after_seconds", f.o.StartAloneAfter.Seconds())
		} else {
			f.logger.Info("waits no longer for the replicas in join")
		}
	}
	if old.Live != v.Live || old.Members != v.Members || old.Lost != v.Lost || old.Arc != v.Arc {
		f.changes++
		f.logger.Info("view of the fleet changed", "from_second", time.Unix(v.Second, 0).UTC(),
			"members", v.Members, "lost", v.Lost, "share", fmt.Sprintf("%.4f", v.Arc.Ratio()), "live", v.Live, "why", v.Why)
	}
}

// arrival is a replica's last heartbeat, and when it came.
type arrival struct {
	id string
	at time.Time
	*words
}

// read takes in what a server lists.
func (f *Fleet) read(value any) {
	desc, ok := value.(*ring.Desc)
	if !ok || desc == nil {
		return
	}
	now := time.Now()
	all := make([]arrival, 0, len(desc.Ingesters))
	for id, d := range desc.Ingesters {
		all = append(all, arrival{id: id, at: now, words: wordsOf(d)})
	}
	f.hear(all)
}

// hear takes in the last heartbeats of all replicas.
func (f *Fleet) hear(all []arrival) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	heartbeats := make([]*membership.Heartbeat, 0, len(all))
	heard := make(map[string]bool, len(all))
	for _, a := range all {
		heartbeats = append(heartbeats, f.hearOne(a))
		heard[a.id] = true
	}
	for id := range f.profiles {
		if !heard[id] {
			delete(f.profiles, id)
			delete(f.clocks, id)
			delete(f.odd, id)
		}
	}
	f.tracker.Hear(now.UnixMilli(), heartbeats)
	f.retry(now)
	f.compare()
}

// hearOne takes in what one replica says, if it is new, and returns its heartbeat.
func (f *Fleet) hearOne(a arrival) *membership.Heartbeat {
	old, known := f.profiles[a.id]
	if known && (a.words == old.words || old.says(a.words)) {
		return old.heartbeat
	}
	p := f.profileOf(a.id, a.words)
	if known && p.sent.After(old.sent) && a.id != f.id {
		f.clocks.add(a.id, a.at.Sub(p.sent))
	}
	f.profiles[a.id] = p
	return p.heartbeat
}

// says reports whether words are those of the same heartbeat.
func (p *profile) says(w *words) bool {
	return int64(w.of(fieldSent)) == p.heartbeat.Sent && int64(w.of(fieldAsked)) == p.heartbeat.Asked
}

// retry decides the last second again if too little was known, and may be known now.
func (f *Fleet) retry(now time.Time) {
	if f.view.Agreed || f.view.Second != f.decided || f.decided < second(now) {
		return
	}
	if v := f.tracker.Decide(f.decided); v.Agreed {
		old := f.view
		f.view = v
		f.windows.Store(f.windows.Load().with(f.decided, v.Arc))
		f.report(old, v)
	}
}

// compare logs, once for each, which replicas run other scenarios or another min_replicas than
// this one. Those that have left or are lost no longer matter.
func (f *Fleet) compare() {
	own := oddity{config: f.config.Load(), minReplicas: f.o.MinReplicas}
	differs := map[string]oddity{}
	for id, p := range f.profiles {
		theirs := oddity{config: p.config, minReplicas: p.minReplicas}
		if id != f.id && p.minReplicas != 0 && theirs != own && f.odd[id] != theirs {
			differs[id] = theirs
		}
	}
	if len(differs) == 0 {
		return
	}
	for _, m := range f.tracker.Statuses() {
		theirs, found := differs[m.ID]
		if !found || m.State == membership.LostHeld || m.State == membership.TakenOver {
			continue
		}
		f.odd[m.ID] = theirs
		f.logger.Warn("a member of the fleet runs another configuration",
			"id", m.ID, "address", f.profiles[m.ID].address, "same_scenarios", theirs.config == own.config,
			"min_replicas", theirs.minReplicas, "own_min_replicas", own.minReplicas)
	}
}

// oddity is what a member may have otherwise than this replica.
type oddity struct {
	config      uint64
	minReplicas int
}
