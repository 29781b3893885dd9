//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// takeover is the longest that it takes the others to send a crashed member's share: its
// last heartbeat may be as fresh as can be.
const takeover = 6 * time.Second

// turns limits how many fleets run at a time: a replica that gets no processor loses
// slots, and that is not what these tests are about.
var turns = make(chan struct{}, 3)

// takeTurn waits until there is room for another fleet, and gives it up after all else
// that the test cleans up.
func takeTurn(t *testing.T) {
	t.Helper()
	turns <- struct{}{}
	t.Cleanup(func() { <-turns })
}

// place is where a replica runs.
type place struct {
	gossip, web string
	// enter is put before its command line.
	enter []string
}

// loopback returns n places on the loopback interface.
func loopback(t *testing.T, n int) []place {
	t.Helper()
	var places []place
	for range n {
		places = append(places, place{gossip: freeport.Address(t), web: freeport.Address(t)})
	}
	return places
}

// fleet starts replicas that share a configuration, each with its own environment.
type fleet struct {
	target *ledger
	file   string
	flags  []string
	places []place
	// started is the number of replicas, running or not.
	started int
}

// gossip returns the part of the fleet section that joins the replicas at the places.
func gossip(places []place) string {
	var join []string
	for _, p := range places {
		join = append(join, strconv.Quote(p.gossip))
	}
	return "  listen: \"${GOSSIP}\"\n  join: [" + strings.Join(join, ", ") + "]\n"
}

// newFleet writes the configuration of a fleet: its section, apart from names, is given.
func newFleet(t *testing.T, target string, places []place, section string, flags ...string) *fleet {
	t.Helper()
	f := &fleet{file: filepath.Join(t.TempDir(), "config.yaml"), flags: flags, places: places}
	write(t, f.file, fmt.Sprintf(`
fleet:
  name: ${REPLICA}
%s
scenarios:
  - name: %s
    rate: %d/s
    arrivals: uniform
    timeout: 30s
    limits: {late_after: %s, max_in_flight: %d}
    requests: [{name: get, url: "http://%s/"}]
`, section, steady, steadyRate, patientLateAfter, patientInFlight, target))
	return f
}

// patientLateAfter is how late a slot may be in these tests, and patientInFlight how many of their
// requests may be unanswered: all that are due in that time. Who sends which is what they look at,
// not whether this machine is busy.
const (
	patientLateAfter = 20 * time.Second
	patientInFlight  = steadyRate * int(patientLateAfter/time.Second)
)

// dropLate gives the fleet, which has not been started, the default of late_after.
func (f *fleet) dropLate(t *testing.T) {
	t.Helper()
	b, err := os.ReadFile(f.file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.file, strings.Replace(string(b), patientLateAfter.String(), "1s", 1))
}

// newGossipFleet returns a fleet of at most n replicas on loopback.
func newGossipFleet(t *testing.T, n int, flags ...string) *fleet {
	t.Helper()
	takeTurn(t)
	target, places := startLedger(t, "127.0.0.1"), loopback(t, n)
	f := newFleet(t, target.addr, places, "  cluster: e2e\n"+gossip(places), flags...)
	f.target = target
	return f
}

// replica is a running member of a fleet.
type replica struct {
	*exporter
	name string
}

// launch starts the replica of the next place and does not wait for it.
func (f *fleet) launch(t *testing.T) *replica {
	t.Helper()
	p := f.places[f.started]
	f.started++
	r := &replica{exporter: &exporter{addr: p.web, file: f.file}, name: fmt.Sprintf("r%d", f.started)}
	command := append([]string{}, p.enter...)
	command = append(command, "env", "REPLICA="+r.name, "GOSSIP="+p.gossip,
		env().exporter, "--config.file="+f.file, "--web.listen-address="+p.web)
	command = append(command, f.flags...)
	r.process = start(t, command[0], command[1:]...)
	// Just before the process is killed and its output logged.
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replica %s at the end: %s", r.name, r.summary())
		}
	})
	return r
}

// summary returns the replica's metrics about its role in the fleet.
func (r *replica) summary() string {
	body, err := get("http://" + r.addr + "/metrics")
	if err != nil {
		return err.Error()
	}
	var lines []string
	for line := range strings.Lines(body) {
		for _, prefix := range []string{"traffic_fleet_", "traffic_slots_dropped_", "traffic_override_", "traffic_target_rate"} {
			if strings.HasPrefix(line, prefix) {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return strings.Join(lines, "; ")
}

// start starts n replicas at once and waits until each of them counts all of these.
func (f *fleet) start(t *testing.T, n int) []*replica {
	t.Helper()
	var all []*replica
	for range n {
		all = append(all, f.launch(t))
	}
	for _, r := range all {
		r.ready(t)
	}
	agree(t, n, all...)
	return all
}

// ready waits until the replica counts itself as a member.
func (r *replica) ready(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		_, err := get("http://" + r.addr + "/-/ready")
		if err != nil {
			err = fmt.Errorf("replica %s is not ready: %w", r.name, err)
		}
		return err
	})
}

// shows waits until a series of the replica has a value.
func (r *replica) shows(t *testing.T, series string, want float64) {
	t.Helper()
	eventually(t, func() error {
		body, err := get("http://" + r.addr + "/metrics")
		if err != nil {
			return err
		}
		got, err := sample(body, series)
		if err == nil && got != want {
			err = fmt.Errorf("%s of replica %s is %v, want %v", series, r.name, got, want)
		}
		return err
	})
}

// agree waits until each of the replicas sends, and counts n members.
func agree(t *testing.T, n int, replicas ...*replica) {
	t.Helper()
	for _, r := range replicas {
		r.shows(t, "traffic_fleet_members", float64(n))
		r.shows(t, "traffic_fleet_live", 1)
	}
}

// fleetView is the API's report about the fleet.
type fleetView struct {
	Self    string
	Members []struct {
		ID, Name, State string
		Weight          uint32
	}
}

// view asks the replica for its view of the fleet.
func (r *replica) view(t *testing.T) fleetView {
	t.Helper()
	body, err := get("http://" + r.addr + "/api/v1/fleet")
	if err != nil {
		t.Fatal(err)
	}
	var a struct{ Data fleetView }
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.Data.Self == "" {
		t.Fatalf("the fleet is %q, %v", body, err)
	}
	return a.Data
}

// leave asks the replica to end and waits until it has: soon, and with 0.
func (r *replica) leave(t *testing.T) {
	t.Helper()
	r.signal(t, syscall.SIGTERM)
	r.gone(t)
}

// gone waits until a replica that was asked to end has: soon, and with 0.
func (r *replica) gone(t *testing.T) {
	t.Helper()
	asked := time.Now()
	if code := r.exit(t); code != 0 {
		t.Errorf("exit code %d of replica %s after SIGTERM, want 0", code, r.name)
	}
	if took := time.Since(asked); took > 15*time.Second {
		t.Errorf("replica %s took %v to end", r.name, took)
	}
}

// unready waits until the replica says that it is not ready.
func (r *replica) unready(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		resp, err := http.Get("http://" + r.addr + "/-/ready")
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable {
			return fmt.Errorf("replica %s answers %s, want 503", r.name, resp.Status)
		}
		return nil
	})
}

// tool runs a command of the binary and returns its output and exit code.
func tool(t *testing.T, args ...string) (string, int) {
	t.Helper()
	p := start(t, env().exporter, args...)
	code := p.exit(t)
	return p.out.String(), code
}
