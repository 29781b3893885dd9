//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// shop is a system in production: what it exposes is set by the test.
type shop struct {
	addr string
	mu   sync.Mutex
	text string
}

func startShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{}
	s.addr = serve(t, "127.0.0.1", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, _ = fmt.Fprintln(w, s.text)
	})
	return s
}

// exposes sets what the shop exposes.
func (s *shop) exposes(lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = strings.Join(lines, "\n")
}

// counter is a target that counts the requests for each slot.
type counter struct {
	addr string
	mu   sync.Mutex
	// times is how often each slot came, by segment.
	times map[string]map[uint64]int
}

func startCounter(t *testing.T) *counter {
	t.Helper()
	c := &counter{times: map[string]map[uint64]int{}}
	c.addr = serve(t, "127.0.0.1", func(_ http.ResponseWriter, r *http.Request) {
		parts := strings.Split(r.Header.Get("Traffic-Slot"), "/")
		seq, err := strconv.ParseUint(parts[len(parts)-1], 10, 64)
		if len(parts) != 3 || err != nil {
			t.Errorf("slot %q", r.Header.Get("Traffic-Slot"))
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.times[parts[1]] == nil {
			c.times[parts[1]] = map[uint64]int{}
		}
		c.times[parts[1]][seq]++
	})
	return c
}

// begin returns when a segment begins, from its name.
func begin(t *testing.T, segment string) time.Time {
	t.Helper()
	name, _, _ := strings.Cut(segment, "-")
	at, err := time.Parse("20060102T150405Z", name)
	if err != nil {
		t.Error(err)
	}
	return at
}

// followHold is for how long a rate holds that is not followed by another.
const followHold = 10

// exact checks that each second from one instant to another had the slots of one of the rates,
// which are all whole numbers, and that no slot was lost or came twice: those of rates that follow each
// other are numbered on.
func (c *counter) exact(t *testing.T, from, to time.Time, rates ...int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var segments []string
	for segment := range c.times {
		if at := begin(t, segment); !at.Before(from) && at.Before(to) {
			segments = append(segments, segment)
		}
	}
	slices.Sort(segments)
	if len(segments) < 2 {
		t.Errorf("only %d rates held from %v to %v", len(segments), from, to)
		return
	}
	for i, segment := range segments[:len(segments)-1] {
		slots, next := c.times[segment], c.times[segments[i+1]]
		seconds := min(followHold, int(begin(t, segments[i+1]).Sub(begin(t, segment)).Seconds()))
		first, after := lowest(slots), lowest(next)
		if n := int(after - first); n != len(slots) || n%seconds != 0 || !slices.Contains(rates, n/seconds) {
			t.Errorf("segment %s has %d slots, from %d on, in %d s, and %s begins with %d: want one of %v/s", segment, len(slots), first, seconds, segments[i+1], after, rates)
		}
	}
	for segment, slots := range c.times {
		for seq, n := range slots {
			if n > 1 {
				t.Errorf("slot %d of %s was sent %d times", seq, segment, n)
			}
		}
	}
}

func lowest(slots map[uint64]int) uint64 {
	first := ^uint64(0)
	for seq := range slots {
		first = min(first, seq)
	}
	return first
}

// followShows waits until each replica has a target rate, and returns how long that took.
func followShows(t *testing.T, rate float64, replicas ...*replica) time.Duration {
	t.Helper()
	since := time.Now()
	for _, r := range replicas {
		r.shows(t, `traffic_target_rate{scenario="`+steady+`"}`, rate)
	}
	return time.Since(since)
}

func TestAFleetFollowsARateThatAPrometheusKnows(t *testing.T) {
	t.Parallel()
	takeTurn(t)
	production, target, places := startShop(t), startCounter(t), loopback(t, 3)
	prom := freeport.Address(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, fmt.Sprintf(`
fleet:
  name: ${REPLICA}
  cluster: follow
%s
scenarios:
  - name: %s
    rate:
      follow: {query: production_rate, prometheus: {url: "http://%s"}, every: 5s, hold: %ds, otherwise: 9/s}
      scale: 2
      max: 200/s
    timeout: 30s
    limits: {late_after: %s, max_in_flight: %d}
    requests: [{name: get, url: "http://%s/"}]
`, gossip(places), steady, prom, followHold, patientLateAfter, patientInFlight, target.addr))
	f := &fleet{file: file, places: places}
	prometheusConfig := fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs: [{job_name: shop, static_configs: [{targets: [%q]}]}]
`, production.addr)
	production.exposes("production_rate 15")
	p := runPrometheusAt(t, prom, prometheusConfig)

	all := f.start(t, 3)
	t.Logf("the first rate after %v", followShows(t, 30, all...))
	began := time.Now()
	production.exposes("production_rate 30")
	t.Logf("another rate after %v", followShows(t, 60, all...))
	production.exposes("production_rate 500") // More than max.
	followShows(t, 200, all...)
	production.exposes("production_rate 20")
	followShows(t, 40, all...)
	target.exact(t, began, time.Now().Add(-straggling), 30, 60, 200, 40)

	// The one that asks dies: that of the lowest ID.
	slices.SortFunc(all, func(a, b *replica) int { return strings.Compare(a.view(t).Self, b.view(t).Self) })
	all[0].signal(t, syscall.SIGKILL)
	all = all[1:]
	production.exposes("production_rate 25")
	t.Logf("another rate after %v without the one that asked", followShows(t, 50, all...))
	agree(t, 2, all...)
	began = time.Now()

	// Lies are no rates: the last one holds, then the file has the last word.
	asker := all[0]
	production.exposes("production_rate NaN")
	asker.fails(t, "NaN")
	asker.shows(t, `traffic_followed_rate{scenario="`+steady+`"}`, 50)
	production.exposes(`production_rate{shop="a"} 1`, `production_rate{shop="b"} 2`)
	asker.fails(t, "found 2 elements, expected one")
	production.exposes("another_rate 10")
	asker.fails(t, "found nothing")
	followShows(t, 9, all...)
	p.signal(t, syscall.SIGTERM)
	p.exit(t)
	asker.fails(t, "connection refused")
	runPrometheusAt(t, prom, prometheusConfig)
	production.exposes("production_rate 15")
	followShows(t, 30, all...)
	production.exposes("production_rate 35")
	followShows(t, 70, all...)
	production.exposes("production_rate 30")
	followShows(t, 60, all...)
	target.exact(t, began, time.Now().Add(-straggling), 50, 30, 70, 60)
}

// fails waits until the replica could not find a rate for a reason.
func (r *replica) fails(t *testing.T, why string) {
	t.Helper()
	eventually(t, func() error {
		body, err := get("http://" + r.addr + "/api/v1/scenarios")
		if err == nil && !strings.Contains(body, why) {
			err = fmt.Errorf("replica %s does not fail for %q: %s", r.name, why, body)
		}
		return err
	})
}
