package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const chartFile = "deploy/helm/traffic-exporter/Chart.yaml"

// read returns the content of a file of the project.
func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// line returns the value of a key at the top of a file in YAML.
func line(t *testing.T, name, key string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + key + `: "?([^"\n]+)"?$`).FindSubmatch(read(t, name))
	if m == nil {
		t.Fatalf("%s has no %q", name, key)
	}
	return string(m[1])
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
	if want := "traffic_exporter:" + line(t, chartFile, "appVersion") + "\n"; !strings.Contains(string(read(t, chartFile)), want) {
		t.Errorf("the annotations of %s name another image than %q", chartFile, want)
	}
}

func TestTheChartHasTheVersionOfTheLastRelease(t *testing.T) {
	m := regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+) / \d{4}-\d{2}-\d{2}$`).FindSubmatch(read(t, "CHANGELOG.md"))
	if m == nil {
		t.Fatal("CHANGELOG.md has no release")
	}
	released := string(m[1])
	if version, app := line(t, chartFile, "version"), line(t, chartFile, "appVersion"); version != released || app != "v"+released {
		t.Errorf("version %q and appVersion %q, but CHANGELOG.md has %s", version, app, released)
	}
}
