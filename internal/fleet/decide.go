package fleet

import (
	"fmt"
	"time"

	"github.com/grafana/dskit/ring"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/membership"
	"github.com/traffic-exporter/traffic_exporter/internal/share"
)

const (
	// keep is how many seconds of views are kept, for slots that are found overdue.
	keep = 128
	// hold is for how many seconds beyond the last that was decided its view stands, in
	// case the decision comes late. It is less than it takes the others to take over.
	hold = 1
)

// window is this replica's part in each of the last seconds. It is immutable.
type window struct {
	first int64
	arcs  []share.Arc
}

// with returns the window with the arc of one more second. Those between are empty.
func (w *window) with(second int64, arc share.Arc) *window {
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
	case i < 0 || i >= n+hold || n == 0:
		return share.Arc{}
	case i >= n:
		return w.arcs[n-1]
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
	for s := max(f.decided+1, next-hold); s <= next; s++ {
		f.decide(s)
	}
}

// second returns the whole second that an instant is in.
func second(t time.Time) int64 { return t.Unix() }

// noticeAbsence finds out whether this replica has been away. Whoever comes first after
// that calls it: the next decision or the next heartbeat.
func (f *Fleet) noticeAbsence(now time.Time) {
	if !f.wasAway(now) {
		return
	}
	f.logger.Warn("this replica stood still or its clock was stepped, it joins the fleet anew",
		"for_seconds", now.Sub(f.beaten).Seconds())
	next := second(now.Add(lead))
	f.tracker.Away(next)
	f.clocks = clocks{}
	f.storeNews.resumed = next
	f.decided = next - 1
	f.ticked = now
}

// wasAway reports whether this replica has stood still for so long that the others may
// have taken over its part. A clock that was set back is no better.
func (f *Fleet) wasAway(now time.Time) bool {
	if f.ticked.IsZero() || f.beaten.IsZero() {
		return false
	}
	gap := now.Sub(f.ticked)
	return gap >= stalledAfter && now.Sub(f.beaten) >= silentAfter || gap < -time.Second
}

func (f *Fleet) decide(s int64) {
	old := f.view
	f.before, f.view = old, f.tracker.Decide(s)
	f.decided = s
	f.windows.Store(f.windows.Load().with(s, f.view.Arc))
	f.report(old, f.view)
}

// report logs what has changed.
func (f *Fleet) report(old, v membership.View) {
	switch away, back := f.storeNews.about(v.StoreUp, v.Second); {
	case away:
		f.logger.Error("the fleet's store is away, the last view of the fleet is held", "store", f.store.name)
	case back:
		f.logger.Info("the fleet's store is back", "store", f.store.name)
	}
	if old.Live != v.Live || old.Members != v.Members || old.Lost != v.Lost || old.Arc != v.Arc {
		f.changes++
		f.logger.Info("view of the fleet changed", "from_second", time.Unix(v.Second, 0).UTC(),
			"members", v.Members, "lost", v.Lost, "share", fmt.Sprintf("%.4f", v.Arc.Ratio()), "live", v.Live, "why", v.Why)
	}
}

// hear takes in what the store lists.
func (f *Fleet) hear(value any) {
	desc, ok := value.(*ring.Desc)
	if !ok || desc == nil {
		return
	}
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	heartbeats := make([]membership.Heartbeat, 0, len(desc.Ingesters))
	for id, d := range desc.Ingesters {
		p := profileOf(d)
		if old, known := f.profiles[id]; known && p.sent.After(old.sent) && id != f.id {
			f.clocks.add(id, now.Sub(p.sent))
		}
		f.profiles[id] = p
		heartbeats = append(heartbeats, heartbeat(id, d))
	}
	for id := range f.profiles {
		if _, listed := desc.Ingesters[id]; !listed {
			delete(f.profiles, id)
			delete(f.clocks, id)
		}
	}
	f.tracker.Hear(heartbeats)
}
