//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/dashboards/rules"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// scale is what the times of the rules are divided by: a day passes in 24 minutes, and
// four scrapes fit into the shortest window.
const scale = 60

// changeable is a target that is healthy, slow, or fails, as the test says.
type changeable struct {
	latency atomic.Int64
	// failing is how many of ten requests fail.
	failing, requests atomic.Int64
}

func (c *changeable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fails := c.requests.Add(1)%10 < c.failing.Load()
	timer := time.NewTimer(time.Duration(c.latency.Load()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		return
	}
	if fails {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (c *changeable) becomes(latency time.Duration, failing int64) {
	c.latency.Store(int64(latency))
	c.failing.Store(failing)
}

// The target's latencies: the SLO's is between them.
const (
	quick = 20 * time.Millisecond
	slow  = 600 * time.Millisecond
)

// alertRate is the scenario's rate, in the history, too.
const alertRate = 50

// notification is an alert in Alertmanager's notification.
type notification struct {
	Status string
	Labels map[string]string
}

// notified collects what Alertmanager sends to a webhook.
type notified struct {
	mu  sync.Mutex
	all []notification
}

func (n *notified) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var message struct{ Alerts []notification }
	if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
		message.Alerts = []notification{{Status: err.Error()}}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, message.Alerts...)
}

// others are the concerns of alerts that a busy machine may ring.
const others = "generator|delivery"

// about returns the notifications about the scenario.
func (n *notified) about(scenario string) []notification {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []notification
	for _, a := range n.all {
		if a.Labels["scenario"] == scenario {
			all = append(all, a)
		}
	}
	return all
}

// ofTarget returns those that are not about what a busy machine may ring.
func ofTarget(all []notification) []notification {
	return slices.DeleteFunc(all, func(a notification) bool { return strings.Contains(others, a.Labels["concern"]) })
}

// hasReceived reports whether the webhook was notified of an alert about the scenario, with a status.
func (n *notified) hasReceived(status, scenario, name string) bool {
	return slices.ContainsFunc(n.about(scenario), func(a notification) bool {
		return a.Status == status && a.Labels["alertname"] == name
	})
}

// awaits waits until the webhook is notified of an alert's status.
func (n *notified) awaits(t *testing.T, status, scenario, name string) {
	t.Helper()
	patiently(t, func() error {
		if !n.hasReceived(status, scenario, name) {
			return fmt.Errorf("%s is not told to be %s: %v", name, status, n.about(scenario))
		}
		return nil
	})
}

// patiently is eventually for what takes the rules their time on a busy machine.
func patiently(t *testing.T, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(3 * patience)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// alertmanager is a running Alertmanager.
type alertmanager struct {
	*process
	addr string
}

// startAlertmanager runs one with the inhibitions that the runbook recommends, which
// notifies the webhook of everything at once.
func startAlertmanager(t *testing.T, webhook string) *alertmanager {
	t.Helper()
	dir := t.TempDir()
	a := &alertmanager{addr: freeport.Address(t)}
	file := filepath.Join(dir, "alertmanager.yml")
	write(t, file, fmt.Sprintf(`
route:
  receiver: test
  group_by: [alertname, job, scenario]
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: test
    webhook_configs: [{url: %q, send_resolved: true}]
`, webhook)+inhibitions(t))
	a.process = start(t, env().alertmanager, "--config.file="+file, "--storage.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+a.addr, "--cluster.listen-address=")
	eventually(t, func() error {
		_, err := get("http://" + a.addr + "/-/ready")
		return err
	})
	return a
}

// inhibitions returns the block of YAML in the runbook that has the inhibitions.
func inhibitions(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(b), "```yaml\n")[1:] {
		if block, _, _ = strings.Cut(block, "```"); strings.Contains(block, "inhibit_rules:") {
			return block
		}
	}
	t.Fatal("the runbook has no inhibit_rules")
	return ""
}

// states returns for each alert with a label whether it is active or suppressed, by name.
func (a *alertmanager) states(name, value string) (map[string]string, error) {
	body, err := get("http://" + a.addr + "/api/v2/alerts?filter=" + url.QueryEscape(fmt.Sprintf("%s=%q", name, value)))
	if err != nil {
		return nil, err
	}
	var all []struct {
		Labels map[string]string
		Status struct{ State string }
	}
	err = json.Unmarshal([]byte(body), &all)
	states := map[string]string{}
	for _, alert := range all {
		states[alert.Labels["alertname"]] = alert.Status.State
	}
	return states, err
}

// history writes a healthy past of the scenario, as it would have been recorded, to
// where Prometheus finds it. It is of no more than the times that the rules look back to
// within the test.
func history(t *testing.T, data string) {
	t.Helper()
	var b strings.Builder
	now := time.Now()
	for _, series := range []struct {
		name  string
		value float64
	}{
		{"scenario:traffic_target_rate:max", alertRate},
		// As slow as a busy machine may make it.
		{"scenario:traffic_request_duration_seconds:success_p50_rate5m", 0.1},
		{"scenario:traffic_request_duration_seconds:success_p99_rate5m", 10},
		{"scenario:traffic_request_failures_per_requests:ratio_rate5m", 0},
	} {
		fmt.Fprintf(&b, "# TYPE %s gauge\n", series.name)
		for _, past := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour} {
			from := now.Add(-past/scale - time.Minute)
			for at := from; at.Before(from.Add(7 * time.Minute)); at = at.Add(time.Second) {
				fmt.Fprintf(&b, "%s{job=\"traffic_exporter\",scenario=\"shop\"} %v %d\n", series.name, series.value, at.Unix())
			}
		}
	}
	b.WriteString("# EOF\n")
	file := filepath.Join(t.TempDir(), "history.txt")
	write(t, file, b.String())
	if out, err := exec.Command(env().promtool, "tsdb", "create-blocks-from", "openmetrics", file, data).CombinedOutput(); err != nil {
		t.Fatalf("promtool tsdb create-blocks-from: %v\n%s", err, out)
	}
}

// startAlerting runs a Prometheus that has the rules, scaled, and a past.
func startAlerting(t *testing.T, target, alertmanager string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	content, err := rules.File(scale)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "rules.yaml"), string(content))
	history(t, filepath.Join(dir, "data"))
	p := &prometheus{addr: freeport.Address(t)}
	file := filepath.Join(dir, "prometheus.yml")
	write(t, file, fmt.Sprintf(`
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
rule_files: [rules.yaml]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs:
  - job_name: traffic_exporter
    scrape_native_histograms: true
    static_configs: [{targets: [%q]}]
`, alertmanager, target))
	if out, err := exec.Command(env().promtool, "check", "config", "--lint=all", "--lint-fatal", file).CombinedOutput(); err != nil {
		t.Fatalf("promtool check config: %v\n%s", err, out)
	}
	p.process = start(t, env().prometheus, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--storage.tsdb.retention.time=30d", "--web.listen-address="+p.addr)
	eventually(t, func() error {
		_, err := get("http://" + p.addr + "/-/ready")
		return err
	})
	return p
}

// were returns the alerts that were in a state at any time so far.
func (p *prometheus) were(state string) ([]string, error) {
	return p.alerts(`max_over_time(ALERTS{alertstate="` + state + `",concern!~"` + others + `"}[10m])`)
}

// alerts returns the names of the alerts that an expression yields, with the labels that distinguish the
// comparisons with the past.
func (p *prometheus) alerts(expr string) ([]string, error) {
	data, err := p.api("query", url.Values{"query": {expr}})
	if err != nil {
		return nil, err
	}
	var vector struct {
		Result []struct{ Metric map[string]string }
	}
	err = json.Unmarshal(data, &vector)
	var names []string
	for _, r := range vector.Result {
		names = append(names, strings.TrimSpace(r.Metric["alertname"]+" "+r.Metric["baseline"]))
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// fires waits until all of the alerts fire.
func (p *prometheus) fires(t *testing.T, names ...string) {
	t.Helper()
	patiently(t, func() error {
		firing, err := p.alerts(`ALERTS{alertstate="firing",scenario="shop"}`)
		for _, name := range names {
			if !slices.Contains(firing, name) {
				err = errors.Join(err, fmt.Errorf("%s is not among the alerts that fire: %q", name, firing))
			}
		}
		return err
	})
}

// TestAlertsRingWhenTheTargetGetsWorse goes all the way: the exporter measures a target
// that gets slow, then fails, which another scenario spares it for, then heals; Prometheus evaluates the rules that are
// shipped, a minute of theirs in a second; Alertmanager notifies a webhook.
func TestAlertsRingWhenTheTargetGetsWorse(t *testing.T) {
	t.Parallel()
	target := &changeable{}
	target.becomes(quick, 0)
	server, received := httptest.NewServer(target), &notified{}
	t.Cleanup(server.Close)
	webhook := httptest.NewServer(received)
	t.Cleanup(webhook.Close)
	e := startExporter(t, fmt.Sprintf(`
scenarios:
  - name: shop
    rate: %[1]d/s
    slo: {objective: 97%%, latency: 300ms}
    requests: [{name: get, url: "%[2]s/"}]
  - name: careful
    rate: 10/s
    back_off: {when_errors_exceed: 50%%, over: 2s, recover_over: 4s}
    requests: [{name: get, url: "%[2]s/"}]
`, alertRate, server.URL))
	am := startAlertmanager(t, webhook.URL)
	p := startAlerting(t, e.addr, am.addr)

	t.Log("the target is well")
	am.checkInhibition(t)
	patiently(t, func() error {
		n, err := p.value(`count_over_time(scenario:traffic_request_duration_seconds:success_p50_rate5m{scenario="shop"}[5m])`, time.Now())
		if err == nil && n < 16 {
			err = fmt.Errorf("the latency was recorded %v times only", n)
		}
		return err
	})
	if rang, err := p.were("firing"); err != nil || len(rang) > 0 || len(ofTarget(received.about("shop"))) > 0 {
		t.Errorf("alerts rang before anything was wrong: %q, %v, %v", rang, ofTarget(received.about("shop")), err)
	}

	t.Log("the target is slow")
	target.becomes(slow, 0)
	received.awaits(t, "firing", "shop", "TrafficLatencyBudgetBurn")
	p.fires(t, "TrafficLatencyRegression day", "TrafficLatencyRegression week")
	for _, a := range ofTarget(received.about("shop")) {
		if a.Labels["concern"] != "latency" {
			t.Errorf("the target is slow, and this rang: %v", a)
		}
	}
	patiently(t, func() error { return am.has("TrafficLatencyRegression", "suppressed") })
	if rang, err := p.were("pending"); err != nil || !slices.Contains(rang, "TrafficLatencyBudgetBurn") {
		t.Errorf("pending were %q, %v", rang, err)
	}

	t.Log("the target fails more often than not")
	target.becomes(quick, 7)
	received.awaits(t, "firing", "shop", "TrafficErrorBudgetBurn")
	received.awaits(t, "resolved", "shop", "TrafficLatencyBudgetBurn")
	if received.hasReceived("firing", "shop", "TrafficTargetDown") {
		t.Error("three of ten requests succeed, and the target is said to be down")
	}
	received.awaits(t, "firing", "careful", "TrafficBackOff")

	t.Log("the target is down")
	target.becomes(quick, 10)
	received.awaits(t, "firing", "shop", "TrafficTargetDown")
	patiently(t, func() error { return am.has("TrafficErrorBudgetBurn", "suppressed") })
	p.fires(t, "TrafficErrorRegression day", "TrafficErrorRegression week")

	t.Log("the target is well again")
	target.becomes(quick, 0)
	received.awaits(t, "resolved", "shop", "TrafficTargetDown")
	received.awaits(t, "resolved", "shop", "TrafficErrorBudgetBurn")
	patiently(t, func() error {
		firing, err := p.alerts(`ALERTS{alertstate="firing",concern!~"` + others + `"} or ALERTS{alertstate="firing",alertname="TrafficBackOff"}`)
		if err == nil && len(firing) > 0 {
			err = fmt.Errorf("%q still fire", firing)
		}
		return err
	})
	p.sound(t)
	e.stop(t)
}

// sound fails the test if a rule could not be evaluated.
func (p *prometheus) sound(t *testing.T) {
	t.Helper()
	body, err := get("http://" + p.addr + "/api/v1/rules")
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil || len(a.Data.Groups) == 0 {
		t.Fatalf("the rules are %s, %v", body, err)
	}
	for _, g := range a.Data.Groups {
		for _, r := range g.Rules {
			if r.Health != "ok" {
				t.Errorf("rule %s is %s: %s", r.Name, r.Health, r.LastError)
			}
		}
	}
}

// has returns nil if an alert about the scenario is in a state.
func (a *alertmanager) has(name, state string) error {
	states, err := a.states("scenario", "shop")
	if err == nil && states[name] != state {
		err = fmt.Errorf("%s is not %s: %v", name, state, states)
	}
	return err
}

// checkInhibition notifies Alertmanager of a generator that is overloaded: alerts about
// the latency of its scenario are kept quiet, those of another one are not.
func (a *alertmanager) checkInhibition(t *testing.T) {
	t.Helper()
	body := `[
{"labels": {"alertname": "TrafficGeneratorOverloaded", "concern": "generator", "scenario": "other"}},
{"labels": {"alertname": "TrafficLatencyBudgetBurn", "concern": "latency", "scenario": "other"}},
{"labels": {"alertname": "TrafficErrorBudgetBurn", "concern": "errors", "scenario": "other"}},
{"labels": {"alertname": "TrafficLatencyRegression", "concern": "latency", "scenario": "third"}}]`
	resp, err := http.Post("http://"+a.addr+"/api/v2/alerts", "application/json", bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	for scenario, want := range map[string]map[string]string{
		"other": {"TrafficGeneratorOverloaded": "active", "TrafficLatencyBudgetBurn": "suppressed", "TrafficErrorBudgetBurn": "active"},
		"third": {"TrafficLatencyRegression": "active"},
	} {
		eventually(t, func() error {
			got, err := a.states("scenario", scenario)
			if err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
				err = fmt.Errorf("alerts of scenario %s are %v, want %v", scenario, got, want)
			}
			return err
		})
	}
}
