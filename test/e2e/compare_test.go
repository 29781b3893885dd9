//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// version returns a server that takes its time, and whose price is another one for each tenth item if it is the next
// version. Its responses also have what may differ: an identifier, and an order of keys and elements.
func version(t *testing.T, takes time.Duration, next bool) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		timer := time.NewTimer(takes)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
		id := r.URL.Query().Get("id")
		w.Header().Set("Content-Type", "application/json")
		switch {
		case !next:
			fmt.Fprintf(w, `{"trace": %q, "item": {"id": %s, "price": 10.0}, "tags": ["a", "b"]}`, time.Now(), id)
		case strings.HasSuffix(id, "7"):
			fmt.Fprintf(w, `{"trace": %q, "item": {"id": %s, "price": 11}, "tags": ["a", "b"]}`, time.Now(), id)
		default:
			fmt.Fprintf(w, `{"tags":["b","a"],"item":{"price":1e1,"id":%s}}`, id)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// TestACandidateThatIsSlowerAndDiffersIsFound compares a target with one that is, and with itself.
func TestACandidateThatIsSlowerAndDiffersIsFound(t *testing.T) {
	t.Parallel()
	const slowerBy = 80 * time.Millisecond
	stable, next := version(t, 5*time.Millisecond, false), version(t, 5*time.Millisecond+slowerBy, true)
	scenario := func(name, candidate string) string {
		return fmt.Sprintf(`
  - name: %s
    rate: 50/s
    base_url: %s
    variables: {id: sequence}
    compare: {with: {base_url: %q}, sample: 80%%, body: json, ignore: [trace], unordered: [tags]}
    requests: [{name: item, url: /item, query: {id: "{{ id }}"}}]`, name, stable.URL, candidate)
	}
	e := startExporter(t, "scenarios:"+scenario("shop", next.URL)+scenario("twin", stable.URL)+"\n")
	p := startAlerting(t, e.addr, freeport.Address(t))

	p.fires(t, "TrafficCompareMismatch", "TrafficCompareSlower")
	if rang, err := p.alerts(`ALERTS{alertname=~"TrafficCompare.+",scenario="twin"}`); err != nil || len(rang) > 0 {
		t.Errorf("alerts on a target that is compared with itself: %q, %v", rang, err)
	}
	now := time.Now()
	mean := func(side string) float64 {
		return p.mustValue(t, fmt.Sprintf(`histogram_avg(rate(traffic_compare_duration_seconds{scenario="shop",side=%q}[20s]))`, side), now)
	}
	if by := mean("candidate") - mean("base"); by < 0.9*slowerBy.Seconds() || by > 3*slowerBy.Seconds() {
		t.Errorf("the candidate is slower by %.3f s, want about %v", by, slowerBy)
	}
	const results = `increase(traffic_compare_requests_total{scenario=%q,result=~%q}[20s])`
	share := func(scenario, result string) float64 {
		return p.mustValue(t, "sum("+fmt.Sprintf(results, scenario, result)+") / sum("+fmt.Sprintf(results, scenario, ".+")+")", now)
	}
	if differ := share("shop", "body"); differ < 0.06 || differ > 0.14 {
		t.Errorf("%.3f of the bodies differ, want a tenth", differ)
	}
	if same := share("twin", "same"); same < 0.99 {
		t.Errorf("%.3f of the responses of one and the same target are the same", same)
	}
	compared := p.mustValue(t, `sum(rate(traffic_compare_requests_total{scenario="shop"}[20s])) / sum(rate(traffic_slots_finished_total{scenario="shop"}[20s]))`, now)
	if compared < 0.7 || compared > 0.9 {
		t.Errorf("%.3f of the slots are compared, want 0.8", compared)
	}
	e.sendsTheMismatchAgain(t)
	p.sound(t)
	e.stop(t)
}

// sendsTheMismatchAgain fails the test unless the last failures have a slot whose bodies differ, and send shows where.
func (e *exporter) sendsTheMismatchAgain(t *testing.T) {
	t.Helper()
	body, err := get("http://" + e.addr + "/api/v1/failures?scenario=shop")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(body, `"reason":"mismatch","slot":"`)
	slot, _, _ := strings.Cut(rest, `"`)
	if !found || !strings.Contains(body, "the body differs at item.price") {
		t.Fatalf("the last failures have no mismatch: %s", body)
	}
	out, err := exec.Command(env().exporter, "send", e.file, "--slot="+slot).CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); !failed || !strings.Contains(string(out), "item: the body differs at item.price") {
		t.Errorf("send: %v\n%s", err, out)
	}
}
