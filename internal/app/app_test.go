package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	toolkit "github.com/prometheus/exporter-toolkit/web"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/demo"
	"github.com/traffic-exporter/traffic_exporter/internal/demo/demotest"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/history"
	"github.com/traffic-exporter/traffic_exporter/internal/otlp"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
)

// scenarioText is a scenario in the configuration: name, rate, URL and more keys.
func scenarioText(name, rate, url, more string) string {
	return fmt.Sprintf("  - name: %s\n    rate: %s\n    requests: [{name: get, url: %q}]\n%s", name, rate, url, more)
}

func parse(t *testing.T, scenarios ...string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte("scenarios:\n"+strings.Join(scenarios, "")), os.LookupEnv, nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// writeConfig puts a file in the place of another, so that no half of it is ever seen.
func writeConfig(t *testing.T, file string, scenarios ...string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte("scenarios:\n"+strings.Join(scenarios, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func options(file string, logs io.Writer) Options {
	none := ""
	return Options{
		ConfigFile: file,
		Web:        &toolkit.FlagConfig{WebListenAddresses: &[]string{"127.0.0.1:0"}, WebConfigFile: &none},
		Logger:     slog.New(slog.NewTextHandler(logs, nil)),
	}
}

const url = "http://127.0.0.1:1/"

func TestABuildKeepsWhatDidNotChange(t *testing.T) {
	first := scenarioText("s", "10/s", url, "")
	for name, tc := range map[string]struct {
		second      string
		whole, wire bool // whether the scenario, or its client, is the same
	}{
		"nothing":           {first, true, true},
		"a comment":         {first + "# hello\n", true, true},
		"the rate":          {scenarioText("s", "20/s", url, ""), false, true},
		"the SLO":           {scenarioText("s", "10/s", url, "    slo: {objective: 99%, latency: 1s}\n"), false, true},
		"max_rate":          {scenarioText("s", "10/s", url, "    limits: {max_rate: 50/s}\n"), false, true},
		"the URL":           {scenarioText("s", "10/s", url+"other", ""), false, false},
		"the timeout":       {scenarioText("s", "10/s", url, "    timeout: 3s\n"), false, false},
		"the HTTP settings": {scenarioText("s", "10/s", url, "    http_config: {keep_alive: false}\n"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := &builder{arcs: engine.Alone{}, metrics: telemetry.New(prometheus.NewRegistry()), logger: slog.New(slog.DiscardHandler), history: history.New(time.Now()), pusher: &pusher{traces: otlp.NewTraces(&otlp.Process{})}}
			one, err := build(b, parse(t, first), nil)
			if err != nil {
				t.Fatal(err)
			}
			two, err := build(b, parse(t, tc.second), one)
			if err != nil {
				t.Fatal(err)
			}
			x, y := one["s"], two["s"]
			if (x.scenario.Client == y.scenario.Client) != tc.wire {
				t.Errorf("client the same: %v, want %v", !tc.wire, tc.wire)
			}
			if same := x.whole == y.whole && x.scenario.Timeline == y.scenario.Timeline; same != tc.whole {
				t.Errorf("scenario the same: %v, want %v", same, tc.whole)
			}
		})
	}
}

// build prepares and exposes scenarios.
func build(b *builder, cfg *config.Config, running map[string]built) (map[string]built, error) {
	next, err := b.prepare(cfg, running)
	if err == nil {
		err = b.expose(cfg, next, running)
	}
	return next, err
}

func TestAFailedBuildTouchesNothing(t *testing.T) {
	reg := prometheus.NewRegistry()
	b := &builder{arcs: engine.Alone{}, metrics: telemetry.New(reg), logger: slog.New(slog.DiscardHandler), history: history.New(time.Now()), pusher: &pusher{traces: otlp.NewTraces(&otlp.Process{})}}
	one, err := build(b, parse(t, scenarioText("s", "10/s", url, "")), nil)
	if err != nil {
		t.Fatal(err)
	}
	before := series(t, reg)
	bad := scenarioText("bad", "1/s", "https://127.0.0.1:1/", "    http_config: {tls_config: {ca_file: /nowhere/ca.pem}}\n")
	_, err = build(b, parse(t, scenarioText("s", "20/s", url, ""), scenarioText("new", "1/s", url, ""), bad), one)
	if err == nil || !strings.Contains(err.Error(), "/nowhere/ca.pem") || !strings.Contains(err.Error(), `"bad"`) {
		t.Errorf("error %v, want one that names the scenario and the file", err)
	}
	if after := series(t, reg); after != before {
		t.Errorf("%d series, %d before", after, before)
	}
}

func series(t *testing.T, reg *prometheus.Registry) int {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range families {
		n += len(f.GetMetric())
	}
	return n
}

// running is an App in this process.
type running struct {
	app  *App
	base string
	stop func() error
}

// startApp runs an App until it is ready. It is stopped at the end of the test.
func startApp(t *testing.T, o Options) running {
	t.Helper()
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return runApp(t, a)
}

// runApp does the same for an App that has not been started yet.
func runApp(t *testing.T, a *App) running {
	t.Helper()
	ready := make(chan []net.Addr, 1)
	a.announce = func(addrs []net.Addr) { ready <- addrs }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	ended := false
	stop := func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	select {
	case addrs := <-ready:
		return running{a, "http://" + addrs[0].String(), stop}
	case err := <-done:
		t.Fatalf("ended: %v", err)
	}
	return running{}
}

func (r running) get(t *testing.T, path string) (int, string) {
	t.Helper()
	return r.do(t, http.MethodGet, path)
}

// post sends a request without a body.
func (r running) post(t *testing.T, path string) (int, string) {
	t.Helper()
	return r.do(t, http.MethodPost, path)
}

// do sends a request without a body, and returns the status and the body of its response.
func (r running) do(t *testing.T, method, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.base+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// eventually polls the metrics until they contain a string.
func (r running) eventually(t *testing.T, want string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, body := r.get(t, "/metrics")
		if strings.Contains(body, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %q in\n%s", want, body)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestTheProcessServesFromStartToStop(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	addr := demotest.Start(t, demo.Options{})
	writeConfig(t, file, scenarioText("s", "100/s", "http://"+addr+"/", "    http_config: {basic_auth: {username: u, password: hunter2}}\n"))
	r := startApp(t, options(file, io.Discard))

	if code, body := r.get(t, "/-/ready"); code != http.StatusOK {
		t.Errorf("ready: %d %s", code, body)
	}
	if _, body := r.get(t, "/config"); !strings.Contains(body, "<secret>") || strings.Contains(body, "hunter2") {
		t.Errorf("the configuration shows its secret or hides all:\n%s", body)
	}
	r.eventually(t, `traffic_requests_total{code="200",request="get",scenario="s"}`)
	for _, want := range []string{"traffic_exporter_build_info", "go_goroutines", "traffic_config_last_reload_successful 1"} {
		r.eventually(t, want)
	}
	if err := r.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(r.base, "http://")); err == nil {
		t.Error("the listener is still open")
	}
}

func TestAStopFinishesWhatIsInFlight(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	addr := demotest.Start(t, demo.Options{Law: demo.Law{P50: 300 * time.Millisecond, P99: 300 * time.Millisecond}})
	writeConfig(t, file, scenarioText("s", "50/s", "http://"+addr+"/", ""))
	r := startApp(t, options(file, io.Discard))
	r.eventually(t, `traffic_requests_total{code="200",request="get",scenario="s"}`)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	book := gather(t, r.app, "traffic_slots_")
	if book["due"] == 0 || book["due"] != book["finished"]+book["dropped"] || book["in_flight"] != 0 {
		t.Errorf("after the stop the ledger is %v", book)
	}
	if n := gather(t, r.app, "traffic_request_")["failures"]; n != 0 {
		t.Errorf("%v requests failed", n)
	}
}

// gather sums the App's metrics whose names start with prefix, by the rest of the name.
func gather(t *testing.T, a *App, prefix string) map[string]float64 {
	t.Helper()
	families, err := a.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]float64{}
	for _, f := range families {
		name, ok := strings.CutPrefix(f.GetName(), prefix)
		if !ok {
			continue
		}
		for _, m := range f.GetMetric() {
			sums[strings.TrimSuffix(name, "_total")] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sums
}

func TestReloadsAreAllOrNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, scenarioText("s", "10/s", url, ""))
	var logs syncBuffer
	o := options(file, &logs)
	o.WatchInterval = 10 * time.Millisecond
	hangups := make(chan os.Signal, 1)
	o.Hangups = hangups
	r := startApp(t, o)

	writeConfig(t, file, scenarioText("s", "20/s", url, ""), scenarioText("t", "1/s", url, ""))
	r.eventually(t, `traffic_target_rate{scenario="s"} 20`)
	r.eventually(t, `traffic_target_rate{scenario="t"} 1`)

	writeConfig(t, file, scenarioText("s", "fast", url, ""))
	r.eventually(t, "traffic_config_last_reload_successful 0")
	r.eventually(t, `traffic_target_rate{scenario="s"} 20`)
	hangups <- syscall.SIGHUP
	eventually(t, func() bool { return strings.Count(logs.String(), "reload failed") == 2 },
		"the bad file is reported once for the change and once for the signal")
	if err := r.app.reloader.Reload(); err == nil || !strings.Contains(err.Error(), file+":3:11: ") {
		t.Errorf("reload: %v, want an error with the place", err)
	}

	writeConfig(t, file, scenarioText("t", "1/s", url, ""))
	r.eventually(t, "traffic_config_last_reload_successful 1")
	if _, body := r.get(t, "/metrics"); strings.Contains(body, `scenario="s"`) {
		t.Error("the removed scenario still has series")
	}
	if n := strings.Count(logs.String(), "reload failed"); n != 3 {
		t.Errorf("%d failed reloads in the log, want 3: one a change and one a request", n)
	}
}

func TestAMissingFileIsABadReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, scenarioText("s", "10/s", url, ""))
	o := options(file, io.Discard)
	o.WatchInterval = 10 * time.Millisecond
	r := startApp(t, o)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	r.eventually(t, "traffic_config_last_reload_successful 0")
	writeConfig(t, file, scenarioText("s", "10/s", url, ""))
	r.eventually(t, "traffic_config_last_reload_successful 1")
}

func TestABadStartReportsWhyAndStartsNothing(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	writeConfig(t, good, scenarioText("s", "10/s", url, ""))
	writeConfig(t, bad, scenarioText("s", "10/s", "https://127.0.0.1:1/", "    http_config: {tls_config: {ca_file: /nowhere/ca.pem}}\n"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()

	taken := options(good, io.Discard)
	taken.Web.WebListenAddresses = &[]string{l.Addr().String()}
	for name, tc := range map[string]struct {
		o    Options
		want string
	}{
		"no file":         {options(filepath.Join(dir, "none.yaml"), io.Discard), "none.yaml"},
		"no certificate":  {options(bad, io.Discard), "/nowhere/ca.pem"},
		"an address used": {taken, l.Addr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Run(t.Context(), tc.o); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("run: %v, want an error with %q", err, tc.want)
			}
		})
	}
}
