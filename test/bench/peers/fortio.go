//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// fortio is fortio.org/fortio.
type fortio struct {
	path string
}

var (
	_ tool    = (*fortio)(nil)
	_ divider = (*fortio)(nil)
)

// Name implements tool.
func (f *fortio) Name() string { return "fortio" }

// Command implements tool.
func (f *fortio) Command(j job) ([]string, error) {
	rate := "0" // As many as there can be.
	if j.Rate != flatOut {
		rate = strconv.FormatFloat(float64(j.Rate), 'f', -1, 64)
	}
	command := []string{
		f.path, "load", "-quiet", "-uniform", "-json", f.report(j), "-p", "50,99",
		"-c", strconv.Itoa(j.connections()), "-qps", rate, "-t", j.duration().String(),
	}
	switch j.Protocol {
	case https1:
		command = append(command, "-k")
	case h2c:
		command = append(command, "-h2", "-stdclient")
	case h2:
		command = append(command, "-h2", "-stdclient", "-k")
	case calls:
		return nil, unsupported("makes no calls of gRPC")
	case http1:
	}
	return append(command, j.URL), nil
}

func (f *fortio) report(j job) string { return filepath.Join(j.Dir, "fortio.json") }

// Divides implements divider.
func (f *fortio) Divides(j job) int { return j.connections() }

// Reported implements tool.
func (f *fortio) Reported(_ context.Context, j job, _ []byte) (reported, error) {
	report, err := os.ReadFile(f.report(j))
	if err != nil {
		return reported{}, err
	}
	return parseFortio(report)
}

// parseFortio reads what fortio writes with -json.
func parseFortio(report []byte) (reported, error) {
	var r struct {
		DurationHistogram struct {
			Percentiles []struct{ Percentile, Value float64 }
		}
		RetCodes map[string]int
	}
	if err := json.Unmarshal(report, &r); err != nil {
		return reported{}, fmt.Errorf("report of fortio: %w", err)
	}
	var t reported
	for _, p := range r.DurationHistogram.Percentiles {
		switch p.Percentile {
		case 50:
			t.P50 = seconds(p.Value)
		case 99:
			t.P99 = seconds(p.Value)
		}
	}
	if t.P50 == 0 {
		return t, missingOutput("fortio", "its percentiles")
	}
	for code, n := range r.RetCodes {
		if code != "200" {
			t.Failed += n
		}
	}
	return t, nil
}
