// Package chart renders the Helm chart and holds what comes out against the API of
// Kubernetes, against the configuration's own check, and against what the documentation
// promises. It also runs the rendered pods, as far as a machine without a cluster can, and
// checks deploy/compose. `make chart` builds what it needs and runs it.
//
// It is a module of its own, so that the exporter's does not depend on Kubernetes.
package chart

import (
	"fmt"
	"os"
	"testing"
)

//go:generate go run ./gen -root ../..

// root is the folder of the project.
const root = "../.."

// tools are the binaries under test and to test with.
type tools struct {
	exporter, helm, promtool, prometheus, alertmanager string
}

// env returns the paths of the tools, which TestMain has checked.
func env() tools {
	return tools{
		exporter:     os.Getenv("TRAFFIC_CHART_BINARY"),
		helm:         os.Getenv("TRAFFIC_CHART_HELM"),
		promtool:     os.Getenv("TRAFFIC_CHART_PROMTOOL"),
		prometheus:   os.Getenv("TRAFFIC_CHART_PROMETHEUS"),
		alertmanager: os.Getenv("TRAFFIC_CHART_ALERTMANAGER"),
	}
}

func TestMain(m *testing.M) {
	e := env()
	for _, path := range []string{e.exporter, e.helm, e.promtool, e.prometheus, e.alertmanager} {
		if _, err := os.Stat(path); err != nil {
			fmt.Fprintf(os.Stderr, "run `make chart`, which builds the binaries and sets TRAFFIC_CHART_BINARY, _HELM, _PROMTOOL, _PROMETHEUS and _ALERTMANAGER: %v\n", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
