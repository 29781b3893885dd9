// The command gen writes docs/config.schema.json and docs/configuration.md from the
// types of package config: their doc comments and their tags. It judges nothing: what
// a comment or a tag says is what the documentation says.
//
// Run it by go generate in internal/config.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(".", filepath.Join("..", "..", "docs")); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run writes the files for the package in the source folder to the folder docs.
func run(source, docs string) error {
	files, err := generate(source)
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(docs, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the files, by name, for the package in the source folder.
func generate(source string) (map[string][]byte, error) {
	m, err := parse(source)
	if err != nil {
		return nil, err
	}
	schema, err := m.schema()
	if err != nil {
		return nil, err
	}
	page, err := m.page()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"config.schema.json": schema, "configuration.md": page}, nil
}
