package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/traffic-exporter/traffic_exporter/internal/override"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// patience is how long a test waits for what should happen soon.
const patience = 30 * time.Second

// eventually polls until ok returns nil.
func eventually(t *testing.T, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// gossip returns the options of n replicas on loopback that join each other.
func gossip(t *testing.T, n int) []Options {
	t.Helper()
	all := make([]Options, n)
	var join []string
	for i := range all {
		listen := freeport.Address(t)
		join = append(join, listen)
		all[i] = Options{
			Store: StoreMemberlist, Name: fmt.Sprintf("replica-%d", i), Weight: 1, Cluster: "test",
			MinReplicas: 1, ForgetAfter: time.Minute, Memberlist: Memberlist{Listen: listen},
			Logger: slog.New(slog.NewTextHandler(t.Output(), nil)).With("replica", i), Registerer: prometheus.NewRegistry(),
		}
	}
	for i := range all {
		all[i].Memberlist.Join = join
	}
	return all
}

// run starts a replica, which stops with the test unless it has been stopped.
func run(t *testing.T, o Options) *Fleet {
	t.Helper()
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := services.StartAndAwaitRunning(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { halt(t, f) })
	return f
}

func halt(t *testing.T, f *Fleet) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if err := services.StopAndAwaitTerminated(ctx, f); err != nil {
		t.Errorf("the stop of %s: %v", f.ID(), err)
	}
}

// counts waits until the replica is live among n members.
func counts(t *testing.T, f *Fleet, n int) {
	t.Helper()
	eventually(t, func() error {
		if s := f.Status(); !s.View.Live || s.View.Members != n {
			return fmt.Errorf("%s is live: %v (%s), among %d, want %d", f.ID(), s.View.Live, s.View.Why, s.View.Members, n)
		}
		return nil
	})
}

// onlyFirst checks that one of the replicas is the first of them: that of the lowest ID.
func onlyFirst(t *testing.T, fleet []*Fleet) {
	t.Helper()
	lowest := slices.MinFunc(fleet, func(a, b *Fleet) int { return strings.Compare(a.ID(), b.ID()) })
	for _, f := range fleet {
		if f.IsFirst() != (f == lowest) {
			t.Errorf("replica %s is the first: %v, and %s is that of the lowest ID", f.ID(), f.IsFirst(), lowest.ID())
		}
	}
}

func TestReplicasAgreeOnTheirPartsThroughJoinsAndLeaves(t *testing.T) {
	options := gossip(t, 3)
	var fleet []*Fleet
	for i, o := range options {
		o.Weight = uint32(i + 1)
		fleet = append(fleet, run(t, o))
	}
	for i, f := range fleet {
		counts(t, f, 3)
		if got, want := f.Arc(time.Now()).Ratio(), float64(i+1)/6; got < want-1e-9 || got > want+1e-9 {
			t.Errorf("replica %d has %g of the rate, want %g", i, got, want)
		}
	}
	onlyFirst(t, fleet)
	begin := time.Now()
	if err := fleet[0].Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 2*time.Second {
		t.Errorf("the leave took effect after %v: too soon for everyone to have heard of it", took)
	}
	counts(t, fleet[1], 2)
	counts(t, fleet[2], 2)
	onlyFirst(t, fleet[1:])
	if fleet[0].IsFirst() {
		t.Error("the replica that has left is the first of the members")
	}
	// What each of them owned meanwhile adds up to all, in each second.
	now := time.Now()
	for at := begin; at.Before(now); at = at.Add(time.Second) {
		var sum float64
		for _, f := range fleet {
			sum += f.Arc(at).Ratio()
		}
		if sum < 1-1e-9 || sum > 1+1e-9 {
			t.Errorf("the parts in %v add up to %g", at, sum)
		}
	}
	if live, why := fleet[0].Live(); live {
		t.Errorf("the replica that has left is live (%s)", why)
	}
}

func TestOverridesReachTheFleetAndOutliveTheirAuthor(t *testing.T) {
	options := gossip(t, 3)
	a, b := run(t, options[0]), run(t, options[1])
	counts(t, a, 2)
	counts(t, b, 2)
	now := time.Now()
	err := a.Overrides().Change(t.Context(), "shop", func(h override.History) (override.History, error) {
		h, _, _ = h.Add(override.Change{Kind: override.Rate, Value: 600, Until: now.Add(time.Hour), Reason: "test", Replica: a.ID()}, now)
		return h, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	has := func(f *Fleet) func() error {
		return func() error {
			if c, ok := f.Overrides().Book()["shop"].At(now.Add(4 * time.Second)); !ok || c.Value != 600 {
				return fmt.Errorf("%s has not heard of the override", f.ID())
			}
			return nil
		}
	}
	eventually(t, has(b))
	halt(t, a)
	eventually(t, has(run(t, options[2])))
}

func TestAPortInUseFailsTheFleet(t *testing.T) {
	o := gossip(t, 1)[0]
	counts(t, run(t, o), 1) // It has the port from then on: it takes it in the background.
	second := o
	second.Registerer = prometheus.NewRegistry()
	f, err := New(second)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err = services.StartAndAwaitRunning(ctx, f); err == nil {
		err = f.AwaitTerminated(ctx)
	}
	if ctx.Err() != nil {
		t.Fatal("it has not ended after a minute")
	}
	if err == nil || !strings.Contains(f.FailureCase().Error(), "address already in use") {
		t.Errorf("it ended with %v (%v)", err, f.FailureCase())
	}
}

func TestAReplicaWaitsForSeedsThatAreNotThereYet(t *testing.T) {
	options := gossip(t, 2)
	first := run(t, options[0])
	counts(t, first, 1)
	second := run(t, options[1])
	counts(t, second, 2)
	counts(t, first, 2)
}
