package history

import (
	"sync/atomic"
	"time"
)

// Mismatches keeps requests of a scenario whose responses differ from the candidate's, as few of many as
// of failures. Get it from Failures.Mismatches. Safe for concurrent use.
type Mismatches struct {
	failures *Failures
	scenario string
	requests []string
	// next is when the next one of each request is kept, in nanoseconds.
	next []atomic.Int64
}

// Mismatches returns what keeps those of a scenario whose requests have these names.
func (f *Failures) Mismatches(scenario string, requests []string) *Mismatches {
	return &Mismatches{failures: f, scenario: scenario, requests: requests, next: make([]atomic.Int64, len(requests))}
}

// Saw keeps a mismatch of a request, by its index. Of one it sets what all of the scenario have.
func (m *Mismatches) Saw(request int, one Failure) {
	now, next := time.Now().UnixNano(), &m.next[request]
	at := next.Load()
	if now < at || !next.CompareAndSwap(at, now+int64(failureEvery)) {
		return
	}
	one.Scenario, one.Request, one.Mismatch = m.scenario, m.requests[request], true
	if full := m.failures.add(&one); full {
		next.Store(now + int64(replaceEvery))
	}
}
