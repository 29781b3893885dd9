//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// flatOutRate is a rate that no machine can send, in requests a second: what cannot be
// sent is dropped and counted.
const flatOutRate = 200_000

// exporter is the daemon of this project, with its defaults or without what it adds to
// requests. It never ends by itself, and reports its work by its metrics.
type exporter struct {
	path string
	// bare leaves out the headers that others do not send, either.
	bare bool
	// pacing is another than the default.
	pacing string
	// inFlight is how many requests may be unanswered; 0 for the suite's choice.
	inFlight int
}

var _ tool = (*exporter)(nil)

// Name implements tool.
func (e *exporter) Name() string {
	switch {
	case e.bare:
		return "traffic_exporter, bare"
	case e.pacing != "":
		return "traffic_exporter, " + e.pacing
	}
	return "traffic_exporter"
}

// Command implements tool. The file with the port is read by metricsURL.
func (e *exporter) Command(j job) ([]string, error) {
	if e.pacing != "" && j.Rate == flatOut {
		return nil, unsupported("paces nothing flat out")
	}
	port, err := freeport.Next()
	if err != nil {
		return nil, err
	}
	if j.Protocol == calls {
		if _, err := j.inDir("bench.proto", benchProto); err != nil {
			return nil, err
		}
	}
	file := filepath.Join(j.Dir, "config.yaml")
	if err := os.WriteFile(file, []byte(e.config(j)), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(j.Dir, "address"), fmt.Appendf(nil, "127.0.0.1:%d", port), 0o600); err != nil {
		return nil, err
	}
	return []string{e.path, "--config.file=" + file, fmt.Sprintf("--web.listen-address=127.0.0.1:%d", port), "--log.level=warn"}, nil
}

// config returns the file for a job. What it does not say has its default.
func (e *exporter) config(j job) string {
	rate, inFlight := float64(j.Rate), maxInFlight
	switch {
	case j.Rate == flatOut:
		rate, inFlight = flatOutRate, j.connections()
	case e.inFlight > 0:
		inFlight = e.inFlight
	}
	var b strings.Builder
	fmt.Fprintf(&b, "scenarios:\n  - name: bench\n    rate: %v/s\n", rate)
	if e.pacing != "" {
		fmt.Fprintf(&b, "    pacing: %s\n", e.pacing)
	}
	fmt.Fprintf(&b, "    limits: {max_in_flight: %d}\n    http_config:\n      keep_alive: true\n", inFlight)
	switch j.Protocol {
	case http1:
		b.WriteString("      protocol: http1\n")
	case https1:
		b.WriteString("      protocol: http1\n      tls_config: {insecure_skip_verify: true}\n")
	case h2c:
		b.WriteString("      protocol: h2c\n")
	case calls:
	case h2:
		b.WriteString("      protocol: http2\n      tls_config: {insecure_skip_verify: true}\n")
	}
	if e.bare {
		b.WriteString("      slot_header: false\n      traceparent: none\n")
	}
	if j.Protocol == calls {
		b.WriteString("    grpc_config: {proto_files: [bench.proto]}\n")
		fmt.Fprintf(&b, "    requests: [{name: call, url: %q, body: {message: {text: %s}}}]\n", "grpc"+strings.TrimPrefix(j.URL, "http"), callName)
		return b.String()
	}
	fmt.Fprintf(&b, "    requests: [{name: get, url: %q}]\n", j.URL)
	return b.String()
}

// metrics asks the exporter that does the job for its metrics.
func (e *exporter) metrics(ctx context.Context, j job) (metrics, error) {
	address, err := os.ReadFile(filepath.Join(j.Dir, "address"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return scrape(ctx, "http://"+string(address)+"/metrics")
}

// profile has the exporter that does the job write a profile of its processor time to a file.
func (e *exporter) profile(ctx context.Context, j job, during time.Duration, path string) error {
	address, err := os.ReadFile(filepath.Join(j.Dir, "address"))
	if err != nil {
		return err
	}
	seconds := max(1, int(during.Seconds()))
	ctx, cancel := context.WithTimeout(ctx, during+10*time.Second)
	defer cancel()
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", address, seconds)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("found the status %s", response.Status)
	}
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	return os.WriteFile(path, content, 0o600)
}

// Reported implements tool. All that the exporter reports is in its metrics.
func (e *exporter) Reported(context.Context, job, []byte) (reported, error) { return reported{}, nil }

// ledger is what the exporter has counted between two scrapes.
type ledger struct {
	Finished int `json:"finished"`
	Failed   int `json:"failed"`
	Dropped  int `json:"dropped"`
	// Seconds is the time between the scrapes.
	Seconds float64 `json:"seconds"`
	// DelayP50 and DelayP99 are those of traffic_send_delay_seconds.
	DelayP50 time.Duration `json:"delay_p50"`
	DelayP99 time.Duration `json:"delay_p99"`
}

func newLedger(from, to metrics, between time.Duration) ledger {
	delta := func(name string) int { return int(to.sum(name) - from.sum(name)) }
	delay := to.histogram("traffic_send_delay_seconds").minus(from.histogram("traffic_send_delay_seconds"))
	return ledger{
		Finished: delta("traffic_slots_finished_total"),
		Failed:   delta("traffic_request_failures_total"),
		Dropped:  delta("traffic_slots_dropped_total"),
		Seconds:  between.Seconds(),
		DelayP50: seconds(delay.quantile(0.5)),
		DelayP99: seconds(delay.quantile(0.99)),
	}
}
