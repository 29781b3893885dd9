//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// TestAFleetSendsNoMoreThanTheSlotsOfADay has three replicas whose day is over in the middle of the test.
func TestAFleetSendsNoMoreThanTheSlotsOfADay(t *testing.T) {
	t.Parallel()
	f := newGossipFleet(t, 3)
	line, err := timeline.New(timeline.Options{Name: steady, Shape: timeline.Steady{Rate: steadyRate}, Arrivals: timeline.Uniform})
	if err != nil {
		t.Fatal(err)
	}
	over := time.Now().Add(20 * time.Second).Truncate(time.Second)
	midnight := over.UTC().Truncate(24 * time.Hour)
	if over.Sub(midnight) < time.Minute || over.Sub(midnight) > 24*time.Hour-time.Minute {
		t.Skip("a day ends in the test, and with it the limit")
	}
	config, err := os.ReadFile(f.file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.file, strings.Replace(string(config), "limits: {", fmt.Sprintf("limits: {max_slots_per_day: %d, ", line.Count(midnight, over)), 1))
	replicas := f.start(t, 3)
	from := time.Now().Add(time.Second)
	if !from.Before(over) {
		t.Fatal("the fleet has formed only after the last slot")
	}
	for _, r := range replicas {
		eventually(t, func() error {
			body := r.metrics(t)
			if total(body, "traffic_slots_dropped_total", `reason="daily_limit"`) < 100 || total(body, "traffic_slots_in_flight") != 0 {
				return fmt.Errorf("replica %s still sends", r.name)
			}
			return nil
		})
		body := r.metrics(t)
		due, finished, open, dropped := total(body, "traffic_slots_due_total"), total(body, "traffic_slots_finished_total"), total(body, "traffic_slots_in_flight"), total(body, "traffic_slots_dropped_total")
		if due != finished+open+dropped {
			t.Errorf("replica %s: %v due, %v finished, %v in flight, %v dropped", r.name, due, finished, open, dropped)
		}
	}
	a := f.target.audit(always(), from, over, nil)
	for _, problem := range slices.Concat(a.problems(), a.gaps(), a.totals(always())) {
		t.Error(problem)
	}
	for _, s := range f.target.sent() {
		if !s.due.Before(over) {
			t.Errorf("slot %v was sent, and the last one of the day was due before %v", s.slotID, over)
		}
	}
}

// TestNothingLeavesToWhatIsNotAllowed has a redirect and a name lead to a server that the file does not allow, allows it,
// and takes that back while its connections are open.
func TestNothingLeavesToWhatIsNotAllowed(t *testing.T) {
	t.Parallel()
	var live, staged atomic.Int64
	production := serve(t, "127.0.0.1", func(http.ResponseWriter, *http.Request) { live.Add(1) })
	_, port, _ := strings.Cut(production, ":")
	staging := serve(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		staged.Add(1)
		http.Redirect(w, r, "http://localhost:"+port+"/", http.StatusFound)
	})
	config := fmt.Sprintf(`
allow: [%q, 127.0.0.2]
scenarios:
  - name: redirected
    rate: 20/s
    http_config: {follow_redirects: true}
    requests: [{name: r, url: "http://%s/"}]
  - name: typo
    rate: 20/s
    requests: [{name: r, url: "http://localhost:%s/"}]
`, staging, staging, port)
	e := startExporter(t, config)
	denied := func(scenario string, want int) {
		t.Helper()
		before := total(e.metrics(t), "traffic_request_failures_total", `reason="denied"`, fmt.Sprintf("scenario=%q", scenario))
		eventually(t, func() error {
			if n := total(e.metrics(t), "traffic_request_failures_total", `reason="denied"`, fmt.Sprintf("scenario=%q", scenario)); n < before+float64(want) {
				return fmt.Errorf("%v requests of %s are denied", n-before, scenario)
			}
			return nil
		})
	}
	denied("redirected", 20)
	denied("typo", 20)
	if n := live.Load(); n != 0 || staged.Load() == 0 {
		t.Fatalf("%d requests have arrived where they may not, %d where they may", n, staged.Load())
	}

	reload := func(allow string) {
		t.Helper()
		write(t, e.file, strings.Replace(config, "127.0.0.2", allow, 1))
		resp, err := http.Post("http://"+e.addr+"/-/reload", "", nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", resp, err)
		}
		_ = resp.Body.Close()
	}
	reload("localhost")
	eventually(t, func() error {
		if n := live.Load(); n < 20 {
			return fmt.Errorf("%d requests have arrived", n)
		}
		return nil
	})
	reload("127.0.0.2")
	denied("typo", 1) // From now on no connection is open.
	at := live.Load()
	denied("typo", 20)
	denied("redirected", 20)
	if n := live.Load(); n != at {
		t.Errorf("%d requests have arrived after the reload", n-at)
	}
}

// TestADryRunSendsNothing runs the machinery for a target that counts.
func TestADryRunSendsNothing(t *testing.T) {
	t.Parallel()
	var arrived atomic.Int64
	target := serve(t, "127.0.0.1", func(http.ResponseWriter, *http.Request) { arrived.Add(1) })
	file := t.TempDir() + "/config.yaml"
	write(t, file, fmt.Sprintf("scenarios: [{name: s, rate: 50/s, requests: [{name: r, url: \"http://%s/\", expect: {body: {contains: no sink has this}}}]}]\n", target))
	web := freeport.Address(t)
	e := &exporter{addr: web, file: file, process: start(t, env().exporter, "--dry-run", "--config.file="+file, "--web.listen-address="+web)}
	eventually(t, func() error {
		body, err := get("http://" + e.addr + "/metrics")
		if err != nil {
			return err
		}
		if n := total(body, "traffic_slots_finished_total"); n < 100 {
			return fmt.Errorf("%v slots are finished", n)
		}
		return nil
	})
	body := e.metrics(t)
	if got, err := sample(body, "traffic_dry_run"); err != nil || got != 1 {
		t.Errorf("traffic_dry_run is %v, %v", got, err)
	}
	if failed := failures(body); failed != "" {
		t.Errorf("some failed:\n%s", failed)
	}
	e.stop(t)
	if n := arrived.Load(); n != 0 {
		t.Errorf("%d requests have arrived at the target", n)
	}
}
