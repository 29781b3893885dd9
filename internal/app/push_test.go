package app

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/otlp/otlptest"
)

// traced is a target that keeps the traceparents of requests, by their paths.
type traced struct {
	url string
	mu  sync.Mutex
	// seen has paths by traceparents.
	seen map[string]string
}

func startTraced(t *testing.T) *traced {
	t.Helper()
	target := &traced{seen: map[string]string{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target.mu.Lock()
		defer target.mu.Unlock()
		target.seen[r.Header.Get("Traceparent")] = r.URL.Path
		if r.URL.Path == "/buy" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(s.Close)
	target.url = s.URL
	return target
}

func pushConfig(target, otlp string) string {
	return fmt.Sprintf(`
  - name: shop
    rate: 40/s
    base_url: %s
    http_config: {traceparent: 50%%}
    variables: {id: {int: {from: 1, to: 9}}}
    requests:
      - {name: browse, url: /products}
      - {name: one, url: "/products/{{ id }}"}
      - name: visit
        steps:
          - {name: look, url: /look}
          - {name: buy, method: POST, url: /buy}
%s`, target, otlp)
}

func TestSampledSlotsArePushedAsTheTargetSawThem(t *testing.T) {
	target, receiver := startTraced(t), otlptest.Start(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	block := "otlp:\n  traces: {url: " + receiver.URL + "/v1/traces, http_config: {authorization: {credentials: hush}}}\n"
	writeConfig(t, file, pushConfig(target.url, block))
	r := startApp(t, options(file, io.Discard))
	receiver.Await(t, 40)

	// Without the block nothing more is pushed.
	writeConfig(t, file, pushConfig(target.url, ""))
	if code, body := r.post(t, "/-/reload"); code != http.StatusOK {
		t.Fatal(body)
	}
	n := len(receiver.Spans())
	sent := func() int {
		target.mu.Lock()
		defer target.mu.Unlock()
		return len(target.seen)
	}
	before := sent()
	eventually(t, func() bool { return sent() >= before+40 }, "requests go on")
	if now := len(receiver.Spans()); now != n {
		t.Errorf("%d spans were pushed without a receiver", now-n)
	}
	writeConfig(t, file, pushConfig(target.url, block))
	if code, body := r.post(t, "/-/reload"); code != http.StatusOK {
		t.Fatal(body)
	}
	receiver.Await(t, n+40)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	if got := receiver.Header().Get("Authorization"); got != "Bearer hush" {
		t.Errorf("authorization %q", got)
	}
	spans := receiver.Spans()
	journeys := map[string]bool{}
	for _, s := range spans {
		if s.Name == "visit" {
			journeys[string(s.TraceId)+string(s.SpanId)] = true
		}
	}
	paths := map[string]string{"browse": "/products", "one": "/products/", "visit/look": "/look", "visit/buy": "/buy"}
	names, parented := map[string]int{}, 0
	for i, s := range spans {
		names[s.Name]++
		if s.Name == "visit" {
			continue
		}
		parent := "00-" + hex.EncodeToString(s.TraceId) + "-" + hex.EncodeToString(s.SpanId) + "-01"
		if path, ok := target.seen[parent]; !ok || !strings.HasPrefix(path, paths[s.Name]) {
			t.Fatalf("span %q: the target saw %q with traceparent %s", s.Name, path, parent)
		}
		switch inJourney := strings.HasPrefix(s.Name, "visit/"); {
		case inJourney && journeys[string(s.TraceId)+string(s.ParentSpanId)]:
			parented++
		case inJourney && i >= n: // Before that, the journey may have ended while there was no receiver.
			t.Fatalf("span %q has no journey as its parent", s.Name)
		case !inJourney && len(s.ParentSpanId) > 0:
			t.Fatalf("span %q has the parent %x", s.Name, s.ParentSpanId)
		}
	}
	if parented == 0 {
		t.Error("no span has a journey as its parent")
	}
	for _, name := range []string{"browse", "one", "visit", "visit/look", "visit/buy"} {
		if names[name] == 0 {
			t.Errorf("no span %q among %v", name, names)
		}
	}
	if unsampled := "-00"; !strings.Contains(fmt.Sprint(target.seen), unsampled) {
		t.Error("all requests are sampled, want half of them")
	}
}

func TestMetricsArePushedUntilTheEnd(t *testing.T) {
	target, receiver := startTraced(t), otlptest.Start(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, pushConfig(target.url, "otlp:\n  metrics: {url: "+receiver.URL+"/v1/metrics, every: 1s}\n"))
	r := startApp(t, options(file, io.Discard))
	r.eventually(t, "traffic_otlp_metric_pushes_total 1")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	metrics, pushes := receiver.Pushed()
	if pushes < 2 {
		t.Errorf("%d pushes, want another one at the end", pushes)
	}
	if h := metrics["traffic_request_duration_seconds"].GetExponentialHistogram(); len(h.GetDataPoints()) == 0 {
		t.Errorf("the duration is %v, want an exponential histogram", metrics["traffic_request_duration_seconds"])
	}
	// All has ended when they are pushed for the last time.
	if s := metrics["traffic_slots_finished_total"].GetSum(); len(s.GetDataPoints()) != 1 || s.DataPoints[0].GetAsDouble() == 0 {
		t.Errorf("the finished slots are %v", metrics["traffic_slots_finished_total"])
	}
	if got := receiver.Resource()["service.name"]; got != "traffic_exporter" {
		t.Errorf("the service is %v", got)
	}
}

func TestOTLPThatCannotBeSetUpRefusesTheConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, pushConfig("http://127.0.0.1:1", ""))
	r := startApp(t, options(file, io.Discard))
	writeConfig(t, file, pushConfig("http://127.0.0.1:1", "otlp:\n  traces: {url: https://127.0.0.1:1/v1/traces, http_config: {tls_config: {ca_file: missing.pem}}}\n"))
	if code, body := r.post(t, "/-/reload"); code == http.StatusOK || !strings.Contains(body, "missing.pem") {
		t.Errorf("a missing file: %d %s", code, body)
	}
	r.eventually(t, "traffic_config_last_reload_successful 0")
}
