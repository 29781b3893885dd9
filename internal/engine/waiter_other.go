//go:build !linux

package engine

// newSystemWaiter returns the most precise waiter that there is.
func newSystemWaiter() waiter { return newTimerWaiter() }
