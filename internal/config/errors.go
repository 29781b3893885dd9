package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error is one mistake in a configuration file.
type Error struct {
	File string
	// Line and Column start at 1; Column is 0 where it is not known.
	Line, Column int
	// Path is the key's way from the root, such as scenarios[2].timeout; empty for
	// the root and for errors of syntax.
	Path string
	// Problem names the value found and the expected one. It holds no secret and no
	// value of the environment.
	Problem string
}

// Error returns the error as file:line:column: path: problem.
func (e Error) Error() string {
	place := fmt.Sprintf("%s:%d", e.File, e.Line)
	if e.Column > 0 {
		place += fmt.Sprintf(":%d", e.Column)
	}
	if e.Path != "" {
		place += ": " + e.Path
	}
	return place + ": " + e.Problem
}

// Errors is all that is wrong with a configuration file, sorted by position.
type Errors []Error

// Error returns the errors, one a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the single errors, for errors.As.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, err := range e {
		all[i] = err
	}
	return all
}

// location is where a value stands in the file, and how it is written there.
type location struct {
	line, column int
	text         string
}

// report collects the errors of one file and remembers where everything stands.
type report struct {
	file      string
	errs      Errors
	locations map[string]location
	// bad holds the paths of wrong values, tainted those and all paths above them.
	bad, tainted map[string]bool
	// noted holds the paths about which something has been said that leaves them fit.
	noted map[string]bool
	// stopped says that the rest of the file is not looked at.
	stopped bool
}

func newReport(file string) *report {
	return &report{file: file, locations: map[string]location{}, bad: map[string]bool{}, tainted: map[string]bool{}, noted: map[string]bool{}}
}

// at reports a problem at a position. The value at path is not judged any further.
func (r *report) at(p location, path, format string, args ...any) {
	r.bad[path] = true
	for up := path; up != ""; up = parent(up) {
		r.tainted[up] = true
	}
	r.note(p, path, format, args...)
}

// note reports a problem that leaves the value at path fit to be judged further.
func (r *report) note(p location, path, format string, args ...any) {
	if r.stopped {
		return
	}
	r.noted[path] = true
	if len(r.errs) == maxErrors {
		r.stopped = true
		path, format, args = "", "found more than %d mistakes, the rest of the file has not been checked", []any{maxErrors}
	}
	r.errs = append(r.errs, Error{
		File: r.file, Line: p.line, Column: p.column, Path: path, Problem: fmt.Sprintf(format, args...),
	})
}

// fail reports a problem with the value at path, unless one of it or of what it is
// part of is known already.
func (r *report) fail(path, format string, args ...any) {
	for up := path; ; up = parent(up) {
		if r.bad[up] {
			return
		}
		if up == "" {
			break
		}
	}
	r.at(r.location(path), path, format, args...)
}

// location returns where the value at path stands, or what it would be part of.
func (r *report) location(path string) location {
	for path != "" {
		if p, ok := r.locations[path]; ok {
			return p
		}
		path = parent(path)
	}
	return r.locations[""]
}

// ok reports whether nothing is known to be wrong with these values, so that they can
// be held against each other.
func (r *report) ok(paths ...string) bool {
	return !slices.ContainsFunc(paths, func(path string) bool { return r.tainted[path] })
}

// complete reports whether nothing at all is known to be wrong with a mapping, so that a key
// which it lacks is not one that is misspelled.
func (r *report) complete(path string) bool { return r.ok(path) && !r.noted[path] }

// given reports whether the file has a value at path.
func (r *report) given(path string) bool {
	_, ok := r.locations[path]
	return ok
}

// found returns the value at path as it is written in the file, quoted: what the
// environment put into it is not shown.
func (r *report) found(path string) string { return quote(r.location(path).text) }

func (r *report) sorted() error {
	if len(r.errs) == 0 {
		return nil
	}
	slices.SortStableFunc(r.errs, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Problem, b.Problem))
	})
	return slices.Compact(r.errs)
}

// expectedError describes the expected value; the decoder puts the value found before it.
type expectedError string

// Error returns the expectation.
func (e expectedError) Error() string { return "expected " + string(e) }

// maskedError is a whole problem whose message must not show the value found.
type maskedError string

// Error returns the problem.
func (e maskedError) Error() string { return string(e) }

// quote quotes a string from the file, cut to fit a line.
func quote(text string) string {
	const limit = 80
	if utf8.RuneCountInString(text) > limit {
		text = string([]rune(text)[:limit]) + "..."
	}
	return fmt.Sprintf("%q", text)
}

// join returns the path of a key of the mapping at path.
func join(path, key string) string {
	switch {
	case !plainKey(key):
		return fmt.Sprintf("%s[%q]", path, key)
	case path == "":
		return key
	}
	return path + "." + key
}

// below returns the path of known keys, joined by dots, under the mapping at path.
func below(path, keys string) string { return path + "." + keys }

// plainKey reports whether a key needs no quotes in a path.
func plainKey(key string) bool {
	return key != "" && !strings.ContainsFunc(key, func(c rune) bool {
		return c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	})
}

// element returns the path of an element of the list at path.
func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// parent returns the path that path is a key or an element of.
func parent(path string) string {
	if strings.HasSuffix(path, `"]`) {
		// A quoted key. Its own quotes are escaped, so that the last such pair begins it.
		if at := strings.LastIndex(path, `["`); at >= 0 {
			return path[:at]
		}
	}
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// list joins words as a sentence does: a, b or c.
func list(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}
