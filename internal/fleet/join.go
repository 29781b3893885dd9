package fleet

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/grafana/dskit/ring"

	"github.com/traffic-exporter/traffic_exporter/internal/membership"
)

// join registers this replica as soon as the store can be read.
func (f *Fleet) join(ctx context.Context) error {
	if err := f.await(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	f.beaten = time.Now().Round(0)
	told := f.tell(f.beaten)
	f.mu.Unlock()
	l, err := ring.NewBasicLifecycler(ring.BasicLifecyclerConfig{
		ID:               f.id,
		Addr:             f.store.address,
		HeartbeatPeriod:  heartbeatPeriod,
		HeartbeatTimeout: shownAfter,
		Versions:         told,
	}, "traffic", ringKey, f.members, f.delegate(), f.kitLog, f.store.registerer)
	if err != nil {
		return err
	}
	// It outlives ctx: the heartbeats go on until stop has taken the replica out.
	if err := l.StartAsync(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	f.lifecycler.Store(l)
	if err := l.AwaitRunning(ctx); err != nil {
		return fmt.Errorf("register in the fleet: %w", err)
	}
	f.logger.Info("registered in the fleet", "id", f.id, "store", f.o.Store, "cluster", f.o.Cluster)
	return nil
}

// await returns when the store can be read. It never gives up.
func (f *Fleet) await(ctx context.Context) error {
	var said time.Time
	for {
		err := f.read(ctx)
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

func (f *Fleet) read(ctx context.Context) error {
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
			return
		case <-ticker.C:
		}
		if lost := f.lost(); len(lost) > 0 {
			_ = f.store.reach(lost[mathrand.IntN(len(lost))]) // Mostly it is dead indeed.
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
