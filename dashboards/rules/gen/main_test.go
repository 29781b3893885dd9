package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/dashboards/rules"
)

func TestRunWritesTheFile(t *testing.T) {
	folder := t.TempDir()
	if err := run(folder, "", 60); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(folder, rules.Name+".yaml"))
	if err != nil || !strings.Contains(string(content), "interval: 500ms") {
		t.Errorf("%d bytes, %v", len(content), err)
	}
}

func TestTheMixinIsUpToDate(t *testing.T) {
	made, checkedIn := t.TempDir(), filepath.Join("..", "..", "mixin")
	if err := run(made, made, 1); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rules.json", "thresholds.libsonnet"} {
		want, wantErr := os.ReadFile(filepath.Join(made, name))
		got, err := os.ReadFile(filepath.Join(checkedIn, name))
		if err != nil || wantErr != nil || string(got) != string(want) {
			t.Errorf("dashboards/mixin/%s is out of date, %v, %v: run `make generate`", name, err, wantErr)
		}
	}
}

func TestRunRefusesToStretchTimes(t *testing.T) {
	for _, scale := range []float64{0.5, 0, -1, math.NaN()} {
		if err := run(t.TempDir(), "", scale); err == nil || !strings.Contains(err.Error(), "below 1") {
			t.Errorf("scale %v: %v", scale, err)
		}
	}
	if err := run(filepath.Join(t.TempDir(), "nowhere"), "", 1); err == nil {
		t.Error("a folder that does not exist: no error")
	}
}
