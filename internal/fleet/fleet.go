// Package fleet makes replicas one fleet: it notifies the others that this replica lives,
// hears from them, and knows in every second which share of the slots is this replica's. It
// also spreads changes of the rate among them.
//
// It is built on dskit: a ring without tokens, whose heartbeats travel by gossip
// (memberlist) or through etcd or Consul. Who is a member is decided by package
// membership; this package brings the heartbeats there and the decisions to the engine,
// and is the only one to know the store.
package fleet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/grafana/dskit/kv"
	"github.com/grafana/dskit/ring"
	"github.com/grafana/dskit/services"

	"github.com/traffic-exporter/traffic_exporter/internal/membership"
)

const (
	// lead is how long before a second begins its members are decided: more than the
	// engine looks ahead, which is half a second.
	lead = 750 * time.Millisecond
	// heartbeatPeriod is the time between heartbeats. The store separates them by whole
	// seconds.
	heartbeatPeriod = time.Second
	// meetWithin is for how long a replica looks for the others before it registers.
	meetWithin = 500 * time.Millisecond
	// shownAfter is from what age on dskit's page shows a heartbeat as missing.
	shownAfter = 5 * time.Second
	// stalledAfter is the time between two decisions, which should be a second, that shows that
	// this replica stood still.
	stalledAfter = 1500 * time.Millisecond
	// silentAfter is how old this replica's last heartbeat may be before it is taken to have
	// stood still.
	silentAfter = 2800 * time.Millisecond
	// pollEvery is how often the store is read beside watching it: watches may lose a
	// change.
	pollEvery = 10 * time.Second
	// largeFleet is from how many replicas on votes have a second longer to arrive (membership's
	// calm), and not all try to reach the lost.
	largeFleet = 16
	// rejoinEvery is how often the seeds are joined again, and seekEvery while none has been
	// reached.
	rejoinEvery, seekEvery = 15 * time.Second, time.Second
	// reachEvery is how often one of the lost is tried to be reached.
	reachEvery = 2 * time.Second
	// storeTimeout bounds single dealings with the store that others wait for.
	storeTimeout = 5 * time.Second
	// purgeAfter is for how long lost replicas stay listed in the store.
	purgeAfter = 10 * time.Minute
)

// ringKey is the key of the heartbeats in the store.
const ringKey = "members"

// Fleet is this replica's membership. It is a service: create it with New, start it and
// stop it as others. It fails if gossip cannot be listened for. All methods are safe for
// concurrent use.
type Fleet struct {
	services.NamedService

	o      Options
	id     string
	logger *slog.Logger
	kitLog log.Logger
	// refused counts strangers.
	refused *atomic.Uint64

	store *store
	// direct is nil if the store is a server.
	direct *direct
	// members is the client for the replicas that the store lists, and listings the same of the
	// gossip, nil if the store is a server.
	members, listings kv.Client
	// lifecycler registers this replica and sends its heartbeats; nil before that.
	lifecycler atomic.Pointer[ring.BasicLifecycler]
	// config is the hash of the configuration that this replica runs.
	config  atomic.Uint64
	windows atomic.Pointer[window]

	overrides *Overrides
	followed  *Overrides
	totals    *Totals

	mu      sync.Mutex
	tracker *membership.Tracker
	// view is the last that was decided, and before the one of the second before.
	view, before membership.View
	// decided is the last second for which there is a view.
	decided int64
	// ticked is when the last decision was made.
	ticked time.Time
	// beaten is when the last heartbeat was sent.
	beaten time.Time
	clocks clocks
	// profiles are the facts beside membership in the members' heartbeats, by ID.
	profiles map[string]profile
	// votes are this replica's own.
	votes votes
	// seeds are the names and addresses to join, and whether each was reached or found to be absent.
	seeds map[string]bool
	// odd are the members whose differences have been logged, and these differences.
	odd       map[string]oddity
	changes   uint64
	storeNews storeNews
}

// New returns a fleet that has not been started: nothing is listened on or sent.
func New(o Options) (*Fleet, error) {
	var suffix [4]byte
	if _, err := rand.Read(suffix[:]); err != nil {
		return nil, fmt.Errorf("make up an identity: %w", err)
	}
	f := &Fleet{
		o:        o,
		id:       o.Name + "-" + hex.EncodeToString(suffix[:]),
		logger:   o.Logger,
		refused:  &atomic.Uint64{},
		decided:  math.MinInt64,
		clocks:   clocks{},
		profiles: map[string]profile{},
		votes:    votes{},
		odd:      map[string]oddity{},
		seeds:    map[string]bool{},
	}
	f.kitLog = newKitLogger(o.Logger, f.refused)
	f.view.Why = "starting"
	f.windows.Store(&window{})
	f.overrides, f.followed = newOverrides(overridesKey, o.Logger), newOverrides(followedKey, o.Logger)
	f.totals = newTotals(f)
	s, err := newStore(o, f.id, f.refused, f.kitLog)
	if err != nil {
		return nil, err
	}
	f.store = s
	if s.gate != nil {
		f.direct = newDirect(f, o, s)
		s.gate.mesh = f.direct.mesh.Serve
	}
	f.tracker = f.newTracker()
	f.NamedService = services.NewBasicService(f.start, f.run, f.stop).WithName("fleet")
	return f, nil
}

func (f *Fleet) newTracker() *membership.Tracker {
	o := membership.Options{
		Self:             f.id,
		Weight:           f.o.Weight,
		MinReplicas:      f.o.MinReplicas,
		MinReplicasAlone: f.o.MinReplicasAlone,
		ForgetAfter:      int64(math.Ceil(f.o.ForgetAfter.Seconds())),
		StartAloneAfter:  int64(math.Ceil(f.o.StartAloneAfter.Seconds())),
	}
	if f.o.Store == StoreMemberlist {
		o.Seeds, o.Address = len(f.o.Memberlist.Join) > 0, f.store.address
	} else {
		o.Server = true
	}
	return membership.New(o)
}

// ID returns this replica's identity: its name and a random suffix. Each start of the
// process has another one, so that a replica that comes back is never taken for the
// one that went away.
func (f *Fleet) ID() string { return f.id }

// Overrides returns the changes of the rate that operators write.
func (f *Fleet) Overrides() *Overrides { return f.overrides }

// Followed returns the rates that are found for scenarios that follow one.
func (f *Fleet) Followed() *Overrides { return f.followed }

// Memberlist shows the status of the gossip by a template, which is given dskit's
// memberlist.StatusPageData; nil for other stores.
func (f *Fleet) Memberlist(page *template.Template) http.Handler { return f.store.page(page) }

// SetConfig shares, with the next heartbeat, which configuration this replica runs.
func (f *Fleet) SetConfig(hash uint64) { f.config.Store(hash) }

// start listens for gossip and makes the clients of the store.
func (f *Fleet) start(ctx context.Context) error {
	if err := f.store.start(ctx); err != nil {
		return err
	}
	if err := f.connect(ctx); err != nil {
		return errors.Join(err, f.store.stop(context.WithoutCancel(ctx)))
	}
	return nil
}

// connect makes the clients of the store. Where that needs the store to be there, as with a
// password for etcd, it tries until it is.
func (f *Fleet) connect(ctx context.Context) error {
	for {
		err := f.makeClients()
		if err == nil {
			return nil
		}
		if !isAway(err) || ctx.Err() != nil {
			return fmt.Errorf("%s: %w", f.store.name, err)
		}
		f.logger.Warn("the fleet's store is not reached, trying again", "store", f.store.name, "err", f.store.why(ctx, err))
		select {
		case <-ctx.Done():
			return nil // It is to stop.
		case <-time.After(pollEvery):
		}
	}
}

func (f *Fleet) makeClients() error {
	members, listings, err := f.store.members()
	if err != nil {
		return err
	}
	overrides, err := f.store.client(overridesCodec{})
	if err != nil {
		return err
	}
	if f.direct == nil {
		totals, err := f.store.client(figuresCodec{})
		if err != nil {
			return err
		}
		f.totals.connect(totals)
	}
	f.members, f.listings = members, listings
	f.overrides.connect(overrides)
	f.followed.connect(overrides)
	return nil
}

// run joins the fleet and decides its members every second.
func (f *Fleet) run(ctx context.Context) error {
	var watches sync.WaitGroup
	defer watches.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	failed := make(chan error, 1)
	watches.Go(func() {
		if err := f.join(ctx); err != nil && ctx.Err() == nil {
			failed <- err
			return
		}
		f.beat(ctx)
	})
	watches.Go(func() { f.listen(ctx) })
	watches.Go(func() { f.overrides.watch(ctx) })
	watches.Go(func() { f.followed.watch(ctx) })
	watches.Go(func() { f.totals.run(ctx) })
	if f.direct != nil {
		watches.Go(func() { f.reunite(ctx) })
		watches.Go(func() { f.seek(ctx) })
	}

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case err := <-f.store.failed():
			return err
		case <-timer.C:
		}
		now := time.Now().Round(0)
		f.tick(now)
		timer.Reset(untilNextTick(now))
	}
}

// listen takes in heartbeats until ctx ends.
func (f *Fleet) listen(ctx context.Context) {
	var watches sync.WaitGroup
	defer watches.Wait()
	if f.direct == nil {
		watches.Go(func() { watch(ctx, f.members, ringKey, f.read) })
		poll(ctx, f.members, ringKey, f.read)
		return
	}
	watches.Go(func() { watch(ctx, f.listings, ringKey, f.direct.read) })
	watches.Go(func() { f.direct.run(ctx) })
	poll(ctx, f.listings, ringKey, func(value any) { f.direct.poll(ctx, f.members, value) })
}

// known returns how many replicas are listed.
func (f *Fleet) known() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.profiles)
}

// untilNextTick returns the time until lead before the next whole second.
func untilNextTick(now time.Time) time.Duration {
	ahead := now.Add(lead)
	return ahead.Truncate(time.Second).Add(time.Second).Sub(ahead)
}

// stop takes this replica out of the store and leaves the gossip.
func (f *Fleet) stop(error) error {
	if l := f.lifecycler.Load(); l != nil {
		l.StopAsync()
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		if err := l.AwaitTerminated(ctx); err != nil {
			// The others will miss its heartbeats.
			f.logger.Warn("the replica could not be taken out of the fleet's store", "err", err)
		}
	}
	err := f.store.stop(context.Background())
	if f.direct != nil {
		f.direct.mesh.Close()
	}
	return err
}
