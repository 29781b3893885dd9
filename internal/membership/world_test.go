package membership

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
)

const (
	// quantum is the time between two looks at the world.
	quantum = 50
	// leadTime is how long before a second its members are decided.
	leadTime = 750
	// leaveTime is after how long one ends that could not leave.
	leaveTime = 10_000
	// meetWithin is how long one looks for others before its first heartbeat.
	meetWithin = 500
)

// node is a replica in a world.
type node struct {
	id, addr string
	weight   uint32
	tracker  *Tracker
	// phase is when in a second it sends its heartbeats, born when it was started and sent
	// when it sent the last one.
	phase, born, sent int64
	// writing is until when it waits for a server to acknowledge its last heartbeat.
	writing int64
	running bool
	stopped bool
	// old says that it is of a version that does not hand views over.
	old bool
	// side is which side of a partition it is on.
	side int
	// deafTo are those that it does not hear.
	deafTo map[*node]bool
	// leaving is when it was asked to leave, ended when it ended or was killed, woken when it
	// went on.
	leaving, ended, woken int64
	// number is how many were started before it, and store what its gossip knows, by that.
	number int
	store  []*entry
	dirty  bool
	list   []*Heartbeat
	// inbox has the messages on their way to it, by the look at which they have arrived, and
	// received is the last look that was.
	inbox    map[int64][]message
	received int64
	views    map[int64]View
	// lineages are those of the views.
	lineages map[int64]uint64
	last     int64
	// up are the seconds in which it ran, at least for a while, and whole those that it ran
	// through.
	up, whole map[int64]bool
}

// entry is a heartbeat in a store, or that its replica has unregistered.
type entry struct {
	*Heartbeat
	number int
	gone   bool
}

type message struct {
	from    *node
	entries []*entry
}

// world is replicas that gossip.
type world struct {
	rng   *rand.Rand
	now   int64
	begin int64
	nodes []*node
	// from and to are the least and the longest time that a message takes.
	from, to int64
	// lag is the extra delay of messages from a replica.
	lag     map[string]int64
	options Options
	born    int
	// started counts the replicas that were.
	started int
	// divisions are the last that replicas have come to.
	divisions []share.View
	// gossip is how news spreads; nil if it goes to each at once.
	gossip *gossip
	// server is what news goes through; nil if there is none.
	server *server
}

func newWorld(seed uint64, o Options) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 7)), now: 1_000_000_000, from: 20, to: 300, lag: map[string]int64{}, options: o}
	w.begin = w.now / 1000
	return w
}

// add starts a replica.
func (w *world) add(id, addr string) *node {
	o := w.options
	o.Self, o.Address, o.Weight = id, addr, max(1, o.Weight)
	n := &node{
		id: id, addr: addr, weight: o.Weight, tracker: New(o), born: w.now, running: true,
		phase:  BeatAt + w.rng.Int64N(BeatSpread/quantum)*quantum,
		number: w.started, inbox: map[int64][]message{}, received: w.now, views: map[int64]View{}, lineages: map[int64]uint64{}, up: map[int64]bool{}, whole: map[int64]bool{},
	}
	w.started++
	w.nodes = append(w.nodes, n)
	w.sync(n)
	return n
}

// find returns the replica of an ID.
func (w *world) find(id string) *node {
	for _, n := range w.nodes {
		if n.id == id {
			return n
		}
	}
	panic("no replica " + id)
}

func (w *world) reaches(a, b *node) bool {
	return w.server == nil && a != b && a.running && b.running && !a.stopped && a.side == b.side && !b.deafTo[a]
}

// sync exchanges all that is known with one that can be reached.
func (w *world) sync(n *node) {
	var others []*node
	for _, o := range w.nodes {
		if w.reaches(n, o) && !o.stopped {
			others = append(others, o)
		}
	}
	if len(others) > 0 {
		o := others[w.rng.IntN(len(others))]
		w.send(n, o, slices.Clone(n.store))
		w.send(o, n, slices.Clone(o.store))
	}
}

func (w *world) send(from, to *node, entries []*entry) {
	to.post(w.now+w.delay()+w.lag[from.id], message{from, entries})
}

// delay is the time that a message takes.
func (w *world) delay() int64 { return w.from + w.rng.Int64N(w.to-w.from+1) }

// post puts a message on its way that arrives at an instant.
func (n *node) post(at int64, m message) {
	look := (at + quantum - 1) / quantum * quantum
	n.inbox[look] = append(n.inbox[look], m)
}

// run lets time pass until an instant.
func (w *world) run(until int64) {
	for w.now < until {
		w.now += quantum
		if w.server != nil {
			w.server.run(w)
		}
		for _, n := range w.nodes {
			if n.running {
				w.look(n)
			}
		}
	}
}

// look does what a replica has to do now.
func (w *world) look(n *node) {
	if second := w.now / 1000; w.now%1000 == 0 {
		n.whole[second] = !n.stopped
	}
	n.up[w.now/1000] = true
	if n.stopped {
		n.whole[w.now/1000] = false
		return
	}
	w.receive(n)
	if w.isToBeat(n) {
		w.beat(n)
	}
	if w.now%1000 == 1000-leadTime {
		w.decide(n, w.now/1000+1)
	}
	if n.leaving == 0 {
		return
	}
	if v, known := n.views[w.now/1000]; (known && !v.Live && v.Why == "has left the fleet") || w.now > n.leaving+leaveTime {
		w.unregister(n)
	}
}

// isToBeat reports whether a replica sends a heartbeat now: the first when it has met
// others or waited for them a little, then one in each round.
func (w *world) isToBeat(n *node) bool {
	if n.sent == 0 {
		n.hear(w.now)
		return !n.tracker.Waits(w.now) || w.now >= n.born+meetWithin
	}
	return w.now%1000 == n.phase && w.now/1000 > n.sent/1000 && w.now >= n.writing
}

// isUnsure reports whether a replica has not heard of half of those who run. Who reaches
// another hears of it at once.
func (w *world) isUnsure(n *node) bool {
	unknown, all := 0, 0
	for _, o := range w.nodes {
		if !o.running {
			continue
		}
		all++
		if o != n && n.entry(o.number) == nil {
			unknown++
		}
	}
	return 2*unknown >= all
}

func (w *world) receive(n *node) {
	for look := n.received; look <= w.now; look += quantum {
		for _, m := range n.inbox[look] {
			if m.from.side == n.side {
				n.take(m.entries, w.server != nil)
			}
		}
		delete(n.inbox, look)
	}
	n.received = w.now
}

// take takes in entries that are news, and its own if that comes back as well.
func (n *node) take(entries []*entry, own bool) {
	for _, e := range entries {
		if e == nil || e.number == n.number && !own {
			continue
		}
		if old := n.entry(e.number); old == nil || e.Sent > old.Sent || e.gone && e.Sent == old.Sent {
			n.put(e)
		}
	}
}

// entry returns what the gossip of a replica knows of another one, nil if that is nothing.
func (n *node) entry(number int) *entry {
	if number >= len(n.store) {
		return nil
	}
	return n.store[number]
}

func (n *node) put(e *entry) {
	for e.number >= len(n.store) {
		n.store = append(n.store, nil)
	}
	n.store[e.number], n.dirty = e, true
}

func (n *node) hear(now int64) {
	if !n.dirty {
		return
	}
	n.dirty = false
	n.list = n.list[:0]
	for _, e := range n.store {
		if e != nil && !e.gone {
			n.list = append(n.list, e.Heartbeat)
		}
	}
	n.tracker.Hear(now, n.list)
}

func (w *world) beat(n *node) {
	n.hear(w.now)
	n.tracker.Unreached(w.isUnsure(n))
	n.sent = w.now
	said := n.tracker.Beat(w.now)
	e := &entry{number: n.number, Heartbeat: &Heartbeat{
		ID: n.id, Weight: n.weight, Address: n.addr, Sent: w.now, Asked: said.Asked, Leaving: said.Leaving,
		Heir: said.Heir, HeirSince: said.HeirSince, Claim: said.Claim, HandsOver: !n.old, Votes: said.Votes, Settled: said.Settled,
	}}
	w.spread(n, e)
	if w.gossip == nil || w.gossip.isToExchange(w) {
		w.sync(n)
	}
}

func (w *world) spread(n *node, e *entry) {
	if w.server != nil {
		w.server.post(w, n, e)
		return
	}
	n.put(e)
	if w.gossip != nil {
		entries := []*entry{e}
		for i, at := range w.gossip.spread(w, n) {
			if at > w.now {
				w.nodes[i].post(at, message{n, entries})
			}
		}
		return
	}
	for _, o := range w.nodes {
		if w.reaches(n, o) {
			w.send(n, o, []*entry{e})
		}
	}
}

func (w *world) decide(n *node, second int64) {
	n.hear(w.now)
	v := n.tracker.Decide(second)
	v.Share = w.same(v.Share)
	n.views[second] = v
	n.lineages[second] = n.tracker.lineage
	n.last = second
}

// same returns the division that another replica has come to, if it is the same: those of a
// large fleet are large.
func (w *world) same(v share.View) share.View {
	for i, o := range w.divisions {
		if slices.Equal(o.Members(), v.Members()) {
			w.divisions[0], w.divisions[i] = w.divisions[i], w.divisions[0]
			return o
		}
	}
	const kept = 8
	w.divisions = slices.Insert(w.divisions, 0, v)[:min(kept, len(w.divisions)+1)]
	return v
}

func (w *world) unregister(n *node) {
	if e := n.entry(n.number); e != nil {
		last := *e
		last.gone = true
		if w.server != nil {
			last.Heartbeat = w.server.last(n, last.Heartbeat)
		}
		w.spread(n, &last)
	}
	w.end(n)
}

// end ends a replica. Only its past remains.
func (w *world) end(n *node) {
	n.running, n.ended = false, w.now
	n.tracker, n.store, n.list, n.inbox = nil, nil, nil, map[int64][]message{}
	n.whole[w.now/1000] = false
}

// leave asks a replica to leave. Its next heartbeat says so.
func (w *world) leave(n *node) {
	n.leaving = w.now
	n.tracker.Leave(w.now)
	if n.sent == 0 {
		w.end(n)
	}
}

// ownership is who owns what in a second.
type ownership struct {
	// members are those of the views that are acted on.
	members []string
	// parts are the shares of those who act, and sum what they own together. of it present
	// is what those own who ran all the second.
	parts        map[string]float64
	sum, present float64
	// differ says that two act on different views, and doubled that they own the same slots.
	differ, doubled bool
	// lineages are those that are acted on.
	lineages map[uint64]bool
}

func (w *world) owned(second int64) ownership {
	o := ownership{parts: map[string]float64{}, lineages: map[uint64]bool{}}
	var members []share.Member
	var arcs []share.Arc
	for _, n := range w.nodes {
		v, known := n.views[second]
		if !known || !v.Live || !n.up[second] {
			continue
		}
		if members != nil && !slices.Equal(members, v.Share.Members()) {
			o.differ = true
		}
		members = v.Share.Members()
		for _, a := range arcs {
			o.doubled = o.doubled || a.Intersect(v.Arc) != (share.Arc{})
		}
		arcs = append(arcs, v.Arc)
		o.lineages[n.lineages[second]] = true
		o.parts[n.id] = v.Arc.Ratio()
		o.sum += v.Arc.Ratio()
		if n.whole[second] {
			o.present += v.Arc.Ratio()
		}
	}
	for _, m := range members {
		o.members = append(o.members, m.ID)
	}
	return o
}

func (o ownership) exact() bool { return math.Abs(o.present-1) < 1e-9 && !o.doubled }

func (o ownership) String() string {
	if len(o.parts) == 0 {
		return "nobody owns anything"
	}
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(o.parts)) {
		parts = append(parts, fmt.Sprintf("%s=%.3f", id, o.parts[id]))
	}
	text := fmt.Sprintf("of [%s] %s owned %.3f", strings.Join(o.members, " "), strings.Join(parts, " "), o.sum)
	if math.Abs(o.present-o.sum) > 1e-9 {
		text += fmt.Sprintf(", %.3f all second long", o.present)
	}
	if o.differ {
		text += ", IN DIFFERENT VIEWS"
	}
	if o.doubled && !o.differ {
		text += ", TWICE"
	}
	return text
}

// wake notifies a replica that it stood still.
func (w *world) wake(n *node) {
	n.woken = w.now
	n.tracker.Slept(w.now)
}
