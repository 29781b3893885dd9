// The command gen writes the Grafana dashboards as JSON. What all of them look like is
// in style.go, what they ask in promql.go, and each has a file of its own.
//
// Run it by go generate ./dashboards/gen.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/traffic-exporter/traffic_exporter/dashboards/settings"
)

//go:generate go run . ..

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// boards returns the dashboards by the names of their files.
func boards() map[string]*board {
	return map[string]*board{"overview.json": overview(), "scenario.json": scenario(), "fleet.json": fleet()}
}

// outputs returns the contents of all files by their paths below dashboards/: those with the
// defaults of all settings, those of the mixin with placeholders, and those for grafana.com.
func outputs() (map[string][]byte, error) {
	all := map[string][]byte{}
	for name, b := range boards() {
		template, err := render(b.Dashboard)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		public, err := render(published(b.Dashboard))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[filepath.Join("mixin", "dashboards", name)] = template
		for path, content := range map[string][]byte{name: template, filepath.Join("grafana.com", name): public} {
			filled, err := settings.Fill(string(content), "")
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			all[path] = []byte(filled)
		}
	}
	return all, nil
}

// render returns the JSON of a document.
func render(document any) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false) // Comparisons in queries should be readable.
	e.SetIndent("", "  ")
	err := e.Encode(document)
	return buf.Bytes(), err
}

// write writes all files to a folder.
func write(folder string) error {
	all, err := outputs()
	if err != nil {
		return err
	}
	for name, content := range all {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
