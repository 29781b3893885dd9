package chart

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// sourceGroups returns the groups of the project's own rules.
func sourceGroups(t *testing.T) []monitoring.RuleGroup {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "dashboards/rules/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found the rules %q, %v", files, err)
	}
	var all []monitoring.RuleGroup
	for _, file := range files {
		var spec monitoring.PrometheusRuleSpec
		if err := yaml.UnmarshalStrict([]byte(read(t, file)), &spec); err != nil {
			t.Fatal(err)
		}
		all = append(all, spec.Groups...)
	}
	return all
}

// rendered returns the groups of the rules that the chart renders.
func rendered(t *testing.T, m *manifests) []monitoring.RuleGroup {
	t.Helper()
	found := all[*monitoring.PrometheusRule](m)
	if len(found) != 1 {
		t.Fatalf("found %d PrometheusRules, want 1", len(found))
	}
	return found[0].Spec.Groups
}

func TestRulesComeThroughHelmAsTheyAre(t *testing.T) {
	t.Parallel()
	got := rendered(t, render(t, set(t, "rules: {enabled: true}")))
	if want := sourceGroups(t); !reflect.DeepEqual(got, want) {
		t.Errorf("the rules are %v, want %v", got, want)
	}
	if !strings.Contains(got[len(got)-1].Rules[2].Annotations["description"], "{{ $labels.instance }}") {
		t.Error("the last group's descriptions have lost their placeholders, or these tests have to look elsewhere")
	}
}

// Rules that look like Helm's templates in all ways do, too.
func TestWhatLooksLikeATemplateIsNone(t *testing.T) {
	t.Parallel()
	folder := copyChart(t)
	tricky := "{{ .Values.replicas }} {{ $value }} {{- with 1 }} `{{`{{`}}` \u00e9 <b> & 'q' \"q\"\n\tend"
	rule := monitoring.Rule{Alert: "TrafficTricky", Annotations: map[string]string{"summary": tricky}}
	rule.Expr.StrVal, rule.Expr.Type = `up{job="{{ x }}"} == 0`, 1
	text, err := yaml.Marshal(monitoring.PrometheusRuleSpec{Groups: []monitoring.RuleGroup{{Name: "tricky", Rules: []monitoring.Rule{rule}}}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "files/rules/a.yaml"), string(text))
	dashboards := filepath.Join(folder, "files/dashboards")
	if err = os.MkdirAll(dashboards, 0o700); err != nil {
		t.Fatal(err)
	}
	dashboard := "{\n \"title\": \"{{ .Values.replicas }}\",\n \"legend\": \"{{scenario}} $__rate_interval \\\" \\n <>&\"\n}\n"
	write(t, filepath.Join(dashboards, "tricky.json"), dashboard)

	m := renderFrom(t, folder, set(t, "rules: {enabled: true}\ndashboards: {enabled: true}"))
	if got := rendered(t, m)[0].Rules[0]; !reflect.DeepEqual(got, rule) {
		t.Errorf("the rule is %v, want %v", got, rule)
	}
	if got := get[*core.ConfigMap](t, m, name+"-dashboard-tricky").Data[namespace+"-"+name+"-tricky.json"]; got != dashboard {
		t.Errorf("the dashboard is %q, want %q", got, dashboard)
	}
}

func TestDashboardsComeThroughHelmAsTheyAre(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob(filepath.Join(root, "dashboards/*.json"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("found the dashboards %q, %v", sources, err)
	}
	m := render(t, "--values", filepath.Join(chartFolder(), "ci/monitoring-values.yaml"))
	for _, source := range sources {
		file := filepath.Base(source)
		c := get[*core.ConfigMap](t, m, namespace+"-"+name+"-dashboard-"+strings.TrimSuffix(file, ".json"))
		if c.Data[namespace+"-"+name+"-"+file] != read(t, source) || c.Namespace != "monitoring" || c.Labels["grafana_dashboard"] != "1" || c.Annotations["grafana_folder"] != "Traffic" {
			t.Errorf("ConfigMap %s/%s with labels %v and annotations %v is not %s", c.Namespace, c.Name, c.Labels, c.Annotations, source)
		}
	}
}

func TestAlertsAreLeftOutAndLabelled(t *testing.T) {
	t.Parallel()
	m := render(t, "--values", filepath.Join(chartFolder(), "ci/monitoring-values.yaml"))
	var want []monitoring.RuleGroup
	for _, group := range sourceGroups(t) {
		group.Rules = slices.DeleteFunc(group.Rules, func(r monitoring.Rule) bool {
			return r.Alert == "TrafficOverrideForgotten" || r.Alert == "TrafficErrorBudgetBurn"
		})
		for i, r := range group.Rules {
			if r.Alert == "" {
				continue
			}
			r.Annotations["runbook_url"] = "https://wiki.example.com/traffic#" + strings.ToLower(r.Alert)
			labels := maps.Clone(r.Labels)
			labels["team"] = "platform"
			if r.Alert == "TrafficRateShort" {
				labels["severity"], labels["team"] = "critical", "storefront"
			}
			group.Rules[i].Labels = labels
		}
		want = append(want, group)
	}
	if got := rendered(t, m); !reflect.DeepEqual(got, want) {
		t.Errorf("the rules are %v, want %v", got, want)
	}
}

func TestNativeHistogramsAreScrapedWhereTheyCanBe(t *testing.T) {
	t.Parallel()
	s := get[*monitoring.ServiceMonitor](t, render(t, set(t, "monitor: {enabled: true}")), name)
	if native, classic := s.Spec.ScrapeNativeHistograms, s.Spec.ScrapeClassicHistograms; native == nil || !*native || classic == nil || *classic {
		t.Errorf("native histograms: %v, classic ones: %v", native, classic)
	}
	for _, kind := range []string{"ServiceMonitor", "PodMonitor"} {
		if m := render(t, set(t, "monitor: {enabled: true, nativeHistograms: false, kind: "+kind+"}")); strings.Contains(m.text, "Histogram") {
			t.Errorf("a %s for an old operator has fields that it does not know", kind)
		}
	}
}
