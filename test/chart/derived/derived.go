// Package derived knows the files of the chart that follow from others.
package derived

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/traffic-exporter/traffic_exporter/test/chart/values"
)

// Folder is where the chart is in the project.
const Folder = "deploy/helm/traffic-exporter"

// Change is a change that a file needs.
type Change struct {
	Path string
	// Content is what should be in it; nil if it should not be there.
	Content []byte
}

// Apply does it.
func (c Change) Apply() error {
	if c.Content == nil {
		return os.Remove(c.Path)
	}
	if err := os.MkdirAll(filepath.Dir(c.Path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(c.Path, c.Content, 0o644)
}

// Changes returns the changes that the chart of the project in the folder root needs;
// none if it is up to date.
func Changes(root string) ([]Change, error) {
	chart := filepath.Join(root, Folder)
	wanted, err := fromValues(root, chart)
	if err != nil {
		return nil, err
	}
	changes, err := compare(wanted)
	if err != nil {
		return nil, err
	}
	for _, c := range []struct{ sources, to string }{
		{"dashboards/mixin/rules.json", "files/rules"},
		{"dashboards/*.json", "files/dashboards"},
	} {
		more, copyErr := copies(filepath.Join(root, c.sources), filepath.Join(chart, c.to))
		if copyErr != nil {
			return nil, copyErr
		}
		changes = append(changes, more...)
	}
	return changes, nil
}

// fromValues returns the files that follow from values.yaml.
func fromValues(root, chart string) ([]Change, error) {
	content, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		return nil, err
	}
	config, err := os.ReadFile(filepath.Join(root, "docs/config.schema.json"))
	if err != nil {
		return nil, err
	}
	all, err := values.Parse(content)
	if err != nil {
		return nil, err
	}
	schema, err := values.Schema(all, config)
	if err != nil {
		return nil, err
	}
	readme, err := values.Readme(all)
	if err != nil {
		return nil, err
	}
	return []Change{{filepath.Join(chart, "values.schema.json"), schema}, {filepath.Join(chart, "README.md"), readme}}, nil
}

// copies returns the changes after which the folder to holds the sources and nothing
// else.
func copies(pattern, to string) ([]Change, error) {
	sources, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		return nil, fmt.Errorf("found no %s", pattern)
	}
	there, err := filepath.Glob(filepath.Join(to, "*"))
	if err != nil {
		return nil, err
	}
	var wanted []Change
	for _, source := range sources {
		content, readErr := os.ReadFile(source)
		if readErr != nil {
			return nil, readErr
		}
		path := filepath.Join(to, filepath.Base(source))
		wanted = append(wanted, Change{path, content})
		there = slices.DeleteFunc(there, func(p string) bool { return p == path })
	}
	changes, err := compare(wanted)
	for _, path := range there {
		changes = append(changes, Change{Path: path})
	}
	return changes, err
}

// compare returns those changes that are not done yet.
func compare(wanted []Change) ([]Change, error) {
	var changes []Change
	for _, c := range wanted {
		content, err := os.ReadFile(c.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err != nil || !bytes.Equal(content, c.Content) {
			changes = append(changes, c)
		}
	}
	return changes, nil
}
