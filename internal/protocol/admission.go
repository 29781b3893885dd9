package protocol

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// admitEvery is the time between two questions whether a request is admitted.
const admitEvery = 50 * time.Millisecond

// errNotAdmitted is a request that would be beyond max_rate for as long as it can wait.
var errNotAdmitted = errors.New("no request within max_rate")

// WaitAdmitted returns when admit admits a request that belongs to no slot, such as one of a
// login, or with an error when ctx ends first. A nil admit admits everything.
func WaitAdmitted(ctx context.Context, admit func() bool) error {
	if admit == nil || admit() {
		return nil
	}
	again := time.NewTicker(admitEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errNotAdmitted, context.Cause(ctx))
		case <-again.C:
		}
		if admit() {
			return nil
		}
	}
}
