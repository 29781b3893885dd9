//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestPrometheusTakesRemoteWrites has a real Prometheus take the samples of both versions of the protocol. Each
// series has two samples a second: a fifth of them is written five times a second, with a sample that is half a second old.
func TestPrometheusTakesRemoteWrites(t *testing.T) {
	t.Parallel()
	p := runPrometheus(t, "global: {scrape_interval: 1s, scrape_timeout: 1s}\n", "--web.enable-remote-write-receiver")
	config := "scenarios:\n"
	for version := 1; version <= 2; version++ {
		config += fmt.Sprintf(`
  - name: write-%[1]d
    rate: 5/s
    base_url: http://%[2]s
    variables: {level: {int: {from: 3, to: 3}}}
    requests:
      - name: write
        method: POST
        url: /api/v1/write
        expect: {status: [200, 204]}
        body:
          remote_write:
            version: %[1]d
            shards: 5
            series:
              - name: requests_total
                each: {pod: 50, code: [200, 500]}
                labels: {version: "v%[1]d", pod: "api-{{ pod }}", code: "{{ code }}", none: "", "utf.8/ü": "a \"b\""}
                counter: 2
                samples: 2
                every: 500ms
              - {name: heap_bytes, each: {pod: 50}, labels: {version: "v%[1]d", pod: "api-{{ pod }}"}, gauge: {from: 1, to: 2, digits: 3}}
              - {name: "level_{{ level }}", labels: {version: "v%[1]d"}, value: "{{ level }}"}
`, version, p.addr)
	}
	e := startExporter(t, config)
	eventually(t, func() error {
		for version := 1; version <= 2; version++ {
			if n, err := p.value(fmt.Sprintf(`count(count_over_time(requests_total{version="v%d"}[10s]) >= 19)`, version), time.Now()); err != nil || n != 100 {
				return fmt.Errorf("%v series have samples enough, %w", n, err)
			}
		}
		return nil
	})
	now := time.Now()
	for expr, want := range map[string][2]float64{
		`count(requests_total{none="",code="200",pod=~"api-[0-9]+","utf.8/ü"="a \"b\""})`: {100, 0},
		`count(requests_total)`: {200, 0},
		`count(heap_bytes)`:     {100, 0},
		`sum(level_3)`:          {6, 0},
		// A counter says when it was, by its value.
		`max(abs(requests_total - 2 * timestamp(requests_total)))`: {0, 1e-3},
		`max(time() - timestamp(requests_total)) < 3`:              {1, 2},
		`max(count_over_time(requests_total[10s]))`:                {20, 1},
		`min(min_over_time(heap_bytes[10s])) >= 1`:                 {1, 0.01},
		`max(max_over_time(heap_bytes[10s])) <= 2`:                 {2, 0.01},
	} {
		within(t, p.mustValue(t, expr, now), want[0], want[1])
	}
	// An empty label is none.
	data, err := p.api("series", url.Values{"match[]": {`requests_total{version="v2",pod="api-7",code="500"}`}})
	var found []map[string]string
	if err == nil {
		err = json.Unmarshal(data, &found)
	}
	if err != nil || len(found) != 1 || len(found[0]) != 5 {
		t.Errorf("series %v, %v", found, err)
	}
	// No counter of failures is above 0, and no slot was dropped.
	for line := range strings.Lines(e.metrics(t)) {
		bad := strings.HasPrefix(line, "traffic_request_failures_total{") || strings.HasPrefix(line, "traffic_slots_dropped_total{")
		if bad && !strings.HasSuffix(strings.TrimSpace(line), " 0") {
			t.Error(line)
		}
	}
}
