package dial_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

func TestConnectionsShareDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, all := newWorld("10.0.0.1", "10.0.0.2"), dial.NewDescriptors(3)
		with := func(o *dial.Options) { o.Descriptors = all }
		one, _ := w.origin(t, with)
		other, _ := w.origin(t, with)
		first := connect(t, one)
		connect(t, one)
		connect(t, other)
		for _, o := range []*dial.Origin{one, other} {
			_, err := o.Connect(t.Context(), "")
			if !errors.Is(err, dial.ErrNoDescriptor) || dial.Reason(err) != protocol.ReasonLocal {
				t.Errorf("failed as %q: %v", dial.Reason(err), err)
			}
		}
		if all.InUse() != 3 || all.Limit() != 3 {
			t.Errorf("%d of %d are in use", all.InUse(), all.Limit())
		}
		_ = first.Conn.Close()
		_ = first.Conn.Close()
		connect(t, other)
		if n := all.InUse(); n != 3 {
			t.Errorf("%d are in use", n)
		}
	})
}

// TestDescriptorsComeBack has connections fail in all ways, also those that were the slower
// ones.
func TestDescriptorsComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, all := newWorld("10.0.0.1", "10.0.0.2", "10.0.0.3"), dial.NewDescriptors(3)
		slow := func(ctx context.Context, network, addr string) (net.Conn, error) {
			time.Sleep(time.Second)
			return w.dial(ctx, network, addr)
		}
		o, _ := w.origin(t, func(o *dial.Options) { o.Descriptors, o.Net.DialContext = all, slow })
		r := connect(t, o)
		if n := all.InUse(); n != 1 {
			t.Errorf("%d are in use with one connection", n)
		}
		_ = r.Conn.Close()
		w.refused = []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}
		if _, err := o.Connect(t.Context(), ""); dial.Reason(err) != protocol.ReasonRefused {
			t.Errorf("failed as %q: %v", dial.Reason(err), err)
		}
		if n := all.InUse(); n != 0 {
			t.Errorf("%d are in use without a connection", n)
		}
	})
}

// TestFewLookupsAreOnTheirWay resolves many names at once. A lookup of both families takes two
// sockets.
func TestFewLookupsAreOnTheirWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		d, err := dial.New(dial.Options{
			Timeout: time.Minute, Descriptors: dial.NewDescriptors(1000), Net: dial.Net{
				DialContext: newWorld().dial,
				Resolver: lookupFunc(func(network string) {
					sockets := map[string]int64{"ip": 2, "ip4": 1, "ip6": 1}[network]
					if n := now.Add(sockets); n > most.Load() {
						most.Store(n)
					}
					time.Sleep(500 * time.Millisecond)
					now.Add(-sockets)
				}),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		var running sync.WaitGroup
		for range 100 {
			running.Go(func() { connect(t, d.Origin(dial.Target{Addr: "target.test:80"})) })
		}
		running.Wait()
		if n := most.Load(); n != 32 {
			t.Errorf("%d sockets at a time", n)
		}
	})
}

// TestALookupThatWaitedInVainIsNotTheResolversFault has names that are silent take all lookups that
// there may be.
func TestALookupThatWaitedInVainIsNotTheResolversFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.fail(nil, true)
		all := dial.NewDescriptors(1000)
		for range 16 {
			o, _ := w.origin(t, func(o *dial.Options) { o.Descriptors, o.Timeout = all, time.Hour })
			go func() { _, _ = o.Connect(t.Context(), "") }()
		}
		time.Sleep(9 * time.Second) // They give up after ten.
		o, _ := newWorld("10.0.0.1").origin(t, func(o *dial.Options) { o.Descriptors, o.Timeout = all, 500*time.Millisecond })
		if _, err := o.Connect(t.Context(), ""); dial.Reason(err) != protocol.ReasonLocal {
			t.Errorf("failed as %q: %v", dial.Reason(err), err)
		}
	})
}

// TestNamesThatAreSilentHoldUpNoOthers has names that are silent, some of them for the first time, and looks at how
// long others wait for their turn.
func TestNamesThatAreSilentHoldUpNoOthers(t *testing.T) {
	for _, c := range []struct {
		name  string
		names int
		since time.Duration
	}{
		{"less than half of the room, which ask again and again", 7, 9 * time.Second},
		{"many that were silent before", 40, 45 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				silent, healthy := newWorld(), newWorld("10.0.0.1")
				silent.fail(nil, true)
				all := dial.NewDescriptors(1000)
				ctx, cancel := context.WithCancel(t.Context())
				var asking sync.WaitGroup
				defer asking.Wait()
				defer cancel()
				for range c.names {
					o, _ := silent.origin(t, func(o *dial.Options) { o.Descriptors, o.Timeout = all, time.Hour })
					asking.Go(func() {
						for ctx.Err() == nil {
							_, _ = o.Connect(ctx, "")
							time.Sleep(10 * time.Millisecond)
						}
					})
				}
				time.Sleep(c.since)
				for range 100 {
					o, _ := healthy.origin(t, func(o *dial.Options) { o.Descriptors = all })
					if r := connect(t, o); r.Phases.DNS != 0 {
						t.Errorf("it waited %s", r.Phases.DNS)
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		})
	}
}

// lookupFunc is a resolver that calls it and finds an address.
type lookupFunc func(network string)

func (f lookupFunc) LookupNetIP(_ context.Context, network, _ string) ([]netip.Addr, error) {
	f(network)
	return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
}

func TestTheProcessHasDescriptors(t *testing.T) {
	d := dial.ProcessDescriptors()
	if d == nil {
		t.Skip("this system has no bound that it tells")
	}
	if d.Limit() <= 0 || d.InUse() != 0 {
		t.Errorf("%d of %d are in use", d.InUse(), d.Limit())
	}
	var none *dial.Descriptors
	if none.Limit() != 0 || none.InUse() != 0 {
		t.Error("there is a bound where there is none")
	}
}
