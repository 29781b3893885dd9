package examples

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"gopkg.in/yaml.v3"
)

// patience is how long a test waits for what should happen soon.
const patience = time.Minute

// setup is how an example is run.
type setup struct {
	// file is the configuration.
	file string
	// origin is that of the file's URLs; the test's server takes its place.
	origin, server string
	// rates are the scenarios', in their order.
	rates []string
	// visits is how often each entry has to succeed.
	visits float64
	// lists are how long lists are that are captured, by name, where all of one is repeated.
	lists map[string]int
}

// run runs an example until each of its steps was sent and each of its entries succeeded
// as often as it has to. Then nothing may have failed.
func run(t *testing.T, s setup) {
	t.Helper()
	text := s.text(t)
	parsed := parse(t, text)
	want := parsed.entries(t)
	p := start(t, text, filepath.Dir(s.file))
	seen := observe(t, p.addr)
	var got metrics
	var missing []string
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		got = p.scrape(t)
		if missing = want.missing(got, s.visits); len(missing) == 0 {
			break
		}
		if time.Now().After(deadline) || got.sum("traffic_request_failures_total") > 20 {
			t.Errorf("these were not sent, or not often enough: %s", strings.Join(missing, ", "))
			break
		}
	}
	for _, name := range []string{"traffic_request_failures_total", "traffic_check_failures_total", "traffic_steps_skipped_total", "traffic_requests_withheld_total"} {
		// An end that is no failure leaves steps out.
		if n := got.sum(name); n > 0 && (name != "traffic_steps_skipped_total" || !strings.Contains(text, "otherwise: end")) {
			t.Errorf("%s is %v", name, n)
		}
	}
	for _, outcome := range []string{"failure", "withheld", "canceled"} {
		if n := got.sum("traffic_journey_duration_seconds", "outcome", outcome); n > 0 {
			t.Errorf("%v journeys ended by %s", n, outcome)
		}
	}
	due, rest := got.sum("traffic_slots_due_total"), got.sum("traffic_slots_finished_total")+got.sum("traffic_slots_dropped_total")+got.sum("traffic_slots_in_flight")
	if due != rest || due == 0 {
		t.Errorf("%v slots are due, but %v finished, dropped or in flight", due, rest)
	}
	seen.gather(t, s.visits)
	rows := parsed.rows()
	maps.Copy(rows, s.lists)
	seen.check(t, parsed, rows, !strings.Contains(text, "otherwise: end"))
	p.stop(t)
	if t.Failed() {
		t.Logf("the exporter says:\n%s", p.log.String())
	}
	t.Logf("%v slots, %v requests", got.sum("traffic_slots_finished_total"), got.sum("traffic_request_duration_seconds"))
}

// text returns the configuration with the test's server and rates, and with a millisecond for
// each second of a pause.
func (s setup) text(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	if !strings.Contains(text, s.origin) {
		t.Fatalf("%s does not name %s", s.file, s.origin)
	}
	text = strings.ReplaceAll(text, s.origin, s.server)
	text = regexp.MustCompile(`pause: .*`).ReplaceAllStringFunc(text, func(line string) string {
		return regexp.MustCompile(`\b(\d+)s\b`).ReplaceAllString(line, "${1}ms")
	})
	// A busy machine is no mistake.
	text = regexp.MustCompile(`within: \d+s`).ReplaceAllString(text, "within: 15s")
	rates := slices.Clone(s.rates)
	text = regexp.MustCompile(`(?m)^    rate: .*$`).ReplaceAllStringFunc(text, func(string) string {
		if len(rates) == 0 {
			t.Fatalf("%s has more scenarios than %d", s.file, len(s.rates))
		}
		// Slots that a busy machine sends late are no mistake either.
		line := "    rate: " + rates[0] + "\n    limits: {late_after: 20s}"
		rates = rates[1:]
		return line
	})
	if len(rates) > 0 {
		t.Fatalf("%s has no scenario for the rates %v", s.file, rates)
	}
	return text
}

// entries are what a configuration sends: requests by scenario, and journeys.
type entries struct{ requests, journeys [][2]string }

// file is a configuration as it is written, so that the requests are compared with it.
type file struct {
	Data      map[string]struct{ Rows []any }
	Scenarios []scenario
}

// scenario is one of a file.
type scenario struct {
	Name     string
	Requests []map[string]any
}

func parse(t *testing.T, text string) file {
	t.Helper()
	var f file
	if err := yaml.Unmarshal([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// rows returns how many rows there are of data that the file has itself.
func (f file) rows() map[string]int {
	rows := map[string]int{}
	for name, d := range f.Data {
		rows[name] = len(d.Rows)
	}
	return rows
}

// entries returns what the file sends.
func (f file) entries(t *testing.T) entries {
	t.Helper()
	var all entries
	for _, sc := range f.Scenarios {
		for _, r := range sc.Requests {
			name := fmt.Sprint(r["name"])
			if r["steps"] == nil {
				all.requests = append(all.requests, [2]string{sc.Name, name})
				continue
			}
			all.journeys = append(all.journeys, [2]string{sc.Name, name})
			for _, step := range stepsOf(r["steps"]) {
				all.requests = append(all.requests, [2]string{sc.Name, name + "/" + step})
			}
		}
	}
	if len(all.requests) == 0 {
		t.Fatal("the file sends nothing")
	}
	return all
}

// stepsOf returns the names of the requests in a list of steps.
func stepsOf(v any) []string {
	var names []string
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			names = append(names, stepsOf(one)...)
		}
	case map[string]any:
		if v["url"] != nil {
			return []string{fmt.Sprint(v["name"])}
		}
		names = append(stepsOf(v["steps"]), stepsOf(v["choose"])...)
	}
	return names
}

// missing returns the entries that were not sent yet.
func (e entries) missing(m metrics, visits float64) []string {
	var names []string
	for _, r := range e.requests {
		if m.sum("traffic_request_duration_seconds", "scenario", r[0], "request", r[1]) == 0 {
			names = append(names, r[0]+" "+r[1])
		}
	}
	for _, j := range e.journeys {
		if n := m.sum("traffic_journey_duration_seconds", "scenario", j[0], "journey", j[1], "outcome", "success"); n < visits {
			names = append(names, fmt.Sprintf("%s %s (%v times)", j[0], j[1], n))
		}
	}
	if n := m.sum("traffic_slots_finished_total"); n < visits {
		names = append(names, fmt.Sprintf("%v slots", n))
	}
	return names
}

// metrics is one scrape.
type metrics map[string]*dto.MetricFamily

// sum adds up the series of a metric that have these labels, histograms by their counts.
func (m metrics) sum(name string, labels ...string) float64 {
	sum := 0.0
	for _, series := range m[name].GetMetric() {
		if carries(series, labels) {
			sum += series.GetCounter().GetValue() + series.GetGauge().GetValue() + float64(series.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

func carries(series *dto.Metric, labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		if !slices.ContainsFunc(series.GetLabel(), func(l *dto.LabelPair) bool {
			return l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}) {
			return false
		}
	}
	return true
}

// process is a running exporter.
type process struct {
	cmd  *exec.Cmd
	done chan error
	log  *buffer
	addr string
}

// start runs the exporter with a configuration, and with the files beside it, until the end of
// the test. The environment has these variables, too.
func start(t *testing.T, text, beside string, variables ...string) *process {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(beside)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "run.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &process{log: &buffer{}, done: make(chan error, 1)}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), exporter(), "--config.file="+file, "--web.listen-address=127.0.0.1:0")
	p.cmd.Env = append(os.Environ(), variables...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // It has ended by then, unless the test is broken off.
	listens := regexp.MustCompile(`msg="Listening on" address=(\S+)`)
	for deadline := time.Now().Add(patience); p.addr == ""; time.Sleep(10 * time.Millisecond) {
		if found := listens.FindStringSubmatch(p.log.String()); found != nil {
			p.addr = found[1]
		}
		if time.Now().After(deadline) || len(p.done) > 0 {
			t.Fatalf("the exporter does not listen:\n%s", p.log.String())
		}
	}
	return p
}

// scrape reads the metrics.
func (p *process) scrape(t *testing.T) metrics {
	t.Helper()
	resp, err := http.Get("http://" + p.addr + "/metrics")
	if err != nil {
		t.Fatalf("%v\n%s", err, p.log.String())
	}
	defer func() { _ = resp.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// stop ends the exporter, which lets its journeys end first.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.done:
		if err != nil {
			t.Errorf("the exporter ends with %v:\n%s", err, p.log.String())
		}
	case <-time.After(patience):
		t.Errorf("the exporter does not end:\n%s", p.log.String())
	}
}

// buffer takes what a process prints.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

var _ io.Writer = (*buffer)(nil)

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
