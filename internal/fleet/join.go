package fleet

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/grafana/dskit/dns"
	"github.com/grafana/dskit/ring"
	"golang.org/x/time/rate"

	"github.com/traffic-exporter/traffic_exporter/internal/membership"
)

// join registers this replica as soon as the store can be read.
func (f *Fleet) join(ctx context.Context) error {
	if err := f.await(ctx); err != nil {
		return err
	}
	f.meet(ctx)
	first := f.nextHeartbeat(time.Now().Round(0))
	l, err := ring.NewBasicLifecycler(ring.BasicLifecyclerConfig{
		ID:               f.id,
		Addr:             f.store.address,
		HeartbeatTimeout: shownAfter,
		Versions:         first,
	}, "traffic", ringKey, f.members, delegate{}, f.kitLog, f.store.registerer)
	if err != nil {
		return err
	}
	// It outlives ctx: stop takes the replica out through it.
	if err := l.StartAsync(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	f.lifecycler.Store(l)
	if err := l.AwaitRunning(ctx); err != nil {
		return fmt.Errorf("register in the fleet: %w", err)
	}
	if f.direct != nil {
		if err := f.direct.begin(first); err != nil {
			return err
		}
	}
	f.logger.Info("registered in the fleet", "id", f.id, "store", f.o.Store, "cluster", f.o.Cluster)
	return nil
}

// meet waits a moment for the first of the others to be heard of: this replica can then
// ask to count with its first heartbeat already.
func (f *Fleet) meet(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, meetWithin)
	defer cancel()
	ticker := time.NewTicker(meetWithin / 25)
	defer ticker.Stop()
	for f.waits() {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// waits reports whether this replica has not heard of any it should.
func (f *Fleet) waits() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tracker.Waits(time.Now().UnixMilli())
}

// await returns when the store can be read. It never gives up.
func (f *Fleet) await(ctx context.Context) error {
	var said time.Time
	for {
		err := f.canRead(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if now := time.Now(); now.Sub(said) >= pollEvery {
			said = now
			f.logger.Warn("the fleet's store cannot be read, trying again", "store", f.store.name, "err", f.store.why(ctx, err))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// canRead returns an error if the store cannot be read.
func (f *Fleet) canRead(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, err := f.members.Get(ctx, ringKey)
	return err
}

// reunite tries to reach the lost, so that a partition that has healed ends at once.
// memberlist gives up on those that it takes for dead.
func (f *Fleet) reunite(ctx context.Context) {
	ticker := time.NewTicker(reachEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
		if ctx.Err() != nil { // Looked at first: after an attempt that hung, both are ready.
			return
		}
		// Of a large fleet a few try, so that all of them together do so as often as a small one:
		// the work of an exchange of all that is known grows with the fleet.
		if lost := f.lost(); len(lost) > 0 && mathrand.IntN(1+f.known()/largeFleet) == 0 {
			if f.store.reach(lost[mathrand.IntN(len(lost))]) == nil { // Mostly it is dead indeed.
				f.direct.mesh.Retry()
			}
		}
	}
}

// lost returns the addresses of the replicas that are lost.
func (f *Fleet) lost() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lost []string
	for _, s := range f.tracker.Statuses() {
		if s.State == membership.LostHeld || s.State == membership.TakenOver {
			lost = append(lost, f.profiles[s.ID].address)
		}
	}
	return lost
}

// seek reaches the seeds that are not heard from: all of them at once, at short intervals
// while there is nobody else. An address that hangs, or a name that does not resolve, holds
// none of the others up.
func (f *Fleet) seek(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	if len(f.o.Memberlist.Join) == 0 {
		return
	}
	s := &seeker{
		fleet: f, pace: rate.NewLimiter(rate.Every(dialEvery), 1), permits: make(chan struct{}, maxDials), busy: map[string]bool{},
	}
	s.mark(f.store.address, true)
	for _, name := range f.o.Memberlist.Join {
		s.mark(name+" unresolved", false)
	}
	for {
		for _, name := range f.o.Memberlist.Join {
			s.once(&work, name, func() { s.resolve(ctx, &work, name) })
		}
		every := rejoinEvery
		if f.isAlone() {
			every = seekEvery
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

const (
	// maxDials bounds the connections that are made to seeds at a time.
	maxDials = 64
	// dialEvery is the time between two of them. The first that is reached knows most of the
	// others, so that of many that start together each reaches a few and not all.
	dialEvery = 20 * time.Millisecond
	// heardWithin is how old a heartbeat may be for its sender to need no reaching.
	heardWithin = 5 * time.Second
	// resolveTimeout bounds a look-up.
	resolveTimeout = 5 * time.Second
)

// seeker reaches seeds.
type seeker struct {
	fleet *Fleet
	// pace spaces the dials, and permits has a value for each that is in progress.
	pace    *rate.Limiter
	permits chan struct{}

	mu sync.Mutex
	// busy are the names and addresses that are being tried.
	busy map[string]bool
}

// once runs a function unless it runs already for that name.
func (s *seeker) once(work *sync.WaitGroup, name string, try func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[name] {
		return
	}
	s.busy[name] = true
	work.Go(func() {
		try()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.busy, name)
	})
}

// resolve looks a seed up and reaches its addresses.
func (s *seeker) resolve(ctx context.Context, work *sync.WaitGroup, name string) {
	f := s.fleet
	p := dns.NewProvider(dns.GolangResolverType, 1, f.kitLog, nil)
	lookup, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	err := p.Resolve(lookup, []string{name})
	if err != nil {
		f.logger.Debug("a replica in join cannot be looked up", "name", name, "err", err)
	}
	for _, address := range p.Addresses() {
		if address == f.store.address {
			continue
		}
		s.mark(address, false)
		s.once(work, "dial "+address, func() { s.dial(ctx, address) })
	}
	if err == nil && len(p.Addresses()) > 0 {
		s.forget(name + " unresolved")
	}
}

// dial reaches an address, or finds out that nobody is there. Who is heard from by the time
// it is its turn is there: to exchange all that is known with each member, again and again,
// is work that grows with the square of their number. It does not begin once ctx has ended.
func (s *seeker) dial(ctx context.Context, address string) {
	select {
	case <-ctx.Done():
		return
	case s.permits <- struct{}{}:
	}
	defer func() { <-s.permits }()
	if s.pace.Wait(ctx) != nil {
		return
	}
	if s.fleet.hears(address) {
		s.mark(address, true)
		return
	}
	err := s.fleet.store.reach(address)
	if err != nil {
		s.fleet.logger.Debug("a replica in join cannot be reached", "address", address, "err", err)
	}
	s.mark(address, err == nil || isRefused(err))
}

// hears reports whether a replica at an address has been heard from a moment ago.
func (f *Fleet) hears(address string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, p := range f.profiles {
		if id != f.id && p.address == address && time.Since(p.sent) < heardWithin {
			return true
		}
	}
	return false
}

// isRefused reports whether a host says that nobody listens there. The gossip's library
// keeps no more of an error than its text.
func isRefused(err error) bool {
	return strings.Contains(err.Error(), syscall.ECONNREFUSED.Error())
}

// mark notes an address, or a name that is not resolved yet, and whether it was reached or
// found to be absent.
func (s *seeker) mark(seed string, known bool) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	s.fleet.seeds[seed] = s.fleet.seeds[seed] || known
	s.fleet.countSeeds()
}

// forget forgets a name that has been resolved: its addresses count in its place.
func (s *seeker) forget(name string) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	delete(s.fleet.seeds, name)
	s.fleet.countSeeds()
}

// countSeeds reports to the tracker whether most seeds have been reached or found to be
// absent. The caller holds f.mu.
func (f *Fleet) countSeeds() {
	unknown := 0
	for _, known := range f.seeds {
		if !known {
			unknown++
		}
	}
	f.tracker.Unreached(2*unknown >= len(f.seeds))
}
