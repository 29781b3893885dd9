package app

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
)

// load reads and parses one configuration file for a command. look may be nil, where the
// files that it names do not matter.
func load(file string, look config.Look) (*config.Config, error) {
	content, err := readAll(file)
	if err != nil {
		return nil, err
	}
	return config.Parse(file, content, os.LookupEnv, look)
}

// readAll reads a configuration for a command. It may come from a pipe, which is waited for:
// people end a command that takes too long.
func readAll(file string) (content []byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // It has only been read.
	// One byte more than it may have, so that the parser sees that it is too large.
	return io.ReadAll(io.LimitReader(f, config.MaxSize+1))
}

// readable tells why a file that the configuration names cannot be read; nil if it can.
func readable(path string) error {
	_, err := reloading.ReadFile(path, reloading.MaxSize)
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err // The path is told already.
	}
	return err
}

// Check validates files, tells which are good, and returns the errors of all others.
// It builds the clients as well, so that a missing certificate is found.
func Check(w io.Writer, files []string) error {
	var errs []error
	for _, file := range files {
		cfg, err := load(file, readable)
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
		client, err := newClient(sc, apart())
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
