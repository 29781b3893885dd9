package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

// files are the dashboards as they are checked in.
func files(t *testing.T) map[string]grafana.Dashboard {
	t.Helper()
	all := map[string]grafana.Dashboard{}
	paths, err := filepath.Glob("../*.json")
	if err != nil || len(paths) < 3 {
		t.Fatalf("dashboards %v, %v", paths, err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var d grafana.Dashboard
		if err := json.Unmarshal(content, &d); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all[filepath.Base(path)] = d
	}
	return all
}

func TestDashboardsAreUpToDate(t *testing.T) {
	made := boards()
	for name := range files(t) {
		if made[name] == nil {
			t.Errorf("nobody makes dashboards/%s", name)
		}
	}
	for name, b := range made {
		want, err := render(b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("dashboards/%s is out of date: run go generate ./dashboards/gen", name)
		}
	}
}

func TestWriteWritesTheFiles(t *testing.T) {
	folder := t.TempDir()
	if err := write(folder); err != nil {
		t.Fatal(err)
	}
	for name := range boards() {
		if content, err := os.ReadFile(filepath.Join(folder, name)); err != nil || !json.Valid(content) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := write(filepath.Join(folder, "none")); err == nil {
		t.Error("no error for a folder that is not there")
	}
}
