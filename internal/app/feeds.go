package app

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

const (
	// maxData bounds a file with rows of data, in bytes, and maxContent one that is sent.
	maxData    = 64 << 20
	maxContent = 64 << 20
)

// feeds are the files that a scenario's requests are made from. They are read again when they
// change, and the last good content holds otherwise.
type feeds struct {
	// failed is called for each look at a file that fails.
	failed func()
	logger *slog.Logger
	// offline says that no file is read.
	offline bool
	// err is the first error.
	err error
}

// open returns a function for what build makes of a file.
func open[T any](f *feeds, path string, limit int, build func(content string) (T, error)) func() T {
	get, _ := watchFile(f, path, limit, build)
	return get
}

// watchFile does the same, and also returns a function that reports whether the value is that of
// the file now.
func watchFile[T any](f *feeds, path string, limit int, build func(content string) (T, error)) (get func() T, current func() bool) {
	nothing := func() T { var zero T; return zero }
	if f.offline {
		return nothing, always
	}
	o := reloading.Options{Paths: []string{path}, MaxSize: limit, Failed: f.failed, Logger: f.logger}
	value, err := reloading.New(o, func(files reloading.Files) (T, error) { return build(files[path]) })
	if err != nil {
		f.fail(fmt.Errorf("file %q: %w", path, err))
		return nothing, always
	}
	return func() T { return value.Get(time.Now()) }, func() bool { return !value.Failing() }
}

// fail keeps the first error.
func (f *feeds) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

func always() bool { return true }

// secret returns the content of a file without white space around it.
func (f *feeds) secret(path string) script.Secret {
	return open(f, path, 0, func(content string) (string, error) { return strings.TrimSpace(content), nil })
}

// optional does the same for a path that may be empty; it returns nil if it is.
func (f *feeds) optional(path string) func() string {
	if path == "" {
		return nil
	}
	return f.secret(path)
}

// content returns the content of a file that is sent as it is.
func (f *feeds) content(path string) func() string {
	return open(f, path, maxContent, func(content string) (string, error) { return content, nil })
}

// table returns the rows of data, which must have these columns, and a function that reports
// whether they are those of their file.
func (f *feeds) table(d config.Dataset, columns []string) (script.Table, func() bool, error) {
	if d.File == "" {
		var values []script.Value
		for _, row := range d.Rows {
			values = append(values, script.FromJSON(row.Text))
		}
		rows, err := script.NewRows(values, columns, d.Weight)
		return func() *script.Rows { return rows }, always, err
	}
	rows, current := watchFile(f, d.File, maxData, func(content string) (*script.Rows, error) {
		values, err := readRows(d.File, content)
		if err != nil {
			return nil, err
		}
		return script.NewRows(values, columns, d.Weight)
	})
	return rows, current, nil
}

// tables are the data of a configuration: each is loaded once, however many scenarios use it.
type tables struct {
	// columns are those that the configuration uses.
	columns []config.Column
	logger  *slog.Logger
	// offline says that no file is read.
	offline bool
	loaded  map[string]*sharedTable
}

func newTables(columns []config.Column, logger *slog.Logger, offline bool) *tables {
	return &tables{columns: columns, logger: logger, offline: offline, loaded: map[string]*sharedTable{}}
}

// sharedTable is data that scenarios use.
type sharedTable struct {
	rows    script.Table
	current func() bool

	mu sync.Mutex
	// failed are the scenarios' functions that are called for each look at the file that fails.
	failed []func()
}

// fail notifies the scenarios.
func (s *sharedTable) fail() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, failed := range s.failed {
		failed()
	}
}

// get returns data for a scenario. It calls failed for each look at the file that fails.
func (t *tables) get(name string, d config.Dataset, failed func()) (*sharedTable, error) {
	s := t.loaded[name]
	if s == nil {
		s = &sharedTable{}
		f := &feeds{failed: s.fail, logger: t.logger.With("data", name), offline: t.offline}
		var err error
		if s.rows, s.current, err = f.table(d, columnsOf(t.columns, name)); err != nil {
			return nil, fmt.Errorf("data %q: %w", name, err)
		}
		if f.err != nil {
			return nil, f.err
		}
		t.loaded[name] = s
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(s.failed, failed)
	return s, nil
}

// columnsOf returns the columns that are used of data.
func columnsOf(all []config.Column, data string) []string {
	var names []string
	for _, c := range all {
		if c.Data == data {
			names = append(names, c.Name)
		}
	}
	return names
}
