//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// vegeta is github.com/tsenart/vegeta.
type vegeta struct {
	path string
}

var _ tool = (*vegeta)(nil)

// Name implements tool.
func (v *vegeta) Name() string { return "vegeta" }

// Command implements tool.
func (v *vegeta) Command(j job) ([]string, error) {
	targets := filepath.Join(j.Dir, "targets")
	if err := os.WriteFile(targets, []byte("GET "+j.URL+"\n"), 0o600); err != nil {
		return nil, err
	}
	command := []string{v.path, "attack", "-targets", targets, "-output", v.results(j), "-duration", j.duration().String()}
	if j.Rate == flatOut {
		command = append(command, "-rate", "0", "-max-workers", strconv.Itoa(j.connections()))
	} else {
		command = append(command, "-rate", fmt.Sprintf("%v/1s", float64(j.Rate)), "-max-workers", strconv.Itoa(maxInFlight))
	}
	switch j.Protocol {
	case https1:
		command = append(command, "-insecure", "-http2=false")
	case h2c:
		command = append(command, "-h2c")
	case h2:
		command = append(command, "-insecure")
	case calls:
		return nil, unsupported("makes no calls of gRPC")
	case http1:
	}
	return command, nil
}

func (v *vegeta) results(j job) string { return filepath.Join(j.Dir, "results.bin") }

// Reported implements tool.
func (v *vegeta) Reported(ctx context.Context, j job, _ []byte) (reported, error) {
	report, err := exec.CommandContext(ctx, v.path, "report", "-type", "json", v.results(j)).Output()
	if err != nil {
		return reported{}, fmt.Errorf("report of vegeta: %w", err)
	}
	return parseVegeta(report)
}

// parseVegeta reads what `vegeta report -type json` prints.
func parseVegeta(report []byte) (reported, error) {
	var r struct {
		Latencies struct {
			P50 int64 `json:"50th"`
			P99 int64 `json:"99th"`
		} `json:"latencies"`
		Requests int     `json:"requests"`
		Success  float64 `json:"success"`
	}
	if err := json.Unmarshal(report, &r); err != nil {
		return reported{}, fmt.Errorf("report of vegeta: %w", err)
	}
	return reported{
		P50: time.Duration(r.Latencies.P50), P99: time.Duration(r.Latencies.P99),
		Failed: r.Requests - int(r.Success*float64(r.Requests)+0.5),
	}, nil
}
