package logtest

import (
	"math"
	"os"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// disk is where the files are that a configuration names.
type disk struct{}

var _ config.Disk = disk{}

// Look accepts every file.
func (disk) Look(string) error { return nil }

// Read returns a file's content.
func (disk) Read(path string, _ int) ([]byte, error) { return os.ReadFile(path) } //nolint:gosec // Tests name it.

// Load reads a configuration with its recordings.
func Load(file string) (*config.Config, error) {
	text, err := os.ReadFile(file) //nolint:gosec // Tests name it.
	if err != nil {
		return nil, err
	}
	return config.Parse(file, text, os.LookupEnv, disk{})
}

// WorstWeight returns by how much the share of a request in a configuration is off at most, relative to that in
// the log, and names that request. One that is missing is off by 1, as is one that the log does not have.
func WorstWeight(entries []config.Request) (off float64, name string) {
	shares := map[string]float64{}
	var sum float64
	for _, e := range entries {
		shares[signature(e)] += float64(e.Weight)
		sum += float64(e.Weight)
	}
	for _, r := range Mix() {
		key := r.Method + " " + r.Pattern + "?" + r.Parameters
		if e := math.Abs(shares[key]/sum/r.Share - 1); e > off {
			off, name = e, key
		}
		delete(shares, key)
	}
	for key := range shares {
		return 1, key
	}
	return off, name
}

// signature returns the method, the path with {} for placeholders, and the names of the parameters of an entry.
func signature(e config.Request) string {
	var path strings.Builder
	rest := e.URL.Text()
	for {
		fixed, behind, ok := strings.Cut(rest, "{{")
		path.WriteString(fixed)
		if !ok {
			break
		}
		path.WriteString("{}")
		_, rest, _ = strings.Cut(behind, "}}")
	}
	var names []string
	for _, p := range e.Query {
		names = append(names, p.Name)
	}
	return e.Method + " " + path.String() + "?" + strings.Join(names, "&")
}

// WorstRate returns by how much the rate over a step of time is off at most, relative to that in a log of a number
// of lines, and when.
func WorstRate(t *timeline.Timeline, lines int, step time.Duration) (off float64, at time.Time) {
	kept := float64(lines) * (1 - Bots - Static - NoRequest) * (1 - Broken)
	n := int(7 * 24 * time.Hour / step)
	for i, got := range t.Integrals(Monday(), step, n) {
		start := Monday().Add(time.Duration(i) * step)
		want := 0.0
		for second := start; second.Before(start.Add(step)); second = second.Add(time.Second) {
			want += Rate(second) * kept / (7 * 86400)
		}
		if e := math.Abs(got/want - 1); e > off {
			off, at = e, start
		}
	}
	return off, at
}
