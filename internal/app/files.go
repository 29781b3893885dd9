package app

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/jwt"
	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// load reads and parses one configuration file for a command.
func load(file string, d disk) (*config.Config, error) {
	content, err := readAll(file)
	if err != nil {
		return nil, err
	}
	cfg, err := config.Parse(file, content, os.LookupEnv, d)
	if err == nil && !d.recordings {
		err = checkFiles(cfg, d.files)
	}
	return cfg, err
}

// checkFiles reports the mistakes in the files that hold data or bodies, each with the place in
// the configuration that names the file or the column.
func checkFiles(cfg *config.Config, files *reloading.Reader) error {
	var mistakes config.Errors
	for _, f := range cfg.Files() {
		if f.Data == "" {
			if _, err := files.ReadFile(f.Path, maxContent); err != nil {
				mistakes = append(mistakes, f.Problem("found %q, which cannot be read: %v", f.Path, withoutPath(err)))
			}
			continue
		}
		rows, err := readData(f.Path, files)
		if err != nil {
			mistakes = append(mistakes, f.Problem("found %q, whose data cannot be used: %v", f.Path, withoutPath(err)))
			continue
		}
		for _, c := range cfg.Columns() {
			if c.Data == f.Data {
				mistakes = append(mistakes, checkColumn(c, rows)...)
			}
		}
	}
	if mistakes = append(mistakes, checkKeys(cfg, files)...); len(mistakes) > 0 {
		return mistakes
	}
	return nil
}

// checkKeys reports keys that tokens cannot be signed with.
func checkKeys(cfg *config.Config, files *reloading.Reader) []config.Error {
	var mistakes []config.Error
	for _, k := range cfg.SigningKeys() {
		text := string(k.Key)
		if k.File != "" {
			content, err := files.ReadFile(k.File, reloading.MaxSize)
			if err != nil {
				continue // Parse has reported it.
			}
			text = string(content)
		}
		if _, err := jwt.ParseKey(k.Algorithm, text); err != nil {
			mistakes = append(mistakes, k.Problem("found a key that cannot be used: %v", err))
		}
	}
	return mistakes
}

// readData reads the rows of a file.
func readData(path string, files *reloading.Reader) ([]script.Value, error) {
	content, err := files.ReadFile(path, maxData)
	if err != nil {
		return nil, err
	}
	rows, err := readRows(path, string(content))
	if err == nil {
		_, err = script.NewRows(rows, nil, "")
	}
	return rows, err
}

// checkColumn reports the first row that lacks a column.
func checkColumn(c config.Column, rows []script.Value) []config.Error {
	for i, row := range rows {
		if _, ok := row.Field(c.Name); ok {
			continue
		}
		if i == 0 {
			return []config.Error{c.Missing(row.Keys())}
		}
		return []config.Error{c.Problem("found the column %q, which row %d of %s does not have", c.Name, i+1, c.Data)}
	}
	return nil
}

// readAll reads a configuration for a command. It may come from a pipe, which is waited for:
// people end a command that takes too long.
func readAll(file string) ([]byte, error) {
	// One byte more than it may have, so that the parser sees that it is too large.
	return readStart(file, config.MaxSize+1)
}

// readStart reads a file up to a limit in bytes.
func readStart(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // It has only been read.
	return io.ReadAll(io.LimitReader(f, limit))
}

// disk is where the files are that the configuration names.
type disk struct {
	files *reloading.Reader
	// recordings says that the others do not matter.
	recordings bool
}

func newDisk() disk { return disk{files: &reloading.Reader{}} }

// onlyRecordings is a disk with nothing but recordings.
func onlyRecordings() disk { return disk{files: &reloading.Reader{}, recordings: true} }

var _ config.Disk = disk{}

// Look implements config.Disk.
func (d disk) Look(path string) error {
	if d.recordings {
		return nil
	}
	_, err := d.files.ReadFile(path, reloading.MaxSize)
	return withoutPath(err)
}

// Read implements config.Disk.
func (d disk) Read(path string, limit int) ([]byte, error) {
	content, err := d.files.ReadFile(path, limit)
	return content, withoutPath(err)
}

// withoutPath returns the cause of an error about a file whose path is named already.
func withoutPath(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}

// Check validates files, reports which are good, and returns the errors of all others. It
// builds the clients as well, so that a missing certificate is found.
func Check(w io.Writer, files []string) error {
	var errs []error
	for _, file := range files {
		cfg, err := load(file, newDisk())
		if err == nil {
			err = checkClients(cfg)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(w, "%s: ok, %s\n", file, plural(len(cfg.Scenarios), "scenario"))
	}
	return errors.Join(errs...)
}

// checkClients builds every client, and closes it.
func checkClients(cfg *config.Config) error {
	var errs []error
	for _, sc := range cfg.Scenarios {
		_, client, err := newTraffic(sc, apart(cfg))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		client.Close()
	}
	return errors.Join(errs...)
}

func plural(n int, noun string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
