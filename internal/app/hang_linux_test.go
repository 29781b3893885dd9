package app

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/demo"
	"github.com/traffic-exporter/traffic_exporter/internal/demo/demotest"
	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
	"github.com/traffic-exporter/traffic_exporter/test/hangfs"
)

// manyFiles writes a configuration that names files of all kinds in a folder of their own.
func manyFiles(t *testing.T, target string) (config, folder string) {
	t.Helper()
	dir := t.TempDir()
	folder = filepath.Join(dir, "files")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"d.csv": "a\n1\n", "body": "b", "user": "u", "password": "p", "v": "v"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config = filepath.Join(dir, "config.yaml")
	rewrite(t, config, target, "50/s")
	return config, folder
}

// rewrite writes that configuration with another rate.
func rewrite(t *testing.T, config, target, rate string) {
	t.Helper()
	text := `data: {d: {file: files/d.csv}}
scenarios:
  - name: s
    rate: ` + rate + `
    http_config: {basic_auth: {username_file: files/user, password_file: files/password}}
    variables: {row: {row: d}, v: {file: files/v}}
    requests:
      - {name: file, method: POST, url: "` + target + `", body: {file: files/body}}
      - {name: row, url: "` + target + `{{ row.a }}", headers: {A: "{{ v }}"}}
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFileSystemThatHangsHoldsUpNothingThatRuns(t *testing.T) {
	t.Parallel()
	target := "http://" + demotest.Start(t, demo.Options{}) + "/"
	config, folder := manyFiles(t, target)
	var logs syncBuffer
	r := startApp(t, options(config, &logs))
	finished := func() float64 { return gather(t, r.app, "traffic_slots_")["finished"] }
	eventually(t, func() bool { return finished() > 0 }, "requests are sent")

	hangfs.Over(t, folder)
	rewrite(t, config, target, "60/s")
	begin := time.Now()
	code, body := r.post(t, "/-/reload")
	if took := time.Since(begin); code != http.StatusInternalServerError || took > reloadPatience+time.Second || !strings.Contains(body, "no response from the file system") {
		t.Errorf("reload: %d after %v: %s", code, took, body)
	}
	r.eventually(t, "traffic_config_last_reload_successful 0")
	r.eventually(t, `traffic_target_rate{scenario="s"} 50`)
	for _, path := range []string{"/-/healthy", "/-/ready", "/metrics", "/config", "/api/v1/scenarios"} {
		if code, body := r.get(t, path); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	before := finished()
	eventually(t, func() bool { return finished() > before+50 }, "requests go on")
	if n := gather(t, r.app, "traffic_request_")["failures"]; n != 0 {
		t.Errorf("%v requests failed", n)
	}
	eventually(t, func() bool { return gather(t, r.app, "traffic_file_reload_")["failures"] > 0 }, "the failure is counted")
	begin = time.Now()
	if err := r.stop(); err != nil || time.Since(begin) > 10*time.Second {
		t.Errorf("stop: %v after %v", err, time.Since(begin))
	}
}

func TestAStartAndACheckDoNotWaitForEachFileThatHangs(t *testing.T) {
	t.Parallel()
	config, folder := manyFiles(t, url)
	hangfs.Over(t, folder)
	begin := time.Now()
	_, start := New(options(config, io.Discard))
	for what, err := range map[string]error{"start": start, "check": Check(io.Discard, []string{config})} {
		if err == nil || !strings.Contains(err.Error(), `"files/password", which cannot be read: no response from the file system`) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if took := time.Since(begin); took > 2*(reloading.Patience+3*time.Second) {
		t.Errorf("both took %v", took)
	}
}
