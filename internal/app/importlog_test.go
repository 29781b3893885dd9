package app

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/logtest"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/workload"
)

// importLog imports logs with these contents and returns the configuration's file and the log.
func importLog(t *testing.T, o ImportLogOptions, contents ...[]byte) (file, logged string, err error) {
	t.Helper()
	dir := t.TempDir()
	for i, content := range contents {
		name := filepath.Join(dir, string(rune('a'+i))+".log")
		if err = os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		o.Files = append(o.Files, name)
	}
	var log, out bytes.Buffer
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	o.Name, o.BaseURL, o.Output = "shop", "http://shop.staging.example", filepath.Join(dir, "shop.yaml")
	err = ImportLog(context.Background(), &out, o)
	return o.Output, log.String(), err
}

func TestALogBecomesItsMixAndItsRate(t *testing.T) {
	t.Parallel()
	const lines = 100_000
	var log bytes.Buffer
	z := gzip.NewWriter(&log)
	if err := logtest.Write(z, lines, 1); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	file, logged, err := importLog(t, ImportLogOptions{Options: workload.Options{MinShare: 0.1}}, log.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(logged, "line left out"); n != maxReports {
		t.Errorf("%d broken lines are reported, expected %d", n, maxReports)
	}
	var out bytes.Buffer
	if err = Check(&out, []string{file}); err != nil {
		t.Fatal(err)
	}
	cfg, err := logtest.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	scenario := cfg.Scenarios[0]
	if off, name := logtest.WorstWeight(scenario.Requests); off > 0.01 {
		t.Errorf("the weight of %s is off by %.2f %%", name, 100*off)
	}
	if off, at := logtest.WorstRate(scenario.Timeline(), lines, time.Hour); off > 0.05 {
		t.Errorf("the rate of %s is off by %.2f %%", at.Format("Mon 15:04"), 100*off)
	}
}

// line returns a line of the format combined.
func line(at time.Time, request string) string {
	return "192.0.2.7 - - [" + at.Format("02/Jan/2006:15:04:05 -0700") + `] "` + request + ` HTTP/1.1" 200 5 "-" "curl/8.5.0"` + "\n"
}

func TestSeveralLogsAreOne(t *testing.T) {
	t.Parallel()
	var compressed bytes.Buffer
	z, err := zstd.NewWriter(&compressed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = z.Write([]byte(line(logtest.Monday(), "GET /a"))); err != nil {
		t.Fatal(err)
	}
	if err = z.Close(); err != nil {
		t.Fatal(err)
	}
	json := `{"ts":1772409601,"request":{"method":"GET","host":"shop.example","uri":"/b"},"status":200}` + "\r\n"
	long := strings.Repeat("x", 2<<20) + "\n"
	last := strings.TrimSuffix(line(logtest.Monday().Add(2*time.Second), "GET /c"), "\n")
	file, logged, err := importLog(t, ImportLogOptions{}, compressed.Bytes(), []byte(json), []byte("# comment\n\n"+long+last))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"url: /a", "url: /b", "url: /c", "From 4 lines of access logs; 1 could not be read.", "# 3 requests from 2026-03-02T00:00:00Z to 2026-03-02T00:00:02Z", "rate: 1/s"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	if !strings.Contains(logged, "c.log") || !strings.Contains(logged, "line=3") || !strings.Contains(logged, "longer than 1 MiB") {
		t.Errorf("logged %s", logged)
	}
}

func TestLogsThatCannotBeImportedAreRefused(t *testing.T) {
	t.Parallel()
	good := []byte(line(logtest.Monday(), "GET /a"))
	var short bytes.Buffer
	z := gzip.NewWriter(&short)
	if _, err := z.Write(bytes.Repeat(good, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o       ImportLogOptions
		content []byte
		want    string
	}{
		"nothing":             {content: nil, want: "none of the first 0 lines has a format"},
		"no log":              {content: []byte("hello\nworld\n"), want: "--format"},
		"another format":      {o: ImportLogOptions{Format: "json"}, content: good, want: "found no requests that count in 1 line"},
		"a bad format":        {o: ImportLogOptions{Format: "$status"}, content: good, want: "--format"},
		"a bad time zone":     {o: ImportLogOptions{TimeZone: "Mars"}, content: good, want: "--time-zone"},
		"a host that is none": {o: ImportLogOptions{Filter: workload.Filter{Hosts: []string{"a"}}}, content: good, want: "found no requests"},
		"a cut archive":       {content: short.Bytes()[:short.Len()-12], want: "unexpected EOF"},
	} {
		file, _, err := importLog(t, c.o, c.content)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: found the error %v, expected %s", name, err, c.want)
		}
		if _, err = os.Stat(file); err == nil {
			t.Errorf("%s: a configuration is written", name)
		}
	}
}
