package examples

import (
	"os"
	"testing"
	"time"
)

// TestRemoteWrite writes into the Prometheus that scrapes the exporters.
func TestRemoteWrite(t *testing.T) {
	t.Parallel()
	addr := "http://" + os.Getenv(promAddr)
	run(t, setup{
		file: root + "/examples/remote-write/config.yaml", origin: "http://prometheus.staging.svc:9090", server: addr,
		rates: []string{"20/s", "10/s"}, visits: 40,
	})
	s := scraped{}
	for expr, want := range map[string]float64{
		`count(http_requests_total{namespace="shop"})`:                                      2000,
		`count(process_resident_memory_bytes{namespace="shop"})`:                            200,
		`count(kube_pod_info{namespace="shop"})`:                                            100,
		`count by () (count by (route, code) (http_requests_total))`:                        20,
		`max(abs(http_requests_total - 12.5 * timestamp(http_requests_total))) < bool 0.01`: 1,
	} {
		if got := s.ask(t, time.Now(), expr)[series{}]; got != want {
			t.Errorf("%s is %v, want %v", expr, got, want)
		}
	}
}
