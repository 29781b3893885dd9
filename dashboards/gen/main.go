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

// render returns the JSON of a dashboard.
func render(b *board) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false) // Comparisons in queries should be readable.
	e.SetIndent("", "  ")
	err := e.Encode(b.Dashboard)
	return buf.Bytes(), err
}

// write writes all dashboards to a folder.
func write(folder string) error {
	for name, b := range boards() {
		content, err := render(b)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
