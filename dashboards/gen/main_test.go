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

func TestFilesAreUpToDate(t *testing.T) {
	made, err := outputs()
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"", "grafana.com", "mixin/dashboards"} {
		paths, err := filepath.Glob(filepath.Join("..", folder, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			name := filepath.Join(folder, filepath.Base(path))
			if _, ok := made[name]; !ok {
				t.Errorf("nobody makes dashboards/%s", name)
			}
		}
	}
	for name, want := range made {
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
	made, err := outputs()
	if err != nil || len(made) != 3*len(boards()) {
		t.Fatalf("%d files, %v", len(made), err)
	}
	for name := range made {
		if content, err := os.ReadFile(filepath.Join(folder, name)); err != nil || !json.Valid(content) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := write(filepath.Join(folder, "overview.json")); err == nil {
		t.Error("no error for a folder that is a file")
	}
}
