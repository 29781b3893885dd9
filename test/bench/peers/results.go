//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// kind is a kind of measurement, against one of the targets.
type kind string

const (
	// load is processor time, memory and throughput, against nginx.
	load kind = "load"
	// sends is when the requests leave, and the latencies that the tool reports, against
	// the receiver.
	sends kind = "sends"
	// stall is the latencies that the tool reports of a target that stands still for a
	// while, against the receiver.
	stall kind = "stall"
)

// results is everything that one run of the suite has found.
type results struct {
	Date     time.Time `json:"date"`
	Command  string    `json:"command"`
	Revision string    `json:"revision"`
	Machine  machine   `json:"machine"`
	Settings settings  `json:"settings"`
	Programs []program `json:"programs"`
	Cells    []*cell   `json:"cells"`
}

// settings are the choices for the run.
type settings struct {
	Size        string        `json:"size"`
	Repetitions int           `json:"repetitions"`
	Warmup      time.Duration `json:"warmup"`
	Window      time.Duration `json:"window"`
	TargetCPU   string        `json:"target_cpu"`
	ToolCPUs    string        `json:"tool_cpus"`
	// Unanswered is how many requests the exporter may have unanswered flat out.
	Unanswered int    `json:"unanswered"`
	Script     script `json:"script"`
	Stall      script `json:"stall"`
}

// program is a tool or a target, found or not.
type program struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	// Missing is why it was not measured; empty if it was.
	Missing string `json:"missing,omitempty"`
}

// cell is one tool in one case, with all its repetitions.
type cell struct {
	Kind     kind     `json:"kind"`
	Protocol protocol `json:"protocol"`
	Rate     rate     `json:"rate"`
	Tool     string   `json:"tool"`
	// Skipped is why there are no repetitions; empty if there are.
	Skipped string `json:"skipped,omitempty"`
	// Divided is among how many connections the tool divides the rate; 0 for not.
	Divided int   `json:"divided,omitempty"`
	Runs    []run `json:"runs,omitempty"`
}

// String returns the cell's name, which -only is matched with.
func (c *cell) String() string {
	at, _, _ := strings.Cut(c.Rate.String(), "/")
	return fmt.Sprintf("%s/%s/%s/%s", c.Kind, string(c.Protocol), strings.TrimSuffix(at, " out"), c.Tool)
}

// run is one repetition. All that is counted is of the window, unless it says otherwise.
type run struct {
	Repetition int `json:"repetition"`
	// Error is why the run has no results; empty if it has.
	Error  string        `json:"error,omitempty"`
	Window time.Duration `json:"window"`
	// Requests is how many the target got.
	Requests  int           `json:"requests"`
	CPU       time.Duration `json:"cpu"`
	TargetCPU time.Duration `json:"target_cpu"`
	// OtherCPU is the processor time of the rest of the machine, the kernel included.
	OtherCPU time.Duration `json:"other_cpu"`
	Memory   memory        `json:"memory"`
	// WholeCPU is that of the tool from its start to its end.
	WholeCPU time.Duration `json:"whole_cpu"`
	Reported reported      `json:"told"`
	Ledger   *ledger       `json:"ledger,omitempty"`
	Receiver *received     `json:"receiver,omitempty"`
}

// received is what the receiver has seen.
type received struct {
	// Stamped is the part of the requests that the kernel has stamped.
	Stamped float64 `json:"stamped"`
	// Even is the lateness against an even schedule at the rate that was kept, Nominal
	// against one at the rate that was asked for.
	Even    lateness `json:"even"`
	Nominal lateness `json:"nominal"`
	// Own is the lateness against even schedules of each connection.
	Own *lateness `json:"own,omitempty"`
	// Truth is how long users would have waited during the whole run by the script.
	Truth truth `json:"truth"`
	// The receiver really responded to the requests this long after their arrival.
	Responded truth `json:"answered"`
	// Stalled is the part of the requests due during the stall that were sent in it.
	Stalled float64 `json:"stalled"`
}

// perRequest returns the tool's processor time for each request.
func (r run) perRequest() time.Duration {
	if r.Requests == 0 {
		return 0
	}
	return r.CPU / time.Duration(r.Requests)
}

// throughput returns the requests that the target got in a second.
func (r run) throughput() float64 { return float64(r.Requests) / r.Window.Seconds() }

// good returns the runs without an error.
func (c *cell) good() []run {
	var good []run
	for _, r := range c.Runs {
		if r.Error == "" {
			good = append(good, r)
		}
	}
	return good
}

// find returns a cell, or nil.
func (r *results) find(k kind, p protocol, at rate, tool string) *cell {
	for _, c := range r.Cells {
		if c.Kind == k && c.Protocol == p && c.Rate == at && c.Tool == tool {
			return c
		}
	}
	return nil
}

func (r *results) write(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

func readResults(path string) (*results, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &results{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("results %q: %w", path, err)
	}
	return r, nil
}
