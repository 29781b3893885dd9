//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/dashboards/rules"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// discovery is a file through which Prometheus finds targets, as through a cluster's API.
type discovery struct{ file string }

// finds has the service discovery list other addresses. It is replaced at once.
func (d discovery) finds(t *testing.T, addresses ...string) {
	t.Helper()
	if addresses == nil {
		addresses = []string{}
	}
	b, err := json.Marshal([]map[string]any{{"targets": addresses}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, d.file+".next", string(b))
	if err = os.Rename(d.file+".next", d.file); err != nil {
		t.Fatal(err)
	}
}

// job returns a scrape configuration of targets that a discovery finds.
func (d discovery) job(name string) string {
	return fmt.Sprintf("  - {job_name: %s, scrape_native_histograms: true, file_sd_configs: [{files: [%q], refresh_interval: 1s}]}\n", name, d.file)
}

// of returns the notifications about a job with a status.
func (n *notified) of(status, job string) []notification {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []notification
	for _, a := range n.all {
		if a.Status == status && a.Labels["job"] == job {
			all = append(all, a)
		}
	}
	return all
}

// namesOf returns the names of alerts, each once.
func namesOf(all []notification) []string {
	var names []string
	for _, a := range all {
		names = append(names, a.Labels["alertname"])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ofJob returns the names of the alerts of a job that were notified with a status, without those
// that a busy machine may cause. One that concerns the same is not among these.
func (n *notified) ofJob(status, job string) []string {
	return namesOf(slices.DeleteFunc(n.of(status, job), func(a notification) bool {
		return strings.Contains(others, a.Labels["concern"]) && a.Labels["alertname"] != "TrafficLocalFailures"
	}))
}

// awaitsOfJob waits until the webhook is notified that an alert of a job has a status.
func (n *notified) awaitsOfJob(t *testing.T, status, job, name string) {
	t.Helper()
	patiently(t, func() error {
		if names := namesOf(n.of(status, job)); !slices.Contains(names, name) {
			return fmt.Errorf("of job %s the alerts %q are %s, %s is not", job, names, status, name)
		}
		return nil
	})
}

// TestAlertsFireWhenAFleetIsNotThereOrNotOne goes all the way as well: replicas that
// service discovery loses or that lose each other, and a scenario that sends too
// seldom for windows of minutes; Prometheus with the rules that are shipped, a minute of
// theirs in a second; Alertmanager.
func TestAlertsFireWhenAFleetIsNotThereOrNotOne(t *testing.T) {
	t.Parallel()
	received := &notified{}
	webhook := httptest.NewServer(received)
	t.Cleanup(webhook.Close)
	f := newGossipFleet(t, 2)
	replicas := f.start(t, 2)
	// 12 an hour, as the rules see it.
	moved := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	t.Cleanup(moved.Close)
	slow := startExporter(t, steadyConfig(freeport.Address(t), "0.2/s")+fmt.Sprintf(`
  - name: moved
    rate: 0.2/s
    limits: {max_rate: 0.2/s}
    http_config: {follow_redirects: true}
    requests: [{name: get, url: %q}]
`, moved.URL))
	// Two fleets that have met by mistake.
	at := freeport.Address(t)
	first := startExporter(t, fmt.Sprintf("fleet: {name: first, cluster: strangers, listen: %q, min_replicas: 1}\n", at)+steadyConfig(f.target.addr, "0/s"))
	second := startExporter(t, fmt.Sprintf("fleet: {name: second, cluster: strangers, listen: \"127.0.0.1:0\", join: [%q], min_replicas: 2}\n", at)+
		steadyConfig(f.target.addr, "0/s")+"    timeout: 3s\n")

	dir := t.TempDir()
	content, err := rules.File(scale)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "rules.yaml"), string(content))
	fleet, alone := discovery{filepath.Join(dir, "fleet.json")}, discovery{filepath.Join(dir, "alone.json")}
	fleet.finds(t, replicas[0].addr, replicas[1].addr)
	alone.finds(t)
	am := startAlertmanager(t, webhook.URL)
	p := runPrometheus(t, fmt.Sprintf(`
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
rule_files: [%q]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs:
  - {job_name: slow, scrape_native_histograms: true, static_configs: [{targets: [%q]}]}
  - {job_name: strangers, scrape_native_histograms: true, static_configs: [{targets: [%q, %q]}]}
`, filepath.Join(dir, "rules.yaml"), am.addr, slow.addr, first.addr, second.addr)+fleet.job("fleet")+alone.job("alone"))

	t.Log("a scenario of 12 requests an hour fails")
	received.awaitsOfJob(t, "firing", "slow", "TrafficTargetDown")
	t.Log("and one whose redirects are beyond its ceiling")
	received.awaitsOfJob(t, "firing", "slow", "TrafficLocalFailures")

	t.Log("members of a fleet run different scenarios")
	received.awaitsOfJob(t, "firing", "strangers", "TrafficConfigsDiffer")
	for of, e := range map[string]*exporter{"first": second, "second": first} {
		if log := e.out.String(); !strings.Contains(log, "runs another configuration") || !strings.Contains(log, "id="+of+"-") {
			t.Errorf("the log does not name %s:\n%s", of, log)
		}
	}

	t.Log("two replicas each believe to be alone")
	var addresses []string
	for range 2 {
		e := startExporter(t, "fleet: {listen: \"127.0.0.1:0\"}\n"+steadyConfig(f.target.addr, "0/s"))
		addresses = append(addresses, e.addr)
	}
	alone.finds(t, addresses...)
	received.awaitsOfJob(t, "firing", "alone", "TrafficFleetSplit")
	if names := received.ofJob("firing", "fleet"); len(names) > 0 {
		t.Errorf("of a fleet that is whole the alerts %q fire", names)
	}

	t.Log("service discovery loses the other fleet as a whole")
	fleet.finds(t)
	received.awaitsOfJob(t, "firing", "fleet", "TrafficFleetAbsent")
	t.Log("and finds it again")
	fleet.finds(t, replicas[0].addr, replicas[1].addr)
	received.awaitsOfJob(t, "resolved", "fleet", "TrafficFleetAbsent")
	t.Log("one of those that were alone is away")
	alone.finds(t, addresses[0])
	received.awaitsOfJob(t, "resolved", "alone", "TrafficFleetSplit")
	if names := received.ofJob("firing", "fleet"); len(names) != 1 {
		t.Errorf("of the fleet that was away the alerts %q have fired", names)
	}
	p.sound(t)
}
