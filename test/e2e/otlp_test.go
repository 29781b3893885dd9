//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestPrometheusTakesMetricsOverOTLP has a real Prometheus take the metrics pushed, native histograms among them, and scrape
// none.
func TestPrometheusTakesMetricsOverOTLP(t *testing.T) {
	t.Parallel()
	p := runPrometheus(t, "otlp: {translation_strategy: NoUTF8EscapingWithSuffixes}\n", "--web.enable-otlp-receiver")
	target := serve(t, "127.0.0.1", func(http.ResponseWriter, *http.Request) {})
	startExporter(t, fmt.Sprintf(`
otlp:
  metrics: {url: "http://%s/api/v1/otlp/v1/metrics", every: 1s}
scenarios:
  - name: pushed
    rate: 50/s
    requests: [{name: get, url: "http://%s/"}]
`, p.addr, target))
	const pushed = `{job="traffic_exporter",scenario="pushed"}`
	eventually(t, func() error {
		rate, err := p.value(`sum(rate(traffic_slots_finished_total`+pushed+`[5s]))`, time.Now())
		if err != nil || rate < 45 || rate > 55 {
			return fmt.Errorf("%v slots a second end, %w", rate, err)
		}
		return nil
	})
	now := time.Now()
	for expr, want := range map[string][2]float64{
		`sum(histogram_count(rate(traffic_request_duration_seconds` + pushed + `[5s])))`:                    {50, 5},
		`histogram_quantile(0.5, sum(rate(traffic_request_duration_seconds` + pushed + `[5s]))) < bool 0.1`: {1, 0},
		`count(traffic_target_rate` + pushed + ` == 50)`:                                                    {1, 0},
	} {
		within(t, p.mustValue(t, expr, now), want[0], want[1])
	}
}
