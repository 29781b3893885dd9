package fleet

import (
	"context"
	"sync"
	"time"

	"github.com/grafana/dskit/kv"
	"github.com/grafana/dskit/ring"

	"github.com/traffic-exporter/traffic_exporter/internal/mesh"
)

// The kinds of values that replicas send each other directly.
const (
	directHeartbeat mesh.Kind = iota
	directFigures
)

const (
	// restFor is for how long nothing more is heard after something was, restLarge the same in a
	// large fleet, whose votes have a second longer, and restMost where it took long: heartbeats
	// are taken in a few at a time, and more of them where there is too little of a processor.
	restFor, restLarge, restMost = 40 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond
	// askAt and askAgainAt are how far into a second the others are asked for the heartbeats
	// of the round that have not come.
	askAt, askAgainAt = 650 * time.Millisecond, 900 * time.Millisecond
	// soughtFor is the age, in seconds, of the last heartbeat of a replica up to which the next is
	// asked for. One that was never heard is asked for as long as it is registered.
	soughtFor = 60
	// soughtAtOnce bounds the heartbeats that are asked for at once. That more are late is no
	// fault of the network: where processors are too slow there must not be more work for it.
	soughtAtOnce = 8
	// gossipFor is for how long heartbeats go by gossip as well after one came that way.
	gossipFor = 10 * time.Second
)

// direct is how replicas hear each other without a server. The gossip has who there is and
// where, as a ring whose entries stay as they were registered; heartbeats and figures go from
// each to all over a mesh. It is safe for concurrent use.
type direct struct {
	fleet *Fleet
	mesh  *mesh.Mesh
	// news has a value when something new is known.
	news chan struct{}

	mu sync.Mutex
	// known are the last heartbeats, and moved says that there are others in it than those that
	// the mesh knows.
	known listing
	moved bool
	// registered says that this replica is in the gossip's ring, and gossiped when the last
	// heartbeat of one came that hears nothing but the gossip.
	registered bool
	gossiped   time.Time
}

func newDirect(f *Fleet, o Options, s *store) *direct {
	d := &direct{fleet: f, news: make(chan struct{}, 1), known: listing{}}
	d.mesh = mesh.New(mesh.Options{
		Cluster: o.Cluster, ID: f.id, Address: s.address,
		Dial: s.gate.dialOut, Hear: d.hear, Known: d.lookUp, Refuse: func() { f.refused.Add(1) }, Logger: o.Logger,
	})
	return d
}

// hear takes in a value that another replica has sent.
func (d *direct) hear(v mesh.Value) {
	if v.Kind == directFigures {
		d.fleet.totals.hear(figures{v.ID: {at: v.Stamp, content: v.Content}})
		return
	}
	e, ok := newEntry(v.Content)
	if !ok {
		return
	}
	e.heard = true
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.known[v.ID]; k == nil || !k.heard && !k.left || e.isAfter(k.stamp) {
		d.moved = d.moved || k == nil || k.left
		d.known[v.ID] = e
		d.wake()
	}
}

// lookUp returns the last heartbeat of a replica.
func (d *direct) lookUp(id string) (mesh.Value, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.known[id]
	if e == nil || e.left {
		return mesh.Value{}, false
	}
	return mesh.Value{Kind: directHeartbeat, ID: id, Stamp: e.second, Content: e.content}, true
}

func (d *direct) wake() {
	select {
	case d.news <- struct{}{}:
	default:
	}
}

// read takes in what the gossip lists: who there is, who has left, and heartbeats of replicas
// of version 0.1.0. Of those that were heard directly it is old.
func (d *direct) read(value any) {
	l, ok := value.(*listing)
	if !ok || l == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	own := (*l)[d.fleet.id]
	d.registered = own != nil && !own.left
	for id, e := range *l {
		k := d.known[id]
		switch {
		case k == nil:
			d.known[id], d.moved = e, true
		case e.left && e.isAfter(k.stamp):
			d.known[id], d.moved = k.leave(e.stamp), true
		case !e.left && e.isAfter(k.stamp) && e.isGossip():
			e.heard = true
			d.known[id], d.gossiped = e, e.at
		}
	}
	for id, e := range d.known {
		if (*l)[id] == nil && time.Since(e.at) > purgeAfter {
			delete(d.known, id)
			d.moved = true
		}
	}
	d.wake()
}

// needsGossip reports whether this replica's heartbeat has to go by gossip as well: it is not
// in the ring, or there are replicas that hear nothing else.
func (d *direct) needsGossip() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.registered || time.Since(d.gossiped) < gossipFor
}

// say sends this replica's heartbeat to all others, and hears it itself.
func (d *direct) say(desc ring.InstanceDesc) error {
	e, err := entryFor(desc)
	if err != nil {
		return err
	}
	d.mesh.Say(mesh.Value{Kind: directHeartbeat, ID: d.fleet.id, Stamp: e.second, Content: e.content})
	e.heard = true
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[d.fleet.id] = e
	d.wake()
	return nil
}

// begin says this replica's first heartbeat, with which it has been registered.
func (d *direct) begin(fields ring.InstanceVersions) error {
	now := time.Now().Unix()
	return d.say(ring.InstanceDesc{
		Id: d.fleet.id, Addr: d.fleet.store.address, State: ring.ACTIVE, Timestamp: now, RegisteredTimestamp: now, Versions: fields,
	})
}

// beat says this replica's next heartbeat, and registers it again if the gossip has lost it.
func (d *direct) beat(ctx context.Context, members kv.Client, fields ring.InstanceVersions) error {
	own, ok := d.own()
	if !ok {
		return d.begin(fields)
	}
	own.Versions, own.Timestamp = fields, time.Now().Unix()
	if err := d.say(own); err != nil || !d.needsGossip() {
		return err
	}
	return d.register(ctx, members)
}

// own returns this replica's last heartbeat.
func (d *direct) own() (ring.InstanceDesc, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.known[d.fleet.id]
	if e == nil {
		return ring.InstanceDesc{}, false
	}
	desc, err := e.decode()
	return desc, err == nil
}

// arrivals returns the heartbeats that were heard, and not those with which replicas were
// registered.
func (d *direct) arrivals() []arrival {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]arrival, 0, len(d.known))
	for id, e := range d.known {
		if !e.heard {
			continue
		}
		if w := e.said(); w != nil {
			all = append(all, arrival{id: id, at: e.at, words: w})
		}
	}
	return all
}

// run hears what comes, and asks for what does not, until ctx ends.
func (d *direct) run(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() { d.ask(ctx) })
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.news:
		}
		begin := time.Now()
		d.fleet.hear(d.arrivals())
		if all := d.addresses(); all != nil {
			d.mesh.Meet(all)
		}
		rest := min(restMost, max(d.rest(), 10*time.Since(begin)))
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
	}
}

// rest returns for how long nothing more is heard after something was.
func (d *direct) rest() time.Duration {
	if d.fleet.known() > largeFleet {
		return restLarge
	}
	return restFor
}

// addresses returns where all are that have not left and can be connected to, nil if these are
// the same as before.
func (d *direct) addresses() map[string]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.moved {
		return nil
	}
	d.moved = false
	all := make(map[string]bool, len(d.known))
	for _, e := range d.known {
		if w := e.said(); w != nil && !e.left && !e.isGossip() && w.address != "" {
			all[w.address] = true
		}
	}
	return all
}

// ask asks the others, twice a second, for heartbeats that have not come.
func (d *direct) ask(ctx context.Context) {
	for {
		now := time.Now().Round(0)
		begin := now.Truncate(time.Second)
		next := begin.Add(time.Second + askAt)
		for _, at := range []time.Duration{askAgainAt, askAt} {
			if t := begin.Add(at); t.After(now) {
				next = t
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(next.Sub(now)):
		}
		if missing := d.missing(next.Unix()); len(missing) > 0 {
			d.mesh.Ask(missing)
		}
	}
}

// missing returns the heartbeats before some of those that have not come in a second.
func (d *direct) missing(second int64) (missing []mesh.Value) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, e := range d.known {
		if e.left || e.second >= second || e.heard && e.second < second-soughtFor || id == d.fleet.id {
			continue
		}
		if len(missing) == soughtAtOnce {
			break // The order of a map is a random one.
		}
		missing = append(missing, mesh.Value{ID: id, Stamp: e.second})
	}
	return missing
}

// forgotten returns the replicas that the gossip's ring lists and that have not been heard
// from for so long that they should not be any more.
func (d *direct) forgotten(desc *ring.Desc) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []string
	for id, listed := range desc.Ingesters {
		if e := d.known[id]; listed.State != ring.LEFT && e != nil && time.Since(e.at) > purgeAfter {
			all = append(all, id)
		}
	}
	return all
}

// register puts this replica into the gossip's ring, and takes those out that have not been
// heard from for long.
func (d *direct) register(ctx context.Context, members kv.Client) error {
	return members.CAS(ctx, ringKey, func(in any) (out any, retry bool, err error) {
		desc := ring.GetOrCreateRingDesc(in)
		for _, id := range d.forgotten(desc) {
			delete(desc.Ingesters, id)
		}
		if own, ok := d.own(); ok {
			desc.Ingesters[d.fleet.id] = own
		}
		return desc, true, nil
	})
}

// poll reads the gossip's ring, and keeps it in order.
func (d *direct) poll(ctx context.Context, members kv.Client, value any) {
	d.read(value)
	l, ok := value.(*listing)
	if !ok || l == nil || len(d.forgotten(l.desc())) == 0 {
		return
	}
	if err := d.register(ctx, members); err != nil && ctx.Err() == nil {
		d.fleet.logger.Debug("replicas that are gone could not be taken out of the ring", "err", err)
	}
}
