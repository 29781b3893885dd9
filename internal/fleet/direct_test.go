package fleet

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/grafana/dskit/ring"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/traffic-exporter/traffic_exporter/internal/mesh"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// TestAReplicaThatOthersDoNotReachAsksForTheirHeartbeats has one advertise an address where
// nobody listens: the others cannot connect to it, but it can to them.
func TestAReplicaThatOthersDoNotReachAsksForTheirHeartbeats(t *testing.T) {
	options := gossip(t, 3)
	options[2].Memberlist.Advertise = freeport.Address(t)
	var fleet []*Fleet
	for _, o := range options {
		fleet = append(fleet, run(t, o))
	}
	for _, f := range fleet {
		counts(t, f, 3)
	}
	// The two hear it as others do, and it asks for what they say.
	for until := time.Now().Add(8 * time.Second); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		if s := fleet[2].Status(); !s.View.Live || s.View.Lost > 0 {
			t.Fatalf("it is not live among all any more: %+v", s.View)
		}
	}
	if s := fleet[2].Status(); s.Connected != 2 {
		t.Errorf("it has %d connections, want 2", s.Connected)
	}
	if s := fleet[0].Status(); s.Connected != 1 {
		t.Errorf("another has %d connections, want 1", s.Connected)
	}
}

// alone returns a replica that was not started.
func alone(t *testing.T) *Fleet {
	t.Helper()
	f, err := New(Options{
		Store: StoreMemberlist, Name: "a", Weight: 1, Cluster: "test", MinReplicas: 1,
		Memberlist: Memberlist{Listen: freeport.Address(t)}, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.direct.mesh.Close)
	return f
}

// said returns an encoded heartbeat.
func said(t *testing.T, second int64) mesh.Value {
	t.Helper()
	d := beatOf(second, ring.ACTIVE)
	content, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return mesh.Value{Kind: directHeartbeat, ID: "b-1", Stamp: second, Content: content}
}

func TestOnlyHeartbeatsThatWereHeardCount(t *testing.T) {
	d := alone(t).direct
	d.read(listed(t, map[string]ring.InstanceDesc{"b-1": beatOf(5, ring.ACTIVE)}))
	if got := d.arrivals(); len(got) != 0 {
		t.Errorf("the heartbeat with which a replica was registered counts: %v", got)
	}
	if missing := d.missing(1000); len(missing) != 1 || missing[0].Stamp != 5 {
		t.Errorf("asked for are %v, want b-1 at any age", missing)
	}
	for _, second := range []int64{4, 7, 6} { // The first is older than the registration.
		d.hear(said(t, second))
	}
	if got := d.arrivals(); len(got) != 1 || got[0].of(fieldSent) != 7 {
		t.Errorf("got %v, want the heartbeat of second 7", got)
	}
	if v, ok := d.lookUp("b-1"); !ok || v.Stamp != 7 {
		t.Errorf("others get %v, %v", v, ok)
	}
	if missing := d.missing(7 + soughtFor + 1); len(missing) != 0 {
		t.Errorf("asked for are %v, too late", missing)
	}
	if missing := d.missing(7); len(missing) != 0 {
		t.Errorf("asked for are %v, which have come", missing)
	}
}

func TestTheLastWordsOfWhoHasLeftStay(t *testing.T) {
	d := alone(t).direct
	d.hear(said(t, 7))
	if got := d.addresses(); !got["127.0.0.1:1"] {
		t.Errorf("%v are met", got)
	}
	if d.addresses() != nil {
		t.Error("the addresses have not changed")
	}
	d.read(listed(t, map[string]ring.InstanceDesc{"b-1": beatOf(8, ring.LEFT)}))
	if got := d.arrivals(); len(got) != 1 || got[0].of(fieldSent) != 7 {
		t.Errorf("got %v, want the heartbeat of second 7", got)
	}
	if got := d.addresses(); got == nil || len(got) != 0 {
		t.Errorf("%v are met", got)
	}
	if v, ok := d.lookUp("b-1"); ok {
		t.Errorf("others get %v of who has left", v)
	}
	if missing := d.missing(20); len(missing) != 0 {
		t.Errorf("asked for are %v", missing)
	}
}

func TestFewHeartbeatsAreAskedForAtOnce(t *testing.T) {
	d := alone(t).direct
	for i := range 3 * soughtAtOnce {
		v := said(t, 7)
		v.ID = fmt.Sprint("b-", i)
		d.hear(v)
	}
	if missing := d.missing(8); len(missing) != soughtAtOnce {
		t.Errorf("%d are asked for, want %d", len(missing), soughtAtOnce)
	}
}

// TestTheGossipForgetsWhoIsNotHeardFrom takes those out of the ring who have said nothing for
// long, by when this replica heard them.
func TestTheGossipForgetsWhoIsNotHeardFrom(t *testing.T) {
	d := alone(t).direct
	ancient := map[string]ring.InstanceDesc{"b-1": beatOf(5, ring.ACTIVE), "c-1": beatOf(5, ring.ACTIVE), "d-1": beatOf(5, ring.LEFT)}
	d.read(listed(t, ancient))
	desc := &ring.Desc{Ingesters: ancient}
	if got := d.forgotten(desc); len(got) != 0 {
		t.Errorf("%v are forgotten as soon as they are known", got)
	}
	for _, id := range []string{"b-1", "d-1"} {
		d.known[id].at = time.Now().Add(-purgeAfter - time.Second)
	}
	if got := d.forgotten(desc); len(got) != 1 || got[0] != "b-1" {
		t.Errorf("%v are forgotten, want b-1", got)
	}
	d.read(&listing{})
	if d.known["b-1"] != nil || d.known["c-1"] == nil {
		t.Errorf("known are %v, want c-1", d.known)
	}
}

func TestWhatIsNoHeartbeatIsNotHeard(t *testing.T) {
	d := alone(t).direct
	d.hear(mesh.Value{Kind: directHeartbeat, ID: "b-1", Stamp: 1, Content: []byte{0x0a, 9}})
	if len(d.known) != 0 {
		t.Errorf("known are %v", d.known)
	}
	broken := said(t, 7) // Its time can be read, its numbers cannot.
	broken.Content = mesh.Value{Kind: 0}.Content
	d.hear(broken)
	if got := d.arrivals(); len(got) == 1 && got[0].address != "" {
		t.Errorf("got %v", got)
	}
}

// TestReplicasThatOnlyGossipAreHeard has one of version 0.1.0 in the fleet, whose entry in the
// gossip's ring is new each second: this replica then sends its own that way, too.
func TestReplicasThatOnlyGossipAreHeard(t *testing.T) {
	d := alone(t).direct
	d.registered = true
	beat := func(second int64, direct uint64) {
		b := beatOf(second, ring.ACTIVE)
		b.Versions[fieldDirect] = direct
		l := listed(t, map[string]ring.InstanceDesc{"b-1": b})
		(*l)[d.fleet.id], _ = newEntry(nil)
		d.read(l)
	}
	beat(5, 1)
	beat(6, 1)
	if got := d.arrivals(); len(got) != 0 || d.needsGossip() {
		t.Errorf("heard by gossip is %v, though it does not depend on it", got)
	}
	beat(7, 0)
	if got := d.arrivals(); len(got) != 1 || got[0].of(fieldSent) != 7 || !d.needsGossip() {
		t.Errorf("heard by gossip is %v, want the heartbeat of second 7; sends by gossip: %v", got, d.needsGossip())
	}
	d.moved = true
	if got := d.addresses(); len(got) != 0 {
		t.Errorf("%v are connected to, where nobody knows how to respond", got)
	}
}
