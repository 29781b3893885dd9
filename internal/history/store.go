// Package history keeps the last day for the live page: for each scenario ring buffers of
// seconds and minutes, and the last requests that failed. It is fed by a recorder on the sending
// path, whose calls are atomic additions; readers take the differences. It knows no network
// and reads no clock: a tick has the time.
package history

import (
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
)

// manyScenarios is how many scenarios have a history of seconds. With more of them there are
// minutes only.
const manyScenarios = 100

// Store has the history of all scenarios. Create it with New. Safe for concurrent use.
type Store struct {
	// Failures are the last requests that failed.
	Failures *Failures

	mu        sync.Mutex
	scenarios map[string]*Scenario
	now       time.Time
}

// Options are what a scenario's history has to know of it.
type Options struct {
	// Requests are the names of the requests by their index in outcomes.
	Requests []string
	// Journeys says that slots may be journeys of several requests.
	Journeys bool
	SLO      SLO
}

// New returns an empty store. now is when it begins.
func New(now time.Time) *Store {
	return &Store{Failures: newFailures(), scenarios: map[string]*Scenario{}, now: now}
}

// Recorder returns a recorder of a scenario that passes all on to next. The history of a
// scenario of that name stays.
func (s *Store) Recorder(name string, o Options, next engine.Recorder) *Recorder {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc, ok := s.scenarios[name]
	if !ok {
		sc = newScenario(s.now, few)
		s.scenarios[name] = sc
		s.fit()
	}
	return &Recorder{Recorder: next, counters: &sc.counters, requests: sc.shape(o), slo: o.SLO}
}

// Keep forgets all scenarios but these.
func (s *Store) Keep(names map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.scenarios {
		if !names[name] {
			delete(s.scenarios, name)
			s.Failures.forget(name)
		}
	}
	s.fit()
}

// fit gives the scenarios as many seconds as their number allows.
func (s *Store) fit() {
	size := seconds
	if len(s.scenarios) > manyScenarios {
		size = few
	}
	for _, sc := range s.scenarios {
		sc.mu.Lock()
		sc.seconds = sc.seconds.resize(size)
		sc.mu.Unlock()
	}
}

// Tick ends a second. Call it at the start of each; gauges returns the sampled values of a
// scenario.
func (s *Store) Tick(now time.Time, gauges func(name string) Gauges) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
	for name, sc := range s.scenarios {
		sc.tick(now, gauges(name))
	}
	if now.Unix()%60 == 0 {
		s.Failures.expire(now)
	}
}

// Scenario returns the history of a scenario; nil if there is none.
func (s *Store) Scenario(name string) *Scenario {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scenarios[name]
}
