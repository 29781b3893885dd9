// Package mixin renders the mixin by Jsonnet and holds it against the files of rules and dashboards, and, with other
// settings, against promtool. `make rules` builds what it needs and runs it.
//
// It is a module of its own, so that the exporter's does not depend on Jsonnet.
package mixin

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-jsonnet"
	"gopkg.in/yaml.v3"
)

// folder is where the rules, the dashboards and the mixin are.
const folder = "../../dashboards"

type rule struct {
	Record, Alert, Expr, For string
	Labels, Annotations      map[string]string
}

type mixin struct {
	Rules      struct{ Groups []any }
	Alerts     struct{ Groups []any }
	Dashboards map[string]any
}

// render returns the mixin with a configuration.
func render(t *testing.T, config string) (mixin, error) {
	t.Helper()
	vm := jsonnet.MakeVM()
	vm.Importer(&jsonnet.FileImporter{JPaths: []string{filepath.Join(folder, "mixin")}})
	text, err := vm.EvaluateAnonymousSnippet("test.jsonnet", fmt.Sprintf(`
local m = (import 'mixin.libsonnet') + { _config+:: { %s } };
{ Rules: m.prometheusRules, Alerts: m.prometheusAlerts, Dashboards: m.grafanaDashboards }`, config))
	if err != nil {
		return mixin{}, err
	}
	var m mixin
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m, nil
}

func mustRender(t *testing.T, config string) mixin {
	t.Helper()
	m, err := render(t, config)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// file returns what a file of YAML or JSON holds.
func file(t *testing.T, name string) any {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := yaml.Unmarshal(content, &value); err != nil {
		t.Fatal(err)
	}
	return plain(t, value)
}

// plain returns a value as JSON has it.
func plain(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// groups returns all groups, in the order of the file of rules.
func (m mixin) groups() map[string]any {
	return map[string]any{"groups": append(append([]any{}, m.Rules.Groups...), m.Alerts.Groups...)}
}

// alerts returns the alerts by name; of several of a name the last.
func (m mixin) alerts(t *testing.T) map[string]rule {
	t.Helper()
	text, err := json.Marshal(m.Alerts.Groups)
	if err != nil {
		t.Fatal(err)
	}
	var groups []struct{ Rules []rule }
	if err := json.Unmarshal(text, &groups); err != nil {
		t.Fatal(err)
	}
	all := map[string]rule{}
	for _, g := range groups {
		for _, r := range g.Rules {
			all[r.Alert] = r
		}
	}
	return all
}

// write writes the rules to a folder of the test's and returns the path.
func (m mixin) write(t *testing.T) string {
	t.Helper()
	text, err := yaml.Marshal(m.groups())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "traffic-exporter.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// promtool runs promtool, which TRAFFIC_MIXIN_PROMTOOL names.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path := os.Getenv("TRAFFIC_MIXIN_PROMTOOL")
	if path == "" {
		t.Fatal("run `make rules`, which sets TRAFFIC_MIXIN_PROMTOOL")
	}
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v: %s", args[0], err, out)
	}
}

func TestByDefaultItIsTheFiles(t *testing.T) {
	t.Parallel()
	m := mustRender(t, "")
	if got := plain(t, m.groups()); !reflect.DeepEqual(got, file(t, "rules/traffic-exporter.yaml")) {
		t.Error("the rules are not those of dashboards/rules/traffic-exporter.yaml")
	}
	if len(m.Dashboards) != 3 {
		t.Errorf("%d dashboards", len(m.Dashboards))
	}
	for name, got := range m.Dashboards {
		if source := strings.TrimPrefix(name, "traffic-exporter-"); !reflect.DeepEqual(got, file(t, source)) {
			t.Errorf("%s is not dashboards/%s", name, source)
		}
	}
}

// other is a configuration of labels with which the project's own tests of rules still pass.
const other = `selector: 'job="traffic_exporter"', replicaLabels: ['instance', 'pod', 'node', 'host'], clusterLabel: 'k8s_cluster', namespaceLabel: 'ns'`

// The tests of these files have no other job than the selector's.
func TestWithASelectorTheRulesPassTheirTests(t *testing.T) {
	t.Parallel()
	path := mustRender(t, other).write(t)
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", path)
	for _, name := range []string{"follow", "override"} {
		content, err := os.ReadFile(filepath.Join(folder, "rules/tests", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		test := strings.ReplaceAll(string(content), "../traffic-exporter.yaml", path)
		to := filepath.Join(t.TempDir(), name+".yaml")
		if err := os.WriteFile(to, []byte(test), 0o600); err != nil {
			t.Fatal(err)
		}
		promtool(t, "test", "rules", to)
	}
}

func TestASelectorIsInEverySelector(t *testing.T) {
	t.Parallel()
	metric := regexp.MustCompile(`\b(?:[a-z]+:)?traffic_[a-z0-9_]+(?::[a-z0-9_]+)?\b(\{[^}]*\})?`)
	m := mustRender(t, `selector: 'job="demo"'`)
	n := 0
	check := func(expr string) {
		for _, match := range metric.FindAllStringSubmatch(expr, -1) {
			n++
			if !strings.HasPrefix(match[1], `{job="demo"`) {
				t.Errorf("%s in %s", match[0], expr)
			}
		}
	}
	var walk func(key string, value any)
	walk = func(key string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for k, v := range value {
				walk(k, v)
			}
		case []any:
			for _, v := range value {
				walk(key, v)
			}
		case string:
			if key == "expr" || key == "query" {
				check(value)
			}
		}
	}
	walk("", m.groups())
	walk("", plain(t, m.Dashboards))
	if n < 500 {
		t.Errorf("only %d selectors were found", n)
	}
}

func TestLabelsHaveTheNamesOfTheConfiguration(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(mustRender(t, other))
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{`\b(cluster|namespace)=~`, `by \((cluster|namespace)`, `, (cluster|namespace)[,)]`, `without \(instance, pod, node[,)] [^h]`} {
		if found := regexp.MustCompile(wrong).FindString(string(text)); found != "" {
			t.Errorf("%q is there", found)
		}
	}
	if !strings.Contains(string(text), "by (k8s_cluster, ns, job") || !strings.Contains(string(text), "without (instance, pod, node, host)") {
		t.Error("the configured labels are not there")
	}
}

// Alerts fire by the user's thresholds: a skew of a second is above the default, and one of three above 2.
func TestThresholdsDecideWhatFires(t *testing.T) {
	t.Parallel()
	test := filepath.Join(t.TempDir(), "test.yaml")
	content := fmt.Sprintf(`
rule_files: [%s]
tests:
  - interval: 1m
    input_series:
      - {series: 'traffic_fleet_clock_skew_seconds{job="a",instance="one"}', values: '1x20'}
      - {series: 'traffic_fleet_clock_skew_seconds{job="a",instance="three"}', values: '-3x20'}
    alert_rule_test:
      - {eval_time: 6m, alertname: TrafficClockSkew, exp_alerts: []}
      - eval_time: 15m
        alertname: TrafficClockSkew
        exp_alerts:
          - exp_labels: {job: a, instance: three, concern: fleet, severity: critical, team: load}
            exp_annotations:
              summary: The clock of a replica is wrong.
              description: The clock of replica three of a is 3s from those of the others.
              runbook_url: https://wiki.example.com/load#trafficclockskew
`, mustRender(t, `thresholds+: { clockSkewSeconds: 2 }, forByAlert: { TrafficClockSkew: '10m' }, alertLabels: { team: 'load' },
		labelsByAlert: { TrafficClockSkew: { severity: 'critical' } }, runbookUrl: 'https://wiki.example.com/load'`).write(t))
	if err := os.WriteFile(test, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "test", "rules", test)
}

func TestAnnotationsFollowTheSettings(t *testing.T) {
	t.Parallel()
	alerts := mustRender(t, `thresholds+: { errorRegressionFactor: 4.5, followStaleSeconds: 900 }, forByAlert: { TrafficReplicaDown: '1h' }`).alerts(t)
	for name, want := range map[string]string{
		"TrafficErrorRegression": "more than 4.5 times as many as",
		"TrafficFollowStale":     "for more than 900 seconds.",
		"TrafficReplicaDown":     "to Prometheus for 1h.",
	} {
		if got := alerts[name].Annotations["description"]; !strings.Contains(got, want) {
			t.Errorf("%s says %q, want %q in it", name, got, want)
		}
	}
}

func TestAlertsAreLeftOut(t *testing.T) {
	t.Parallel()
	m := mustRender(t, `disabledAlerts: ['TrafficClockSkew', 'TrafficErrorBudgetBurn']`)
	alerts := m.alerts(t)
	if _, found := alerts["TrafficClockSkew"]; found {
		t.Error("TrafficClockSkew is there")
	}
	if _, found := alerts["TrafficLatencyBudgetBurn"]; !found {
		t.Error("TrafficLatencyBudgetBurn is not there")
	}
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", m.write(t))
}

func TestWrongSettingsAreRefusedByName(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`thresholds+: { lateRatio: 2 }`:       "thresholds.lateRatio: 2 is above 1",
		`thresholds+: { lateRatio: '1%' }`:    `thresholds.lateRatio: "1%" is not a number`,
		`thresholds+: { burn1hFactor: 0 }`:    "thresholds.burn1hFactor: 0 is not a number above 0",
		`thresholds+: { late: 1 }`:            "thresholds: there is no late, only",
		`thresholds: { lateRatio: 0.5 }`:      "thresholds: burn1dFactor is missing",
		`disabledAlerts: ['TrafficFoo']`:      "there is no alert TrafficFoo, only",
		`forByAlert: { TrafficFoo: '1m' }`:    "there is no alert TrafficFoo, only",
		`labelsByAlert: { TrafficFoo: {} }`:   "there is no alert TrafficFoo, only",
		`forByAlert: { TrafficBackOff: 300 }`: "forByAlert.TrafficBackOff: 300 is no duration, such as 10m",
	} {
		if _, err := render(t, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %s", config, err, want)
		}
	}
}

func TestTheReadmesCommandsRender(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(folder, "mixin/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	settings := regexp.MustCompile("(?s)```jsonnet\n(.*?)```").FindSubmatch(readme)
	expressions := regexp.MustCompile(`(?m)^jsonnet .*'([^'\n]+)'`).FindAllSubmatch(readme, -1)
	if settings == nil || len(expressions) != 3 {
		t.Fatalf("found the settings %q and %d commands, expected 3", settings, len(expressions))
	}
	dir := t.TempDir()
	if err = os.WriteFile(filepath.Join(dir, "traffic.libsonnet"), settings[1], 0o600); err != nil {
		t.Fatal(err)
	}
	project, err := filepath.Abs(filepath.Join(folder, ".."))
	if err != nil {
		t.Fatal(err)
	}
	vendored := filepath.Join(dir, "vendor/github.com/traffic-exporter")
	if err = os.MkdirAll(vendored, 0o700); err != nil {
		t.Fatal(err)
	}
	if err = os.Symlink(project, filepath.Join(vendored, "traffic_exporter")); err != nil {
		t.Fatal(err)
	}
	for _, e := range expressions {
		vm := jsonnet.MakeVM()
		vm.Importer(&jsonnet.FileImporter{JPaths: []string{dir, filepath.Join(dir, "vendor")}})
		if _, err := vm.EvaluateAnonymousSnippet("command.jsonnet", string(e[1])); err != nil {
			t.Errorf("%s: %v", e[1], err)
		}
	}
}
