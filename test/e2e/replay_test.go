//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// hours are what a Prometheus has recorded of a system's requests: a wave of two hours, by the minute.
const hours = 2 * time.Hour

// startHistory runs a Prometheus that has a counter of the past, up to an instant.
func startHistory(t *testing.T, end time.Time) *prometheus {
	t.Helper()
	dir := t.TempDir()
	var text strings.Builder
	text.WriteString("# TYPE http_requests counter\n")
	sum := 0.0
	for at := end.Add(-hours - 10*time.Minute); !at.After(end); at = at.Add(time.Minute) {
		sum += 60 * (60 + 15*math.Sin(2*math.Pi*float64(at.Unix())/hours.Seconds()))
		fmt.Fprintf(&text, "http_requests_total %.0f %d\n", sum, at.Unix())
	}
	text.WriteString("# EOF\n")
	write(t, filepath.Join(dir, "metrics"), text.String())
	if out, err := exec.Command(env().promtool, "tsdb", "create-blocks-from", "openmetrics", filepath.Join(dir, "metrics"), filepath.Join(dir, "data")).CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
	write(t, filepath.Join(dir, "prometheus.yml"), "scrape_configs: []\n")
	p := &prometheus{addr: freeport.Address(t)}
	p.process = start(t, env().prometheus, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+p.addr)
	eventually(t, func() error {
		_, err := get("http://" + p.addr + "/-/ready")
		return err
	})
	return p
}

// curve reads the values of a response to a range query, by their distance from the first.
func curve(t *testing.T, response string) (all []float64) {
	t.Helper()
	var a struct {
		Data struct{ Result []struct{ Values [][2]any } }
	}
	if err := json.Unmarshal([]byte(response), &a); err != nil || len(a.Data.Result) != 1 {
		t.Fatalf("%v in %s", err, response)
	}
	for _, v := range a.Data.Result[0].Values {
		text, _ := v[1].(string)
		rate, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rate)
	}
	return all
}

// What a Prometheus responds to a range query is replayed as it is, 400 times as fast, and another one
// finds the same curve.
func TestARecordedRateIsReplayedAsItWas(t *testing.T) {
	t.Parallel()
	const faster = 400
	end := time.Now().Add(-time.Hour).Truncate(time.Minute)
	recorder := startHistory(t, end)
	query := url.Values{"query": {"sum(rate(http_requests_total[5m]))"}, "start": {unixText(end.Add(-hours))}, "end": {unixText(end)}, "step": {"60"}}
	recording, err := get("http://" + recorder.addr + "/api/v1/query_range?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	want := curve(t, recording)
	if len(want) != 121 {
		t.Fatalf("%d points were recorded", len(want))
	}

	target := serve(t, "127.0.0.1", func(http.ResponseWriter, *http.Request) {})
	file := filepath.Join(t.TempDir(), "recording.json")
	write(t, file, recording)
	begin := time.Now().Add(6 * time.Second).Truncate(time.Second)
	e := startExporter(t, fmt.Sprintf(`
scenarios:
  - name: s
    rate: {replay: {file: %s, start: %q, stretch: %g, otherwise: 0/s}}
    limits: {late_after: 20s}
    requests: [{name: get, url: "http://%s/"}]
`, file, begin.UTC().Format(time.RFC3339), 1.0/faster, target))
	p := startPrometheus(t, e.addr)
	length := hours / faster
	eventually(t, func() error {
		if time.Now().Before(begin.Add(length + 2*time.Second)) {
			return errors.New("the replay has not ended")
		}
		return nil
	})

	// The counter has all slots of the curve, and the target is the curve at each scrape.
	slots := 0.0
	for i := range len(want) - 1 {
		slots += (want[i] + want[i+1]) / 2 * 60 / faster
	}
	due := p.mustValue(t, `traffic_slots_due_total`, time.Now())
	t.Logf("%v slots, want %v", due, slots)
	within(t, due, slots, slots/100)
	looks, worst := 0, 0.0
	for at := begin.Add(time.Second); at.Before(begin.Add(length)); at = at.Add(time.Second) {
		scraped := p.mustValue(t, `timestamp(traffic_target_rate)`, at)
		if p.mustValue(t, `scrape_duration_seconds`, at) > 0.1 {
			continue // Nobody knows when in that time the rate was this.
		}
		point := (scraped - float64(begin.UnixNano())/1e9) * faster / 60
		if i := int(point); point > 0 && i < len(want)-1 {
			rate := want[i] + (want[i+1]-want[i])*(point-float64(i))
			got := p.mustValue(t, `traffic_target_rate`, at)
			within(t, got, rate, rate/100)
			looks, worst = looks+1, max(worst, math.Abs(got/rate-1))
		}
	}
	t.Logf("%d scrapes, off by %.3g at most", looks, worst)
	if looks < 5 {
		t.Errorf("only %d scrapes", looks)
	}
}

func unixText(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
