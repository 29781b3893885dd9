//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

const (
	// pollEvery is how often the replicas are asked what they see.
	pollEvery = 500 * time.Millisecond
	// atOnce is how many are asked at a time.
	atOnce = 8
	// seeds is how many of each generation of replicas are named in join.
	seeds = 10
)

// slotName is what the header of a slot says after the scenario.
func slotName(s timeline.Slot) string { return s.Segment + "/" + strconv.FormatUint(s.Seq, 10) }

// replica is a process.
type replica struct {
	addr string // of its web server
	log  string
	cmd  *exec.Cmd
	done chan struct{}
}

// fleet is the replicas that run.
type fleet struct {
	binary, dir string
	size        int
	all         []*replica
	// started counts all that were ever started.
	started int
	client  *http.Client
}

// address returns the IP address of the nth replica that is started: replicas come in
// generations as large as the fleet.
func (f *fleet) address(n int) string { return fmt.Sprintf("127.%d.0.%d", 50+n/f.size%2, 1+n%f.size) }

func newFleet(p plan, target string) (*fleet, error) {
	dir, err := os.MkdirTemp("", "fleetsize")
	if err != nil {
		return nil, err
	}
	f := &fleet{binary: p.binary, dir: dir, size: p.replicas, client: &http.Client{Timeout: 10 * time.Second}}
	var join []string
	for i := range min(seeds, p.replicas) {
		join = append(join, f.address(i)+":7946", f.address(p.replicas+i)+":7946")
	}
	config := fmt.Sprintf(`
fleet: {listen: "${ADDRESS}:7946", join: [%s], cluster: fleetsize}
scenarios:
  - name: %s
    rate: %d/s
    arrivals: uniform
    limits: {late_after: %v}
    requests: [{name: get, url: "http://%s/"}]
`, strings.Join(join, ", "), scenario, p.rate, straggling, target)
	return f, os.WriteFile(f.config(), []byte(config), 0o600)
}

func (f *fleet) config() string { return filepath.Join(f.dir, "config.yaml") }

// launch starts one more replica.
func (f *fleet) launch() error {
	ip := f.address(f.started)
	r := &replica{addr: ip + ":9870", log: filepath.Join(f.dir, strconv.Itoa(f.started)+".log"), done: make(chan struct{})}
	f.started++
	out, err := os.Create(r.log)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	r.cmd = exec.Command(f.binary, "--config.file="+f.config(), "--web.listen-address="+r.addr) //nolint:noctx // The binary under test, which is stopped by signals.
	r.cmd.Env = append(os.Environ(), "ADDRESS="+ip)
	r.cmd.Stderr = out
	if err := r.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = r.cmd.Wait() // How it ended is not the question.
		close(r.done)
	}()
	f.all = append(f.all, r)
	return nil
}

// running returns the replicas that were not asked to end, the oldest first.
func (f *fleet) running() []*replica { return slices.Clone(f.all) }

// end sends a signal to some, which count no more.
func (f *fleet) end(some []*replica, s os.Signal) {
	for _, r := range some {
		_ = r.cmd.Process.Signal(s)
	}
	f.all = slices.DeleteFunc(f.all, func(r *replica) bool { return slices.Contains(some, r) })
}

// kill ends some by SIGKILL.
func (f *fleet) kill(some []*replica) {
	f.end(some, syscall.SIGKILL)
	for _, r := range some {
		<-r.done
	}
}

// leave ends some gracefully.
func (f *fleet) leave(some []*replica, patience time.Duration) error {
	f.end(some, syscall.SIGTERM)
	late := time.After(patience)
	for _, r := range some {
		select {
		case <-r.done:
		case <-late:
			return fmt.Errorf("%s does not end", r.addr)
		}
	}
	return nil
}

// stop ends all.
func (f *fleet) stop() {
	f.kill(f.running())
	_ = os.RemoveAll(f.dir)
}

// metrics returns some of a replica's metrics.
func (f *fleet) metrics(r *replica) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+r.addr+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	found := map[string]float64{}
	for line := range bytes.Lines(body) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		if strings.HasPrefix(name, "traffic_fleet_") || strings.HasPrefix(name, "memberlist_") {
			found[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	return found, nil
}

// each calls a function with the metrics of every replica, nil if it has none.
func (f *fleet) each(do func(i int, metrics map[string]float64)) {
	places := make(chan struct{}, atOnce)
	var work sync.WaitGroup
	for i, r := range f.all {
		places <- struct{}{}
		work.Go(func() {
			defer func() { <-places }()
			m, err := f.metrics(r)
			if err != nil {
				m = nil
			}
			do(i, m)
		})
	}
	work.Wait()
}

// await polls until all replicas are as they should be, and returns how long that took. It
// asks no more once one is not, beginning with that one: scrapes of all of them would need
// much of the processor.
func (f *fleet) await(begin time.Time, patience time.Duration, ok func(metrics map[string]float64) bool) (time.Duration, error) {
	for first := 0; ; time.Sleep(pollEvery) {
		asked, good := time.Now(), 0
		for ; good < len(f.all); good++ {
			if m, err := f.metrics(f.all[(first+good)%len(f.all)]); err != nil || !ok(m) {
				break
			}
		}
		if good == len(f.all) {
			return asked.Sub(begin), nil
		}
		first = (first + good) % len(f.all)
		if time.Since(begin) > patience {
			return 0, fmt.Errorf("after %v %s does not agree with the rest", patience, f.all[first].addr)
		}
	}
}

// agree waits until all are live and count n members.
func (f *fleet) agree(begin time.Time, n int, patience time.Duration) (time.Duration, error) {
	return f.await(begin, patience, func(m map[string]float64) bool {
		return m["traffic_fleet_live"] == 1 && m["traffic_fleet_members"] == float64(n)
	})
}

// ready waits until all are live.
func (f *fleet) ready(patience time.Duration) (time.Duration, error) {
	return f.await(time.Now(), patience, func(m map[string]float64) bool { return m["traffic_fleet_live"] == 1 })
}

// usage is what a replica has used since it was started: seconds of a processor, bytes
// resident, and bytes and packets of gossip sent.
type usage struct{ cpu, rss, bytes, packets float64 }

// usage returns that of all.
func (f *fleet) usage() []usage {
	all := make([]usage, len(f.all))
	f.each(func(i int, m map[string]float64) {
		all[i] = usage{bytes: m["memberlist_tcp_transport_packets_sent_bytes_total"], packets: m["memberlist_tcp_transport_packets_sent_total"]}
	})
	for i, r := range f.all {
		all[i].cpu, all[i].rss = r.spent()
	}
	return all
}

// spent reads what a process has used from /proc: seconds of a processor and bytes
// resident.
func (r *replica) spent() (cpu, rss float64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
	if err != nil {
		return 0, 0
	}
	const user, system, resident = 11, 12, 21 // Counted from after the name, see proc(5).
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	number := func(i int) float64 {
		n, _ := strconv.ParseFloat(fields[i], 64)
		return n
	}
	return (number(user) + number(system)) / 100, number(resident) * float64(os.Getpagesize())
}

// culprit returns the end of the log of a replica that is not live, or of the first.
func (f *fleet) culprit() string {
	if len(f.all) == 0 {
		return ""
	}
	odd := f.all[0]
	for _, r := range f.all {
		if m, err := f.metrics(r); err != nil || m["traffic_fleet_live"] != 1 {
			odd = r
			break
		}
	}
	b, err := os.ReadFile(odd.log)
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	const most = 4000
	return string(b[max(0, len(b)-most):])
}
