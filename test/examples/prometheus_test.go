package examples

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// prometheus is a running server that scrapes the exporters of all examples each second.
type prometheus struct {
	cmd *exec.Cmd
	// dir has its data, and a file for each target, named after the example.
	dir string
}

// The environment by which tests find the server.
const (
	promAddr    = "TRAFFIC_EXAMPLES_PROMETHEUS_ADDRESS"
	promTargets = "TRAFFIC_EXAMPLES_PROMETHEUS_TARGETS"
)

const promConfig = `
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: examples
    scrape_native_histograms: true
    file_sd_configs: [{files: ["targets/*.json"], refresh_interval: 1s}]
`

// startPrometheus starts the server, which tests find by their environment.
func startPrometheus(binary string) (*prometheus, error) {
	dir, err := os.MkdirTemp("", "examples")
	if err != nil {
		return nil, err
	}
	p := &prometheus{dir: dir}
	targets, config := filepath.Join(dir, "targets"), filepath.Join(dir, "prometheus.yml")
	if err := errors.Join(os.Mkdir(targets, 0o700), os.WriteFile(config, []byte(promConfig), 0o600)); err != nil {
		return p, err
	}
	log := &buffer{}
	p.cmd = exec.CommandContext(context.Background(), binary,
		"--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0", "--web.enable-remote-write-receiver")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return p, err
	}
	listens := regexp.MustCompile(`msg="Listening on".* address=(\S+)`)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		found := listens.FindStringSubmatch(log.String())
		if found == nil {
			continue
		}
		if resp, err := http.Get("http://" + found[1] + "/-/ready"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return p, errors.Join(os.Setenv(promAddr, found[1]), os.Setenv(promTargets, targets))
			}
		}
	}
	return p, fmt.Errorf("prometheus is not ready:\n%s", log.String())
}

// stop ends the server.
func (p *prometheus) stop() {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
	_ = os.RemoveAll(p.dir)
}

// scraped is what Prometheus knows of one exporter, between the first scrape and the last.
type scraped struct {
	example     string
	first, last time.Time
}

// observe has Prometheus scrape an exporter until the end of the test, and waits for the first
// scrape.
func observe(t *testing.T, addr string) *scraped {
	t.Helper()
	s := &scraped{example: t.Name()}
	file := filepath.Join(os.Getenv(promTargets), t.Name()+".json")
	text := fmt.Sprintf(`[{"targets": [%q], "labels": {"example": %q}}]`, addr, s.example)
	if err := errors.Join(os.WriteFile(file+".new", []byte(text), 0o600), os.Rename(file+".new", file)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(file) })
	s.follow(t, time.Time{})
	s.first = s.last
	return s
}

// follow waits for a scrape after an instant.
func (s *scraped) follow(t *testing.T, after time.Time) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		scrapes := s.ask(t, time.Now(), "min without (scenario) (timestamp(traffic_slots_due_total%s))")
		if at := time.UnixMilli(int64(scrapes[series{}] * 1000)); len(scrapes) > 0 && at.After(after) {
			s.last = at
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("prometheus does not scrape the exporter")
		}
	}
}

// shortestWindow is the shortest time that says something about rates.
const shortestWindow = 5 * time.Second

// gather waits until so many slots of the example have finished since the first scrape, and that is
// long enough ago.
func (s *scraped) gather(t *testing.T, slots float64) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		s.follow(t, s.last)
		if n := s.rate(t, "example", "traffic_slots_finished_total%s")[series{}] * s.last.Sub(s.first).Seconds(); n >= slots && s.last.Sub(s.first) >= shortestWindow {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %v slots finish", slots)
		}
	}
}

// series are the labels of a result.
type series struct{ Scenario, Request, Journey string }

// rate returns the rate of counts over the time between the first scrape and the last, by labels.
// The expression has %s where the label of the example belongs, with what follows it.
func (s *scraped) rate(t *testing.T, by, expr string) map[series]float64 {
	t.Helper()
	now := fmt.Sprintf("sum by (%s) (%s)", by, expr)
	then := fmt.Sprintf("sum by (%s) (%s)", by, fmt.Sprintf(expr, "%[1]s @ "+seconds(s.first)))
	// A series that is absent at first counts from 0.
	return s.ask(t, s.last, fmt.Sprintf("(%s - (%s or 0 * %s)) / %v", now, then, now, s.last.Sub(s.first).Seconds()))
}

func seconds(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// ask evaluates an expression at an instant.
func (s *scraped) ask(t *testing.T, at time.Time, expr string) map[series]float64 {
	t.Helper()
	expr = regexp.MustCompile(`%(\[1\])?s`).ReplaceAllString(expr, fmt.Sprintf("{example=%q}", s.example))
	resp, err := http.Get("http://" + os.Getenv(promAddr) + "/api/v1/query?" + url.Values{"query": {expr}, "time": {seconds(at)}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var got struct {
		Status, Error   string
		Warnings, Infos []string
		Data            struct {
			Result []struct {
				Metric series
				Value  [2]any
			}
		}
	}
	if err = json.NewDecoder(resp.Body).Decode(&got); err != nil || got.Status != "success" || len(got.Warnings)+len(got.Infos) > 0 {
		t.Fatalf("%s: %s %q %q %v", expr, got.Error, got.Warnings, got.Infos, err)
	}
	values := map[series]float64{}
	for _, r := range got.Data.Result {
		text, _ := r.Value[1].(string)
		if values[r.Metric], err = strconv.ParseFloat(text, 64); err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
	}
	return values
}
