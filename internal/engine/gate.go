package engine

import (
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// gate is what each request on the wire passes: the first one of a slot, repeats and
// redirects. Instants are since the runner began, on the monotonic clock, which no step of
// the wall clock moves. It is safe for concurrent use.
type gate struct {
	mu     sync.Mutex
	cap    rateCap
	budget retryBudget
}

// slot reports whether a slot may be sent that was due at an instant at which the replica's
// share was ratio, and counts it.
func (g *gate) slot(due time.Duration, ratio float64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.cap.slot(due, ratio) {
		return false
	}
	g.budget.first(due)
	return true
}

// step reports whether a further request of a journey may be sent now, and counts it.
func (g *gate) step(now time.Duration, ratio float64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.cap.extra(now, ratio) {
		return false
	}
	g.budget.first(now)
	return true
}

// extra counts one more request on the wire, or returns false and why it must not be sent. A
// transparent retry is outside the budget of retries.
func (g *gate) extra(e protocol.Extra, now time.Duration, ratio float64) (WithheldReason, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e == protocol.Retry && !g.budget.allows(now) {
		return WithheldRetryBudget, false
	}
	if !g.cap.extra(now, ratio) {
		return WithheldRateCap, false
	}
	if e == protocol.Retry {
		g.budget.repeat(now)
	}
	return 0, true
}
