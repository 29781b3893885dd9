package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

// publishedFiles are the dashboards for grafana.com as they are checked in.
func publishedFiles(t *testing.T) map[string]grafana.Published {
	t.Helper()
	all := map[string]grafana.Published{}
	for name := range boards() {
		content, err := os.ReadFile(filepath.Join("..", "grafana.com", name))
		if err != nil {
			t.Fatal(err)
		}
		var d grafana.Published
		if err := json.Unmarshal(content, &d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = d
	}
	return all
}

func TestPublishedDashboardsAskForTheirInputs(t *testing.T) {
	for name, d := range publishedFiles(t) {
		content, err := json.Marshal(d.Dashboard)
		if err != nil {
			t.Fatal(err)
		}
		declared := map[string]bool{}
		for _, input := range d.Inputs {
			declared[input.Name] = true
			if input.Type != "datasource" || input.PluginID != "prometheus" || input.Label == "" {
				t.Errorf("%s: input %+v is no Prometheus", name, input)
			}
		}
		used := map[string]bool{}
		for _, match := range regexp.MustCompile(`\$\{(DS_\w+)\}`).FindAllStringSubmatch(string(content), -1) {
			used[match[1]] = true
			if !declared[match[1]] {
				t.Errorf("%s: no input is named %s", name, match[1])
			}
		}
		for input := range declared {
			if !used[input] {
				t.Errorf("%s: input %s is not used", name, input)
			}
		}
	}
}

func TestPublishedDashboardsNameNoDataSourceOfOurs(t *testing.T) {
	// An import page replaces inputs only: all else has to name the variable that has the input's value.
	uid := regexp.MustCompile(`"uid":"([^"]*)"`)
	for name, d := range publishedFiles(t) {
		if d.ID != nil || d.UID == "" {
			t.Errorf("%s: id %v, uid %q", name, d.ID, d.UID)
		}
		content, err := json.Marshal([]any{d.Panels, d.Templating, d.Annotations})
		if err != nil {
			t.Fatal(err)
		}
		matches := uid.FindAllStringSubmatch(string(content), -1)
		if len(matches) < 10 {
			t.Errorf("%s: only %d data sources were found", name, len(matches))
		}
		for _, match := range matches {
			if match[1] != "${datasource}" {
				t.Errorf("%s: data source %q", name, match[1])
			}
		}
		i := slices.IndexFunc(d.Templating.List, func(v grafana.Variable) bool { return v.Name == "datasource" })
		if i < 0 || d.Templating.List[i].Current == nil || d.Templating.List[i].Current.Value != "${"+source+"}" {
			t.Errorf("%s: the variable datasource does not begin with the input", name)
		}
	}
}

func TestPublishedDashboardsListThePanelsThatTheyNeed(t *testing.T) {
	for name, d := range publishedFiles(t) {
		need := map[string]bool{"grafana": true, "prometheus": true}
		for _, p := range d.Panels {
			if p.Type != "row" {
				need[p.Type] = true
			}
		}
		for _, r := range d.Requires {
			if !need[r.ID] || r.Name == "" {
				t.Errorf("%s: requires %+v", name, r)
			}
			delete(need, r.ID)
		}
		if len(need) > 0 {
			t.Errorf("%s does not list %v", name, need)
		}
	}
}
