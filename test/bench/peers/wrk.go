//go:build linux

package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// wrk is wrk, or wrk2, which is the same with a rate.
type wrk struct {
	path  string
	paced bool
}

var (
	_ tool    = (*wrk)(nil)
	_ divider = (*wrk)(nil)
)

// Name implements tool.
func (w *wrk) Name() string {
	if w.paced {
		return "wrk2"
	}
	return "wrk"
}

// Command implements tool.
func (w *wrk) Command(j job) ([]string, error) {
	switch {
	case j.Protocol.http2():
		return nil, unsupported("knows HTTP/1.1 only")
	case w.paced && j.Rate == flatOut:
		return nil, unsupported("always sends at a rate; see wrk")
	case !w.paced && j.Rate != flatOut:
		return nil, unsupported("knows no rate; see wrk2")
	}
	seconds := j.Seconds + 1 // It counts from before its first request.
	command := []string{w.path, "-t", j.threads(), "-c", strconv.Itoa(j.connections()), "-d", strconv.Itoa(seconds) + "s", "--latency"}
	if w.paced {
		command = append(command, "-R", strconv.FormatFloat(float64(j.Rate), 'f', -1, 64))
	}
	return append(command, j.URL), nil
}

// Divides implements divider.
func (w *wrk) Divides(j job) int { return j.connections() }

// Reported implements tool.
func (w *wrk) Reported(_ context.Context, _ job, output []byte) (reported, error) {
	var t reported
	for percent, into := range map[string]*time.Duration{"50": &t.P50, "99": &t.P99} {
		// wrk prints 50%, wrk2 prints 50.000%.
		m := regexp.MustCompile(`(?m)^ +` + percent + `(?:\.000)?% +([0-9.]+[a-z]+)`).FindSubmatch(output)
		if m == nil {
			return t, missingOutput(w.Name(), "its "+percent+"th percentile")
		}
		d, err := parseWrkTime(string(m[1]))
		if err != nil {
			return t, err
		}
		*into = d
	}
	t.Failed = sumOf(output, `Non-2xx or 3xx responses: (\d+)`) + sumOf(output, `Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	return t, nil
}

// parseWrkTime reads a duration as wrk prints it: 12.30us, 1.24ms, 2.00s, 1.50m, 1.00h.
func parseWrkTime(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("found the time %q of wrk: %w", s, err)
	}
	return d, nil
}

// sumOf adds up the numbers that the first match of an expression has in its groups.
func sumOf(text []byte, expression string) int {
	sum := 0
	for i, group := range regexp.MustCompile(expression).FindSubmatch(text) {
		if n, err := strconv.Atoi(string(group)); i > 0 && err == nil {
			sum += n
		}
	}
	return sum
}
