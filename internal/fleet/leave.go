package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/membership"
)

// Leave announces that this replica leaves, with its next heartbeat, and returns when it
// no longer counts: until then it has to send its share. It returns at once if there is
// nobody to hand over to, and with an error if ctx ends.
func (f *Fleet) Leave(ctx context.Context) error {
	if f.lifecycler.Load() == nil || f.isAlone() {
		return nil
	}
	f.mu.Lock()
	f.tracker.Leave(time.Now().UnixMilli())
	f.mu.Unlock()
	f.logger.Info("leaving the fleet")
	ticker := time.NewTicker(leavePoll)
	defer ticker.Stop()
	for !f.hasLeft() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the leave to take effect: %w", context.Cause(ctx))
		}
	}
	return nil
}

// leavePoll is how often it is looked whether the leave has taken effect.
const leavePoll = 20 * time.Millisecond

// hasLeft reports whether this replica is no member in the current second.
func (f *Fleet) hasLeft() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.current(time.Now())
	return !v.Live && v.Why == membership.HasLeft
}

// isAlone reports whether no other replica is known.
func (f *Fleet) isAlone() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.tracker.Statuses() {
		if s.ID != f.id && s.State != membership.TakenOver {
			return false
		}
	}
	return true
}
