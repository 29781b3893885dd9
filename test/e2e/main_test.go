//go:build e2e

// Package e2e runs the real binary against a real target, scraped by a real
// Prometheus, all on loopback. `make e2e` builds what it needs and runs it.
package e2e

import (
	"fmt"
	"os"
	"testing"
)

// tools are the binaries under test and to test with.
type tools struct {
	exporter, prometheus, promtool, alertmanager, etcd string
	// consul is empty where it has not been built.
	consul string
}

// env returns the paths of the tools, which TestMain has checked.
func env() tools {
	return tools{
		exporter:     os.Getenv("TRAFFIC_E2E_BINARY"),
		prometheus:   os.Getenv("TRAFFIC_E2E_PROMETHEUS"),
		promtool:     os.Getenv("TRAFFIC_E2E_PROMTOOL"),
		alertmanager: os.Getenv("TRAFFIC_E2E_ALERTMANAGER"),
		etcd:         os.Getenv("TRAFFIC_E2E_ETCD"),
		consul:       os.Getenv("TRAFFIC_E2E_CONSUL"),
	}
}

func TestMain(m *testing.M) {
	if control, ok := os.LookupEnv(controlVariable); ok {
		code, err := trace(control, os.Args[1:])
		if err != nil {
			fmt.Fprintln(os.Stderr, "trace:", err)
			code = 1
		}
		os.Exit(code)
	}
	e := env()
	for _, path := range []string{e.exporter, e.prometheus, e.promtool, e.alertmanager, e.etcd} {
		if _, err := os.Stat(path); err != nil {
			fmt.Fprintf(os.Stderr, "run `make e2e`, which builds the binaries and sets TRAFFIC_E2E_BINARY, TRAFFIC_E2E_PROMETHEUS, TRAFFIC_E2E_PROMTOOL, TRAFFIC_E2E_ALERTMANAGER and TRAFFIC_E2E_ETCD: %v\n", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
