//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// k6 is go.k6.io/k6.
type k6 struct {
	path string
}

var _ tool = (*k6)(nil)

// k6Script takes the options of the scenario and the URL, both as JSON.
const k6Script = `import http from 'k6/http';

export const options = {
  insecureSkipTLSVerify: true,
  discardResponseBodies: true,
  summaryTrendStats: ['med', 'p(99)'],
  scenarios: { load: %s },
};

export default function () { http.get(%s); }
`

// Name implements tool.
func (k *k6) Name() string { return "k6" }

// Command implements tool.
func (k *k6) Command(j job) ([]string, error) {
	if j.Protocol == h2c {
		return nil, unsupported("knows HTTP/2 over TLS only")
	}
	if j.Protocol == calls {
		return nil, unsupported("is not asked for calls of gRPC here")
	}
	load := map[string]any{"duration": j.duration().String()}
	if j.Rate == flatOut {
		load["executor"] = "constant-vus"
		load["vus"] = j.connections()
	} else {
		load["executor"] = "constant-arrival-rate"
		load["rate"] = j.Rate
		load["timeUnit"] = "1s"
		load["preAllocatedVUs"] = j.connections()
		load["maxVUs"] = maxInFlight
		if j.Stall {
			// While the target stands still there is no time to make more.
			load["preAllocatedVUs"] = maxInFlight
		}
	}
	options, err := json.Marshal(load)
	if err != nil {
		return nil, err
	}
	url, err := json.Marshal(j.URL)
	if err != nil {
		return nil, err
	}
	script := filepath.Join(j.Dir, "load.js")
	if err := os.WriteFile(script, fmt.Appendf(nil, k6Script, options, url), 0o600); err != nil {
		return nil, err
	}
	return []string{k.path, "run", "--quiet", "--no-usage-report", "--address", "", "--summary-export", k.report(j), script}, nil
}

func (k *k6) report(j job) string { return filepath.Join(j.Dir, "k6.json") }

// Reported implements tool.
func (k *k6) Reported(_ context.Context, j job, _ []byte) (reported, error) {
	report, err := os.ReadFile(k.report(j))
	if err != nil {
		return reported{}, err
	}
	return parseK6(report)
}

// parseK6 reads what k6 writes with --summary-export.
func parseK6(report []byte) (reported, error) {
	var r struct {
		Metrics struct {
			Duration struct {
				Median float64 `json:"med"`
				P99    float64 `json:"p(99)"`
			} `json:"http_req_duration"`
			// Of http_req_failed it is a pass that a request has failed.
			Failed struct {
				Passes int `json:"passes"`
			} `json:"http_req_failed"`
		} `json:"metrics"`
	}
	if err := json.Unmarshal(report, &r); err != nil {
		return reported{}, fmt.Errorf("report of k6: %w", err)
	}
	milliseconds := func(ms float64) time.Duration { return seconds(ms / 1000) }
	return reported{P50: milliseconds(r.Metrics.Duration.Median), P99: milliseconds(r.Metrics.Duration.P99), Failed: r.Metrics.Failed.Passes}, nil
}
