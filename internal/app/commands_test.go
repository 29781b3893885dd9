package app

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"

	"github.com/traffic-exporter/traffic_exporter/internal/demo"
	"github.com/traffic-exporter/traffic_exporter/internal/demo/demotest"
)

// syncBuffer is a buffer for a writer and a reader at a time.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func eventually(t *testing.T, ok func() bool, what string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come true: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestCheckListsTheErrorsOfAllFiles(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	writeConfig(t, good, scenarioText("s", "10/s", url, ""), scenarioText("t", "1/s", url, ""))
	writeConfig(t, bad, scenarioText("s", "fast", url, "    colour: red\n"))
	var out bytes.Buffer
	err := Check(&out, []string{bad, good, filepath.Join(dir, "none.yaml")})
	if got, want := out.String(), good+": ok, 2 scenarios\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	for _, want := range []string{bad + ":3:11: ", bad + ":5:5: ", "none.yaml"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

func TestPreviewDrawsTheDay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file,
		scenarioText("berlin", `{daily: [{at: "00:00", rate: 0/s}, {at: "12:00", rate: 80/s}]}`, url, "    time_zone: Europe/Berlin\n"),
		scenarioText("slow", "10/h", url, ""))
	var out bytes.Buffer
	if err := Preview(&out, PreviewOptions{File: file, From: time.Date(2026, 6, 14, 22, 0, 0, 0, time.UTC)}); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"berlin: uniform arrivals, peak 80/s at 12:00:00 CEST, 3,456,000 slots in 24 h",
		"slow: uniform arrivals, peak 10/h at 22:00:00 UTC, 240 slots in 24 h",
		"In all 3,456,240 slots in 24 h (40/s)",
		"00:00    03:00    06:00    09:00    12:00    15:00    18:00    21:00\n",
		" series (",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	lines := strings.Split(text, "\n")
	// The highest bar stands at noon, in the middle of the 72 columns.
	top := []rune(strings.SplitN(lines[2], "┤", 2)[1])
	if len(top) < 37 || top[36] != '█' || strings.TrimSpace(string(top[:30])) != "" {
		t.Errorf("the top row is %q", string(top))
	}
}

// TestPreviewShowsAMinute has a spike of a minute in a day, and in a week, by all formats.
func TestPreviewShowsAMinute(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file,
		scenarioText("spiky", `{weekly: [{at: mon 09:00, rate: 100/s}, {at: sat 00:00, rate: 20/s}]}`, url, ""),
		scenarioText("minute", `{spikes: {base: 5/s, peak: 50/s, every: 24h, lasting: 1m}}`, url, ""))
	preview := func(o PreviewOptions) string {
		t.Helper()
		o.File, o.Scenario, o.From = file, "minute", time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC)
		var out bytes.Buffer
		if err := Preview(&out, o); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, length := range []time.Duration{24 * time.Hour, 7 * 24 * time.Hour} {
		text := preview(PreviewOptions{For: length})
		if top := strings.Split(text, "\n")[2]; strings.Count(top, "░") != int(length/(24*time.Hour)) {
			t.Errorf("the top row of %s is %q", length, top)
		}
		if strings.Contains(text, "spiky") {
			t.Errorf("another scenario is drawn:\n%s", text)
		}
	}
	var decoded struct {
		Scenarios []struct {
			Name    string
			Slots   uint64
			Columns []struct{ Mean, Low, High float64 }
		}
	}
	if err := json.Unmarshal([]byte(preview(PreviewOptions{Format: PreviewJSON})), &decoded); err != nil {
		t.Fatal(err)
	}
	s := decoded.Scenarios[0]
	spikes := 0
	for _, c := range s.Columns {
		if c.Low == 5 && c.High == 50 {
			spikes++
		}
	}
	if s.Name != "minute" || len(s.Columns) != 72 || spikes != 1 || s.Slots < 5*86400 {
		t.Errorf("as JSON it has %d columns, %d with the spike: %+v", len(s.Columns), spikes, s)
	}
	svg := preview(PreviewOptions{Format: PreviewSVG})
	if err := xml.Unmarshal([]byte(svg), new(struct {
		XMLName xml.Name `xml:"svg"`
	})); err != nil || !strings.Contains(svg, "<polygon") || !strings.Contains(svg, ">minute<") {
		t.Errorf("as SVG: %v\n%s", err, svg)
	}
	if err := Preview(io.Discard, PreviewOptions{File: file, Scenario: "other", From: time.Now()}); err == nil || !strings.Contains(err.Error(), `no scenario "other": there is spiky, minute`) {
		t.Errorf("a scenario that is not there: %v", err)
	}
}

func TestPreviewSaysWhatLoginsCost(t *testing.T) {
	for session, want := range map[string]string{
		`{renew_after: 1h, steps: [{name: login, url: /login}]}`:                                                           "Logins in each replica: 1 every 1h, requests at 1/h on average.",
		`{for: n, renew_after: 30m, steps: [{name: form, url: /login}, {repeat: 2, steps: [{name: login, url: /login}]}]}`: "Logins in each replica: 9,000 every 30m, requests at 15/s on average.",
		`{for: who, renew_after: 1h, steps: [{name: login, url: /login}]}`:                                                 "Logins in each replica: 3 every 1h, requests at 3/h on average.",
		`{for: listed, renew_after: 1h, steps: [{name: login, url: /login}]}`:                                              "Logins in each replica: 2 every 1h, requests at 2/h on average.",
		`{for: person, renew_after: 1h, steps: [{name: login, url: /login}]}`:                                              "Logins in each replica: one for each row of data every 1h, requests for each: 1.",
	} {
		file := filepath.Join(t.TempDir(), "config.yaml")
		text := `data: {people: {file: people.csv}, few: {rows: [a, b]}}
scenarios:
  - name: s
    rate: 1/s
    base_url: http://127.0.0.1:9871
    variables: {n: {int: {from: 1, to: 9000}}, who: {one_of: [a, b, c]}, person: {row: people}, listed: {row: few}}
    session: ` + session + `
    requests: [{name: r, url: /}]
`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := Preview(&out, PreviewOptions{File: file, From: time.Date(2026, 6, 14, 22, 0, 0, 0, time.UTC)}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestPreviewDrawsWhatIsReplayedAndSaysWhatCannotBeKnown(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "week.csv"), []byte("time,rate\nMon 00:00,10\nMon 12:00,50\nMon 18:00,10\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for rate, want := range map[string]string{
		`{replay: {file: week.csv, by: week}, scale: 2}`:                                            "peak 100/s at 12:00:00 UTC",
		`{follow: {query: up, prometheus: {url: "http://127.0.0.1:9"}, otherwise: 3/s}, max: 50/s}`: "The rate is followed, up to 50/s: this is that of otherwise, while none is found.",
	} {
		file := filepath.Join(dir, "config.yaml")
		if err := os.WriteFile(file, []byte("scenarios:\n"+scenarioText("s", rate, url, "")), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := Preview(&out, PreviewOptions{File: file, From: time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC)}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestRatesAreWrittenInTheUnitThatSuitsThem(t *testing.T) {
	for rate, want := range map[float64]string{
		0: "0/s", 200: "200/s", 59.62: "59.6/s", 1234567: "1234567/s", 1.5: "1.5/s",
		0.5: "30/m", 90.0 / 3600: "1.5/m", 10.0 / 3600: "10/h", 1.0 / 86400: "1/d", 0.1 / 86400: "0.1/d",
	} {
		if got := perSecond(rate); got != want {
			t.Errorf("%v is written %s, want %s", rate, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}

// Examples are whole: check reads their data as well.
func TestTheExamplesPassCheck(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/config.yaml")
	if err != nil || len(files) != 11 {
		t.Fatalf("examples %v, %v", files, err)
	}
	var out bytes.Buffer
	if err := Check(&out, files); err != nil || strings.Count(out.String(), ": ok, ") != len(files) {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestTheRequestOfSendIsSampledUnlessNoneAre(t *testing.T) {
	addr := demotest.Start(t, demo.Options{})
	for share, want := range map[string]string{
		"0.001%": `(?m)^> traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-01$`, "unsampled": `(?m)^> traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00$`,
	} {
		t.Run(share, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.yaml")
			writeConfig(t, file, scenarioText("s", "10/s", "http://"+addr+"/a", "    http_config: {traceparent: "+share+"}\n"))
			var out bytes.Buffer
			if err := Send(t.Context(), &out, SendOptions{File: file}); err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(want).MatchString(out.String()) {
				t.Errorf("got %s, want %s", out.String(), want)
			}
		})
	}
}

func TestSendPrintsTheExchange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	addr := demotest.Start(t, demo.Options{})
	writeConfig(t, file,
		scenarioText("s", "10/s", "http://"+addr+"/a", ""),
		scenarioText("paused", "0/s", "http://"+addr+"/b?status=404", ""))
	for name, tc := range map[string]struct {
		scenario, request string
		want              []string
		fails             string
	}{
		"a success":        {"s", "", []string{"* slot s/", "> GET /a", "> Traffic-Slot: s/", "> Traceparent: 00-", "< HTTP/1.1 200 OK", `"status": 200`}, ""},
		"a failure":        {"paused", "get", []string{"> GET /b", "< HTTP/1.1 404"}, "request failed: status"},
		"unknown scenario": {"x", "", nil, `no scenario "x": there is s, paused`},
		"no scenario":      {"", "", nil, "no scenario is named: there is s, paused"},
		"unknown request":  {"s", "x", nil, `no request "x" in scenario "s": there is get`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := Send(t.Context(), &out, SendOptions{File: file, Scenario: tc.scenario, Request: tc.request})
			if (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("error %v, want %q", err, tc.fails)
			}
			for _, want := range tc.want {
				if !strings.Contains(strings.ToLower(out.String()), strings.ToLower(want)) {
					t.Errorf("no %q in\n%s", want, out.String())
				}
			}
		})
	}
}

func TestSendNeedsNoNameOfTheOnlyScenario(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, scenarioText("only", "10/s", "http://"+demotest.Start(t, demo.Options{})+"/a", ""))
	var out bytes.Buffer
	if err := Send(t.Context(), &out, SendOptions{File: file}); err != nil || !strings.Contains(out.String(), "* slot only/") {
		t.Errorf("error %v\n%s", err, out.String())
	}
}

func TestTheDemoRunsUntilItIsStopped(t *testing.T) {
	none := ""
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out syncBuffer
	done := make(chan error, 1)
	go func() {
		done <- Demo(ctx, &out, DemoOptions{
			Target: TargetOptions{Listen: "127.0.0.1:0", P50: time.Millisecond, P99: 2 * time.Millisecond},
			Web:    &toolkit.FlagConfig{WebListenAddresses: &[]string{"127.0.0.1:0"}, WebConfigFile: &none},
			Logger: slog.New(slog.DiscardHandler),
		})
	}()
	eventually(t, func() bool { return strings.Contains(out.String(), "Ctrl-C ends the demo") }, "the demo says what to open")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("demo: %v", err)
	}
}

func TestABadScriptOfTheTargetIsRefused(t *testing.T) {
	err := Target(t.Context(), &bytes.Buffer{}, TargetOptions{Listen: "127.0.0.1:0", P50: 2, P99: 1}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "target") {
		t.Errorf("target: %v", err)
	}
}
