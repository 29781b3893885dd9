//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// h2load is that of nghttp2.
type h2load struct {
	path string
}

var (
	_ tool    = (*h2load)(nil)
	_ divider = (*h2load)(nil)
)

// Name implements tool.
func (h *h2load) Name() string { return "h2load" }

// Command implements tool. Of HTTP/2 it makes one connection, as the tools in Go do.
func (h *h2load) Command(j job) ([]string, error) {
	clients := h.clients(j)
	command := []string{h.path, "-D", strconv.Itoa(j.Seconds), "-c", strconv.Itoa(clients)}
	if j.Protocol.http2() {
		command = append(command, "-m", strconv.Itoa(j.connections()))
	} else {
		command = append(command, "--h1", "-t", j.threads())
	}
	if j.Rate != flatOut {
		command = append(command, "--rps", j.perConnection(clients))
	}
	if j.Latencies {
		command = append(command, "--log-file", h.log(j))
	}
	if j.Protocol == calls {
		message, err := j.inDir("message", callMessage(callName))
		if err != nil {
			return nil, err
		}
		command = append(command, "-d", message, "-H", "content-type: application/grpc", "-H", "te: trailers")
	}
	return append(command, j.URL), nil
}

func (h *h2load) clients(j job) int {
	if j.Protocol.http2() {
		return 1
	}
	return j.connections()
}

// Divides implements divider.
func (h *h2load) Divides(j job) int { return h.clients(j) }

func (h *h2load) log(j job) string { return filepath.Join(j.Dir, "h2load.log") }

// Reported implements tool. The tool prints no percentiles, so that they are computed from
// its log if it was to write one.
func (h *h2load) Reported(_ context.Context, j job, output []byte) (reported, error) {
	t := reported{Failed: sumOf(output, `succeeded, (\d+) failed, \d+ errored, \d+ timeout`) + sumOf(output, `status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx`)}
	if !j.Latencies {
		return t, nil
	}
	log, err := os.ReadFile(h.log(j))
	if err != nil {
		return t, err
	}
	t.P50, t.P99, err = parseH2loadLog(log)
	return t, err
}

// parseH2loadLog returns percentiles of the third column, microseconds until the end of
// the response. The first is when the request started, the second its status.
func parseH2loadLog(log []byte) (p50, p99 time.Duration, err error) {
	var all []time.Duration
	for lines := bufio.NewScanner(bytes.NewReader(log)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 {
			return 0, 0, fmt.Errorf("found the line %q in the log of h2load, expected three columns", lines.Text())
		}
		us, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("log of h2load: %w", err)
		}
		all = append(all, time.Duration(us)*time.Microsecond)
	}
	if len(all) == 0 {
		return 0, 0, missingOutput("h2load", "any request in its log")
	}
	slices.Sort(all)
	return quantile(all, 0.5), quantile(all, 0.99), nil
}
