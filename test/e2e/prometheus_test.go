//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// prometheus is a running Prometheus server that scrapes one exporter every second,
// native and classic histograms both.
type prometheus struct {
	*process
	addr string
}

func startPrometheus(t *testing.T, target string) *prometheus {
	t.Helper()
	return runPrometheus(t, fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: traffic_exporter
    scrape_native_histograms: true
    always_scrape_classic_histograms: true
    static_configs: [{targets: [%q]}]
`, target))
}

// runPrometheus runs the server with a configuration, and more flags, until it is ready.
func runPrometheus(t *testing.T, config string, flags ...string) *prometheus {
	t.Helper()
	return runPrometheusAt(t, freeport.Address(t), config, flags...)
}

// runPrometheusAt is runPrometheus for a server with an address.
func runPrometheusAt(t *testing.T, addr, config string, flags ...string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	p := &prometheus{addr: addr}
	file := filepath.Join(dir, "prometheus.yml")
	write(t, file, config)
	if out, err := exec.Command(env().promtool, "check", "config", file).CombinedOutput(); err != nil {
		t.Fatalf("promtool check config: %v\n%s", err, out)
	}
	p.process = start(t, env().prometheus, append(flags,
		"--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+p.addr, "--enable-feature=exemplar-storage")...)
	eventually(t, func() error {
		_, err := get("http://" + p.addr + "/-/ready")
		return err
	})
	return p
}

// apiResponse is the API's, as far as it matters here.
type apiResponse struct {
	Status   string
	Warnings []string
	Infos    []string
	Data     json.RawMessage
}

// api asks the query API, and takes a warning for an error.
func (p *prometheus) api(path string, query url.Values) (json.RawMessage, error) {
	body, err := get("http://" + p.addr + "/api/v1/" + path + "?" + query.Encode())
	if err != nil {
		return nil, err
	}
	var a apiResponse
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		return nil, err
	}
	if a.Status != "success" || len(a.Warnings)+len(a.Infos) > 0 {
		return nil, fmt.Errorf("%s: %s %q %q", query.Get("query"), a.Status, a.Warnings, a.Infos)
	}
	return a.Data, nil
}

// value evaluates an expression at an instant to a single number.
func (p *prometheus) value(expr string, at time.Time) (float64, error) {
	data, err := p.api("query", url.Values{"query": {expr}, "time": {at.UTC().Format(time.RFC3339Nano)}})
	if err != nil {
		return 0, err
	}
	var vector struct {
		Result []struct{ Value [2]any }
	}
	if err := json.Unmarshal(data, &vector); err != nil {
		return 0, err
	}
	if len(vector.Result) != 1 {
		return 0, fmt.Errorf("%s has %d results", expr, len(vector.Result))
	}
	text, _ := vector.Result[0].Value[1].(string)
	return strconv.ParseFloat(text, 64)
}

// mustValue is value, and an error ends the test.
func (p *prometheus) mustValue(t *testing.T, expr string, at time.Time) float64 {
	t.Helper()
	v, err := p.value(expr, at)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// gather waits until the server has scraped for d after its first scrape, and returns
// an instant up to which it has.
func (p *prometheus) gather(t *testing.T, d time.Duration) time.Time {
	t.Helper()
	eventually(t, func() error {
		if up, err := p.value("up", time.Now()); err != nil || up != 1 {
			return errors.Join(errors.New("the exporter is not up"), err)
		}
		return nil
	})
	time.Sleep(d)
	return time.Now()
}

// quiet fails the test if the server has logged a warning or an error, or has not
// ingested all that it scraped.
func (p *prometheus) quiet(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(p.out.String()) {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
			t.Errorf("prometheus: %s", line)
		}
	}
	if min := p.mustValue(t, "min_over_time(up[20s])", time.Now()); min != 1 {
		t.Error("a scrape failed")
	}
	if n := p.mustValue(t, "max_over_time(scrape_samples_scraped[20s]) - max_over_time(scrape_samples_post_metric_relabeling[20s])", time.Now()); n != 0 {
		t.Errorf("%v samples were scraped but not kept", n)
	}
}
