package chart

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"gopkg.in/yaml.v3"
	kyaml "sigs.k8s.io/yaml"
)

// defaultThresholds returns the thresholds of values.yaml.
func defaultThresholds(t *testing.T) map[string]float64 {
	t.Helper()
	var values struct {
		Rules struct{ Thresholds map[string]float64 }
	}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(chartFolder(), "values.yaml"))), &values); err != nil {
		t.Fatal(err)
	}
	return values.Rules.Thresholds
}

func TestThresholdsAreThoseOfTheRules(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, match := range regexp.MustCompile(`@\{(\w+(?:Ratio|Seconds|Factor))\}`).FindAllStringSubmatch(read(t, filepath.Join(chartFolder(), "files/rules/rules.json")), -1) {
		used[match[1]] = true
	}
	thresholds := defaultThresholds(t)
	if len(thresholds) == 0 {
		t.Fatal("values.yaml has no thresholds")
	}
	for name := range thresholds {
		if !used[name] {
			t.Errorf("no rule has the threshold %s", name)
		}
		delete(used, name)
	}
	for name := range used {
		t.Errorf("values.yaml does not have the threshold %s", name)
	}
}

// Every threshold, set to another value, is in the expressions, and Prometheus takes the result.
func TestThresholdsCanBeSet(t *testing.T) {
	t.Parallel()
	values := "rules:\n  enabled: true\n  thresholds:\n"
	names := defaultThresholds(t)
	for name := range names {
		values += "    " + name + ": 0.123\n"
	}
	groups := rendered(t, render(t, set(t, values)))
	changed := 0
	for i, group := range sourceGroups(t) {
		for j, was := range group.Rules {
			is := groups[i].Rules[j]
			if is.Expr != was.Expr {
				changed++
			}
			if n := strings.Count(is.Expr.String(), "0.123"); (is.Expr != was.Expr) != (n > 0) {
				t.Errorf("%s%s has the threshold %d times: %s", is.Record, is.Alert, n, is.Expr.String())
			}
			if strings.Contains(is.Annotations["description"], "more than 2 times") {
				t.Errorf("the description of %s has another threshold: %s", is.Alert, is.Annotations["description"])
			}
		}
	}
	if changed < len(names) {
		t.Errorf("%d expressions have changed, with %d thresholds", changed, len(names))
	}
	checkRules(t, groups)
}

// checkRules has promtool check rules.
func checkRules(t *testing.T, groups []monitoring.RuleGroup) {
	t.Helper()
	text, err := kyaml.Marshal(monitoring.PrometheusRuleSpec{Groups: groups})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	write(t, file, string(text))
	if out, err := exec.CommandContext(t.Context(), env().promtool, "check", "rules", "--lint=all", "--lint-fatal", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAlertsWaitForTheTimeInTheValues(t *testing.T) {
	t.Parallel()
	groups := rendered(t, render(t, set(t, "rules: {enabled: true, expected: [{job: a}], forByAlert: {TrafficReplicaDown: 1h30m, TrafficFleetAbsent: 2m}}")))
	checked := map[string]string{}
	for _, group := range groups {
		for _, r := range group.Rules {
			if r.For != nil && slices.Contains([]string{"TrafficReplicaDown", "TrafficFleetAbsent", "TrafficReplicaSilent"}, r.Alert) {
				checked[r.Alert] = string(*r.For)
				if !strings.Contains(r.Annotations["description"], " for "+string(*r.For)+".") {
					t.Errorf("%s waits %s: %q", r.Alert, *r.For, r.Annotations["description"])
				}
			}
		}
	}
	if checked["TrafficReplicaDown"] != "1h30m" || checked["TrafficFleetAbsent"] != "2m" || checked["TrafficReplicaSilent"] != "5m" {
		t.Errorf("alerts wait %v", checked)
	}
}

func TestWrongThresholdsAreRefusedByName(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ values, want string }{
		"a string":             {"thresholds: {lateRatio: 1%}", "'/rules/thresholds/lateRatio': got string, want number"},
		"more than all":        {"thresholds: {lateRatio: 1.5}", "'/rules/thresholds/lateRatio': maximum: got 1.5, want 1"},
		"none":                 {"thresholds: {sendDelaySeconds: 0}", "'/rules/thresholds/sendDelaySeconds': exclusiveMinimum: got 0, want 0"},
		"less than none":       {"thresholds: {burn1hFactor: -1}", "'/rules/thresholds/burn1hFactor': exclusiveMinimum"},
		"null":                 {"thresholds: {lateRatio: null}", "rules.thresholds.lateRatio: has no value"},
		"an unknown threshold": {"thresholds: {late: 0.1}", "'/rules/thresholds': additional properties 'late' not allowed"},
		"a null section":       {"thresholds: null", "'/rules': missing property 'thresholds'"},
		"no section":           {"thresholds: 3", "'/rules/thresholds': got number, want object"},
		"no duration":          {"forByAlert: {TrafficRateShort: soon}", "'/rules/forByAlert/TrafficRateShort'"},
		"a number to wait":     {"forByAlert: {TrafficRateShort: 5}", "'/rules/forByAlert/TrafficRateShort': got number, want string"},
		"an unknown alert":     {"forByAlert: {TrafficRateLong: 5m}", `there is no alert "TrafficRateLong"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := template(t, chartFolder(), set(t, "rules:\n  enabled: true\n  "+tc.values))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %s", err, tc.want)
			}
		})
	}
}
