package settings_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/dashboards/settings"
)

func TestThresholdsAreNamedByTheirUnits(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-zA-Z0-9]+(Ratio|Seconds|Factor)$`)
	seen := map[string]bool{}
	for _, threshold := range settings.Thresholds() {
		if !name.MatchString(threshold.Name) || seen[threshold.Name] {
			t.Errorf("the name %q has no unit, or is there twice", threshold.Name)
		}
		seen[threshold.Name] = true
		if !strings.HasSuffix(threshold.Doc, ".") || threshold.Default <= 0 {
			t.Errorf("%s is by default %v, %q", threshold.Name, threshold.Default, threshold.Doc)
		}
		if strings.HasSuffix(threshold.Name, "Ratio") && threshold.Default > 1 {
			t.Errorf("%s is by default %v, which is above 1", threshold.Name, threshold.Default)
		}
	}
}

func TestFillReplacesPlaceholders(t *testing.T) {
	for text, want := range map[string]string{
		"a@{matchers} > @{burn1hFactor}":                    "a > 14.4",
		`sum by (@{replicaLabels}) (a{@{matchers,}b="c"})`:  `sum by (instance, pod, node) (a{b="c"})`,
		"@{clusterLabel}, @{namespaceLabel}, @{lateRatio}":  "cluster, namespace, 0.01",
		"none for @{for}, @ 1 {} $value {{ $labels.job }} ": "none for 10m, @ 1 {} $value {{ $labels.job }} ",
	} {
		if got, err := settings.Fill(text, "10m"); err != nil || got != want {
			t.Errorf("%q becomes %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestFillRefusesUnknownSettings(t *testing.T) {
	if got, err := settings.Fill("a > @{lateRatios} or b > @{x}", ""); err == nil || !strings.Contains(err.Error(), `"lateRatios"`) {
		t.Errorf("it becomes %q, %v", got, err)
	}
}
