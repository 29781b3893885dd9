package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	want, err := generate("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range want {
		got, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(content) {
			t.Errorf("docs/%s is out of date: run go generate ./internal/config", name)
		}
	}
}

func TestEveryTypeAndKeyIsDocumented(t *testing.T) {
	m, err := parse("..")
	if err != nil {
		t.Fatal(err)
	}
	if len(m.order) < 15 {
		t.Errorf("only %d structs: %v", len(m.order), m.order)
	}
	for _, name := range m.order {
		if m.types[name].doc == "" {
			t.Errorf("type %s has no comment", name)
		}
		for _, k := range m.types[name].keys {
			if !strings.HasSuffix(k.doc, ".") {
				t.Errorf("%s.%s: comment %q is not a sentence", name, k.name, k.doc)
			}
			if k.typ == "" {
				t.Errorf("%s.%s: has a type that the generator does not understand", name, k.name)
			}
		}
	}
}

func TestLabelsAreTheKeysOfTheFile(t *testing.T) {
	for name, want := range map[string]string{
		"Scenario": "scenario", "HTTPConfig": "http_config", "TLSConfig": "tls_config", "SLO": "slo", "URL": "url",
		"DayPoint": "day_point", "TimeOfWeek": "time_of_week",
	} {
		if got := label(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestGenerateReportsMistakesInTheSource(t *testing.T) {
	if _, err := generate(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no type Config") {
		t.Errorf("empty folder: %v", err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "x.go"), []byte("package"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := generate(folder); err == nil {
		t.Error("broken source: no error")
	}
}

func TestRunWritesTheFiles(t *testing.T) {
	docs := t.TempDir()
	if err := run("..", docs); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config.schema.json", "configuration.md"} {
		if content, err := os.ReadFile(filepath.Join(docs, name)); err != nil || len(content) < 5000 {
			t.Errorf("%s: %d bytes, %v", name, len(content), err)
		}
	}
}
