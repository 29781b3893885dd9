//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/demo"
	"github.com/traffic-exporter/traffic_exporter/internal/demo/demotest"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// sample returns the value of a series in the text format, or an error.
func sample(metrics, series string) (float64, error) {
	for line := range strings.Lines(metrics) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("no series %s", series)
}

// reaches polls until a series is at least a value.
func (e *exporter) reaches(t *testing.T, series string, want float64) {
	t.Helper()
	eventually(t, func() error {
		body, err := get("http://" + e.addr + "/metrics")
		if err != nil {
			return err
		}
		got, err := sample(body, series)
		if err == nil && got < want {
			err = fmt.Errorf("%s is %v, want %v", series, got, want)
		}
		return err
	})
}

func steadyConfig(target, rate string) string {
	return fmt.Sprintf("scenarios:\n  - name: s\n    rate: %s\n    requests: [{name: get, url: \"http://%s/\"}]\n", rate, target)
}

func TestATargetThatCannotBeReachedIsCountedAndNothingExits(t *testing.T) {
	t.Parallel()
	e := startExporter(t, steadyConfig(freeport.Address(t), "50/s"))
	e.reaches(t, `traffic_request_failures_total{reason="refused",request="get",scenario="s"}`, 50)
	e.reaches(t, `traffic_requests_total{code="",request="get",scenario="s"}`, 50)
	e.stop(t)
}

func TestABadConfigurationExitsBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	var seen arrivals
	target := demotest.Start(t, demo.Options{Observe: seen.observe})
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, steadyConfig(target, "50/s")+"    colour: red\n    timeout: soon\n")
	p := start(t, env().exporter, "--config.file="+file, "--web.listen-address="+freeport.Address(t))
	if code := p.exit(t); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, want := range []string{file + ":5:5: ", "colour", file + ":6:14: ", "soon"} {
		if !strings.Contains(p.out.String(), want) {
			t.Errorf("the output does not have %q:\n%s", want, p.out)
		}
	}
	if n := seen.count(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestAProcessThatWasStoppedMakesNoBurst(t *testing.T) {
	t.Parallel()
	const stopped = 4 * time.Second
	var seen arrivals
	e := startExporter(t, steadyConfig(demotest.Start(t, demo.Options{Observe: seen.observe}), "60/s"))
	e.reaches(t, `traffic_slots_finished_total{scenario="s"}`, 60)
	e.signal(t, syscall.SIGSTOP)
	time.Sleep(stopped)
	e.signal(t, syscall.SIGCONT)
	e.reaches(t, `traffic_slots_dropped_total{reason="late",scenario="s"}`, 1)
	finished, err := sample(e.metrics(t), `traffic_slots_finished_total{scenario="s"}`)
	if err != nil {
		t.Fatal(err)
	}
	e.reaches(t, `traffic_slots_finished_total{scenario="s"}`, finished+120)

	late, err := sample(e.metrics(t), `traffic_slots_dropped_total{reason="late",scenario="s"}`)
	if want := 60 * stopped.Seconds(); err != nil || late < want-30 || late > want+30 {
		t.Errorf("%v slots were dropped as late, want about %v; %v", late, want, err)
	}
	for i, n := range seen.perSecond() {
		if n > 70 {
			t.Errorf("%d requests reached the target in second %d: a burst", n, i)
		}
	}
	e.stop(t)
}

func TestReloads(t *testing.T) {
	t.Parallel()
	target := demotest.Start(t, demo.Options{})
	// As Kubernetes mounts a ConfigMap: the file is a link through ..data, which is
	// swapped.
	dir := t.TempDir()
	version := func(n int, content string) {
		t.Helper()
		folder := fmt.Sprintf("..%d", n)
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, folder, "config.yaml"), content)
		if err := os.Symlink(folder, filepath.Join(dir, "..tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	two := strings.Replace(steadyConfig(target, "20/s"), "scenarios:\n", "", 1)
	kept := strings.Replace(two, "name: s", "name: kept", 1)
	version(1, "scenarios:\n"+two+kept)
	if err := os.Symlink(filepath.Join("..data", "config.yaml"), filepath.Join(dir, "config.yaml")); err != nil {
		t.Fatal(err)
	}
	addr := freeport.Address(t)
	e := &exporter{addr: addr, file: filepath.Join(dir, "config.yaml")}
	e.process = start(t, env().exporter, "--config.file="+e.file, "--config.watch-interval=100ms", "--web.listen-address="+addr)
	e.reaches(t, `traffic_slots_finished_total{scenario="kept"}`, 20)
	opened, err := sample(e.metrics(t), `traffic_connections_opened_total{protocol="http/1.1",scenario="kept"}`)
	if err != nil {
		t.Fatal(err)
	}

	version(2, "scenarios:\n"+strings.Replace(two, "20/s", "40/s", 1)+kept)
	e.reaches(t, `traffic_target_rate{scenario="s"}`, 40)
	if n, err := sample(e.metrics(t), `traffic_slots_finished_total{scenario="kept"}`); err != nil || n < 20 {
		t.Errorf("the unchanged scenario has %v finished slots, %v", n, err)
	}

	version(3, "scenarios: nonsense\n")
	eventually(t, func() error {
		if ok, err := sample(e.metrics(t), "traffic_config_last_reload_successful"); err != nil || ok != 0 {
			return fmt.Errorf("last reload successful: %v, %w", ok, err)
		}
		return nil
	})
	if rate, err := sample(e.metrics(t), `traffic_target_rate{scenario="s"}`); err != nil || rate != 40 {
		t.Errorf("after a bad file the rate is %v, %v", rate, err)
	}
	if code, body := post(t, "http://"+addr+"/-/reload"); code != http.StatusInternalServerError || !strings.Contains(body, "config.yaml:1:") {
		t.Errorf("POST /-/reload of a bad file: %d %q", code, body)
	}

	version(4, "scenarios:\n"+kept)
	e.signal(t, syscall.SIGHUP)
	eventually(t, func() error {
		if _, err := sample(e.metrics(t), `traffic_target_rate{scenario="s"}`); err == nil {
			return fmt.Errorf("the removed scenario still has series")
		}
		return nil
	})
	metrics := e.metrics(t)
	if regexp.MustCompile(`scenario="s"`).MatchString(metrics) {
		t.Error("the removed scenario still has series")
	}
	if n, err := sample(metrics, `traffic_connections_opened_total{protocol="http/1.1",scenario="kept"}`); err != nil || n != opened {
		t.Errorf("the unchanged scenario has opened %v connections, %v before; %v", n, opened, err)
	}
	e.stop(t)
}

func post(t *testing.T, url string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Post(url, "", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body := make([]byte, 1<<16)
	n, _ := resp.Body.Read(body)
	return resp.StatusCode, string(body[:n])
}

func TestTheDemoRuns(t *testing.T) {
	t.Parallel()
	addr := freeport.Address(t)
	p := start(t, env().exporter, "demo", "--web.listen-address="+addr, "--target.listen-address=127.0.0.1:0")
	e := &exporter{process: p, addr: addr}
	e.reaches(t, `traffic_slots_finished_total{scenario="steady"}`, 100)
	e.reaches(t, `traffic_slots_finished_total{scenario="wave"}`, 10)
	e.reaches(t, `traffic_slots_finished_total{scenario="shop"}`, 1)
	if !strings.Contains(p.out.String(), "http://"+addr) {
		t.Errorf("the demo does not say what to open:\n%s", p.out)
	}
	e.stop(t)
}
