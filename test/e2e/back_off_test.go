//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// sick is a target that fails the requests of some replicas, which it knows by their
// User-Agent, and counts all.
type sick struct {
	mu      sync.Mutex
	failing map[string]bool
	all     int
}

func (s *sick) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all++
	if s.failing[r.UserAgent()] {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// fail makes the target fail the requests of these replicas, and of no others.
func (s *sick) fail(replicas ...*replica) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = map[string]bool{}
	for _, r := range replicas {
		s.failing[r.name] = true
	}
}

func (s *sick) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}

// value returns the value of a series of the replica.
func (r *replica) value(t *testing.T, series string) float64 {
	t.Helper()
	v, err := sample(r.metrics(t), series)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestATargetThatFailsIsSparedByTheWholeFleet(t *testing.T) {
	t.Parallel()
	const (
		ratio   = `traffic_back_off_ratio{scenario="` + steady + `"}`
		dropped = `traffic_slots_dropped_total{reason="back_off",scenario="` + steady + `"}`
		due     = `traffic_slots_due_total{scenario="` + steady + `"}`
	)
	takeTurn(t)
	target := &sick{}
	server := httptest.NewServer(target)
	t.Cleanup(server.Close)
	places := loopback(t, 3)
	f := newFleet(t, strings.TrimPrefix(server.URL, "http://"), places, "  cluster: e2e\n"+gossip(places))
	file, err := os.ReadFile(f.file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.file, strings.Replace(string(file), "    limits:", `    http_config: {user_agent: "${REPLICA}"}
    back_off: {over: 2s, to: 10%, recover_over: 4s}
    limits:`, 1))
	all := f.start(t, 3)
	for _, r := range all {
		r.shows(t, ratio, 1)
	}

	// What fails for one replica alone does not slow down the others.
	target.fail(all[0])
	all[0].shows(t, ratio, 0.1)
	all[0].reaches(t, dropped, 100)
	for _, r := range all[1:] {
		if n := r.value(t, dropped); n != 0 {
			t.Errorf("replica %s spared the target %v slots for what failed for another", r.name, n)
		}
	}
	target.fail()
	all[0].shows(t, ratio, 1)

	// What fails for most is spared by all, although it fails for two of three alone.
	target.fail(all[0], all[1])
	for _, r := range all {
		r.shows(t, ratio, 0.1)
	}
	sum := func(series string) (n float64) {
		for _, r := range all {
			n += r.value(t, series)
		}
		return n
	}
	before, sent := sum(due), target.count()
	eventually(t, func() error {
		if n := sum(due) - before; n < 900 {
			return fmt.Errorf("%v slots came due, of 900", n)
		}
		return nil
	})
	came, reached := sum(due)-before, float64(target.count()-sent)
	if reached > came/2 || reached < came/20 {
		t.Errorf("%v of %v slots reached the target that was to be spared, want about a tenth", reached, came)
	}

	// And when it has healed, it comes back slowly.
	target.fail()
	healed := time.Now()
	for _, r := range all {
		r.shows(t, ratio, 1)
	}
	if took := time.Since(healed); took < 2*time.Second {
		t.Errorf("all was sent again after %v, want it to take some seconds", took)
	}
	for _, r := range all {
		eventually(t, func() error {
			out := r.out.String()
			if !strings.Contains(out, "the target is spared") || !strings.Contains(out, "no longer spared") {
				return fmt.Errorf("replica %s did not log it:\n%s", r.name, out)
			}
			return nil
		})
	}
}
