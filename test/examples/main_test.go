// Package examples runs the configurations of the folder examples against servers that do
// what the real ones do, with sessions, forms, redirects and tokens, and hold strictly:
// whatever a real server would refuse fails the test. `make examples` builds what it needs
// and runs it. A real Prometheus scrapes the exporters meanwhile, and is asked for the rate of each
// step and the duration of each journey. Visits of the servers are recorded, too, and the recordings run.
//
// It is a module of its own, so that the exporter's does not depend on servers of OpenID
// Connect and GraphQL.
package examples

import (
	"fmt"
	"os"
	"testing"
)

// root is the folder of the project.
const root = "../.."

// exporter is the binary under test.
func exporter() string { return os.Getenv("TRAFFIC_EXAMPLES_BINARY") }

func TestMain(m *testing.M) {
	if _, err := os.Stat(exporter()); err != nil {
		fmt.Fprintf(os.Stderr, "run `make examples`, which builds the binary and sets TRAFFIC_EXAMPLES_BINARY: %v\n", err)
		os.Exit(1)
	}
	os.Exit(runAll(m))
}

// runAll runs the tests with a Prometheus beside them.
func runAll(m *testing.M) int {
	p, err := startPrometheus(os.Getenv("TRAFFIC_EXAMPLES_PROMETHEUS"))
	if p != nil {
		defer p.stop()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "run `make examples`, which sets TRAFFIC_EXAMPLES_PROMETHEUS: %v\n", err)
		return 1
	}
	return m.Run()
}
