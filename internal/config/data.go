package config

import (
	"fmt"
)

// Dataset is where the rows of data come from: a file, or the rows themselves.
type Dataset struct {
	// A file with the rows: CSV with a header row (.csv), a list in JSON (.json) or JSON Lines (.jsonl or .ndjson). It is read again when
	// it changes.
	File string `yaml:"file" format:"content"`
	// The rows: values such as strings and numbers, or mappings with the same keys.
	Rows []JSON `yaml:"rows" min:"1" max:"100000" format:"literal"`
	// Which row a slot gets: in_turn takes them one after the other, by the number of the slot, so that the fleet uses each row once before
	// it begins again; random takes any.
	Order Order `yaml:"order" default:"in_turn" oneof:"in_turn random"`
	// The column with how often a row is chosen, relative to the others. Needs order: random.
	Weight string `yaml:"weight"`
}

// Order is how rows are chosen.
type Order string

// The orders.
const (
	OrderInTurn Order = "in_turn"
	OrderRandom Order = "random"
)

// Column is a column of data that the file uses, and where it does. For data in a file, the
// code that reads it checks that the column is there.
type Column struct {
	// Data is the name of the data, Name that of the column.
	Data, Name string

	file, path string
	location   location
}

// Problem returns an error with the location where the column is used.
func (c Column) Problem(format string, args ...any) Error {
	return Error{File: c.file, Line: c.location.line, Column: c.location.column, Path: c.path, Problem: fmt.Sprintf(format, args...)}
}

// Missing returns the error for data that lacks the column.
func (c Column) Missing(columns []string) Error {
	hint := "its columns are " + list(columns, "and")
	if best := nearest(c.Name, columns); best != "" {
		hint = "did you mean " + best + "?"
	}
	return c.Problem("found the column %s, which %s does not have: %s", quote(c.Name), c.Data, hint)
}

// Columns returns the columns that are used of data in files, each where it is used first.
func (c *Config) Columns() []Column { return c.columns }

// File is a file that the configuration names and that is not a secret: data or a part of a
// body. Parse does not have it looked at, as it may be larger than a secret.
type File struct {
	// Path is its name, taken from the folder of the configuration.
	Path string
	// Data is the name of the data that it holds; empty for a part of a body.
	Data string

	file, path string
	place      location
}

// Problem returns an error with the location where the file is named.
func (f File) Problem(format string, args ...any) Error {
	return Error{File: f.file, Line: f.place.line, Column: f.place.column, Path: f.path, Problem: fmt.Sprintf(format, args...)}
}

// Files returns the files with data and with parts of bodies, in the order of the file.
func (c *Config) Files() []File { return c.files }
