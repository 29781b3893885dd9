package app

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/demo"
	"github.com/traffic-exporter/traffic_exporter/internal/demo/demotest"
	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
)

// hanging reads files unless they hang.
type hanging struct {
	hang atomic.Pointer[chan struct{}]
	// reads is how many reads have begun.
	reads atomic.Int64
}

func (h *hanging) read(file string, limit int) ([]byte, error) {
	h.reads.Add(1)
	if hang := h.hang.Load(); hang != nil {
		<-*hang
	}
	return reloading.Read(file, limit)
}

func TestAConfigurationThatHangsHoldsUpNobody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, scenarioText("s", "10/s", url, ""))
	var logs syncBuffer
	var files hanging
	o := options(file, &logs)
	o.EnableControl, o.WatchInterval, o.read = true, 10*time.Millisecond, files.read
	hangups := make(chan os.Signal, 1)
	o.Hangups = hangups
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	a.reloader.patience = 100 * time.Millisecond
	r := runApp(t, a)
	hang := make(chan struct{})
	files.hang.Store(&hang)

	writeConfig(t, file, scenarioText("s", "20/s", url, ""))
	r.eventually(t, "traffic_config_last_reload_successful 0")
	for range 3 {
		if code, body := r.post(t, "/-/reload"); code != http.StatusInternalServerError || !strings.Contains(body, "another reload has not ended for 100ms") {
			t.Errorf("reload: %d %s", code, body)
		}
	}
	if code, _, message := r.ask(t, "PUT", overridePath, `{"rate": "30/s", "for": "1h", "reason": "test", "by": "me"}`); code != http.StatusOK {
		t.Errorf("override: %d %s", code, message)
	}
	for _, path := range []string{"/-/ready", "/config", "/api/v1/scenarios"} {
		if code, body := r.get(t, path); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if n := strings.Count(logs.String(), "the configuration cannot be read"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, logs.String())
	}
	hangups <- syscall.SIGHUP
	eventually(t, func() bool { return strings.Contains(logs.String(), "SIGHUP") }, "the signal is taken")

	// When the file responds again all is as the file says.
	files.hang.Store(nil)
	close(hang)
	r.eventually(t, "traffic_config_last_reload_successful 1")
	eventually(t, func() bool { return a.reloader.current().Hash == hashOf(t, file) }, "the file is applied")
}

// hashOf returns the hash that the configuration in a file has.
func hashOf(t *testing.T, file string) string {
	t.Helper()
	cfg, err := load(file, onlyRecordings())
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Hash
}

func TestAStopDoesNotWaitForAConfigurationThatHangs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, scenarioText("s", "10/s", url, ""))
	var files hanging
	hang := make(chan struct{})
	defer close(hang)
	o := options(file, io.Discard)
	o.WatchInterval, o.read = time.Millisecond, files.read
	files.hang.Store(&hang)
	r := startApp(t, o)
	eventually(t, func() bool { return files.reads.Load() > 0 }, "the file is looked at")
	if err := r.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if n := files.reads.Load(); n != 1 {
		t.Errorf("%d reads hang, want 1", n)
	}
}

func TestAReloadGoesOnWhenNobodyWaitsForItAnyMore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, scenarioText("s", "10/s", url, ""))
	var files hanging
	o := options(file, io.Discard)
	o.read = files.read
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	a.reloader.patience = 50 * time.Millisecond
	r := runApp(t, a)
	hang := make(chan struct{})
	files.hang.Store(&hang)
	writeConfig(t, file, scenarioText("s", "20/s", url, ""))
	if code, body := r.post(t, "/-/reload"); code != http.StatusInternalServerError || !strings.Contains(body, "goes on in the background") {
		t.Errorf("reload: %d %s", code, body)
	}
	close(hang)
	r.eventually(t, `traffic_target_rate{scenario="s"} 20`)
	r.eventually(t, "traffic_config_last_reload_successful 1")
}

// slowLog is a log in which one message takes its time.
type slowLog struct {
	message string
	takes   time.Duration
	// on turns the slowness on.
	on atomic.Bool
}

func (l *slowLog) Write(p []byte) (int, error) {
	if l.on.Load() && bytes.Contains(p, []byte(l.message)) {
		time.Sleep(l.takes)
	}
	return len(p), nil
}

func TestTheOutcomeOfAReloadHasTheLastWord(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, scenarioText("s", "10/s", url, ""))
	logs := slowLog{message: "configuration applied", takes: 500 * time.Millisecond}
	a, err := New(options(file, &logs))
	if err != nil {
		t.Fatal(err)
	}
	a.reloader.patience = 250 * time.Millisecond
	r := runApp(t, a)
	logs.on.Store(true)
	writeConfig(t, file, scenarioText("s", "20/s", url, ""))
	if code, body := r.post(t, "/-/reload"); code != http.StatusInternalServerError {
		t.Errorf("reload: %d %s", code, body)
	}
	r.eventually(t, `traffic_target_rate{scenario="s"} 20`)
	eventually(t, func() bool { return len(a.reloader.turn) == 0 }, "the reload ends")
	r.eventually(t, "traffic_config_last_reload_successful 1")
}

func TestPipesAreNotRead(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := New(options(pipe, io.Discard)); err == nil || !strings.Contains(err.Error(), "found a pipe, expected a regular file") {
		t.Errorf("a pipe as the configuration: %v", err)
	}
	writeConfig(t, file, scenarioText("s", "1/s", url, "    http_config: {authorization: {credentials_file: pipe}}\n"))
	if _, err := New(options(file, io.Discard)); err == nil || !strings.Contains(err.Error(), "found a pipe, expected a regular file") {
		t.Errorf("a pipe with a credential: %v", err)
	}
	if err := Check(&bytes.Buffer{}, []string{file}); err == nil || !strings.Contains(err.Error(), "found a pipe, expected a regular file") {
		t.Errorf("check of a pipe with a credential: %v", err)
	}
}

func TestACredentialThatBecomesAPipeStaysAsItWas(t *testing.T) {
	dir := t.TempDir()
	file, password := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := demotest.Start(t, demo.Options{})
	writeConfig(t, file, scenarioText("s", "50/s", "http://"+addr+"/", "    http_config: {basic_auth: {username: u, password_file: password}}\n"))
	r := startApp(t, options(file, io.Discard))
	r.eventually(t, `traffic_requests_total{code="200",request="get",scenario="s"}`)
	if err := os.Remove(password); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(password, 0o600); err != nil {
		t.Skip(err)
	}
	eventually(t, func() bool { return gather(t, r.app, "traffic_file_reload_")["failures"] > 0 }, "the failure is counted")
	before := gather(t, r.app, "traffic_slots_")["finished"]
	eventually(t, func() bool { return gather(t, r.app, "traffic_slots_")["finished"] > before+20 }, "requests go on")
	if n := gather(t, r.app, "traffic_request_")["failures"]; n != 0 {
		t.Errorf("%v requests failed", n)
	}
}

func TestAWebConfigurationThatCannotBeReadIsSeen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, web := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "web.yaml")
	writeConfig(t, file, scenarioText("s", "10/s", url, ""))
	change := func(content string) {
		t.Helper()
		if err := os.WriteFile(web, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change("")
	o := options(file, io.Discard)
	o.Web.WebConfigFile = &web
	r := startApp(t, o)
	r.eventually(t, "traffic_web_config_last_reload_successful 1")
	change("nonsense: true")
	r.eventually(t, "traffic_web_config_last_reload_successful 0")
	change("")
	r.eventually(t, "traffic_web_config_last_reload_successful 1")
}
