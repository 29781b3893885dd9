package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/membership"
)

// Leave announces that this replica leaves and returns when it no longer counts: until
// then it has to send its part. It returns at once if there is nobody to hand over to,
// and with an error if the leave cannot be announced or ctx ends.
func (f *Fleet) Leave(ctx context.Context) error {
	l := f.lifecycler.Load()
	if l == nil || f.isAlone() {
		return nil
	}
	announced := make(chan error, 1)
	// The lifecycler waits for the store however long that takes.
	go func() { announced <- l.ChangeReadOnlyState(context.WithoutCancel(ctx), true) }()
	select {
	case err := <-announced:
		if err != nil {
			return fmt.Errorf("announce the leave: %w", err)
		}
	case <-ctx.Done():
		return fmt.Errorf("announce the leave: %w", context.Cause(ctx))
	}
	_, at := l.GetReadOnlyState()
	end := at.Add(membership.Settle * time.Second)
	f.logger.Info("leaving the fleet", "until", end.UTC())
	select {
	case <-time.After(time.Until(end)):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the leave to take effect: %w", context.Cause(ctx))
	}
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
