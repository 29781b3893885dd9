package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const chartFile = "deploy/helm/traffic-exporter/Chart.yaml"

// line returns the value of a key at the top of a file in YAML.
func line(t *testing.T, name, key string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + key + `: "?([^"\n]+)"?$`).FindStringSubmatch(read(t, filepath.Join(root, name)))
	if m == nil {
		t.Fatalf("%s has no %q", name, key)
	}
	return m[1]
}

func TestTheSiteHasTheIconOfTheChart(t *testing.T) {
	icon, site := line(t, chartFile, "icon"), line(t, "mkdocs.yml", "site_url")
	path, ok := strings.CutPrefix(icon, site)
	if !ok {
		t.Fatalf("icon %q is not at %q", icon, site)
	}
	if _, err := os.Stat(filepath.Join(root, "docs", path)); err != nil {
		t.Errorf("icon %q: %v", icon, err)
	}
}

func TestArtifactHubShowsTheImageThatTheChartRuns(t *testing.T) {
	if want := "traffic_exporter:" + line(t, chartFile, "appVersion") + "\n"; !strings.Contains(read(t, filepath.Join(root, chartFile)), want) {
		t.Errorf("the annotations of %s name another image than %q", chartFile, want)
	}
}
