package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/curl"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/har"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/openapi"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/plan"
)

// ImportOptions say what becomes of recorded traffic.
type ImportOptions struct {
	plan.Options

	// Output is the file that is written; empty for w.
	Output string
	// EnvFile, if not empty, is the file to which the values of the environment variables are
	// written, which the configuration needs.
	EnvFile string
	// Force overwrites files.
	Force bool
}

// ImportHAR writes a configuration for the traffic in an HTTP archive.
func ImportHAR(w io.Writer, file string, o ImportOptions) error {
	f, err := openInput(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // It has only been read.
	all, err := har.Read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return o.write(w, all)
}

// ImportCurl writes a configuration for the commands of curl in a file.
func ImportCurl(w io.Writer, file string, o ImportOptions) error {
	f, err := openInput(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // It has only been read.
	o.Mix = true
	all, err := curl.Read(f, curl.Options{Getenv: os.LookupEnv, ReadFile: readSent})
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return o.write(w, all)
}

// readSent reads a file that a command sends, or as much of it as is kept of bodies and a byte more.
func readSent(name string) ([]byte, error) {
	return readStart(name, exchange.MaxBody+1)
}

// ImportOpenAPIOptions say what becomes of the description of an API.
type ImportOpenAPIOptions struct {
	ImportOptions

	// Methods are those of the operations that are imported; GET and HEAD if there are none.
	Methods []string
	// Server is the URL of the API, in place of the description's.
	Server string
}

// ImportOpenAPI writes a configuration for the operations of an API.
func ImportOpenAPI(w io.Writer, file string, o ImportOpenAPIOptions) error {
	f, err := openInput(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // It has only been read.
	p, err := openapi.Read(f, openapi.Options{Options: o.Options, Methods: o.Methods, Server: o.Server})
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return o.writePlan(w, p)
}

// openInput opens a file, or standard input for -.
func openInput(file string) (io.ReadCloser, error) {
	if file == "-" || file == "" { // kingpin makes the latter of the former.
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(file)
}

// write plans a configuration and writes it.
func (o ImportOptions) write(w io.Writer, all []exchange.Exchange) error {
	p, err := plan.New(all, o.Options)
	if err != nil {
		return err
	}
	return o.writePlan(w, p)
}

// writePlan writes a configuration that was planned, once it is sure that it is one.
func (o ImportOptions) writePlan(w io.Writer, p plan.Plan) error {
	text, err := p.File.Encode()
	if err != nil {
		return err
	}
	values := map[string]string{}
	for _, v := range p.Environment {
		values[v.Name] = v.Value
	}
	lookup := func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
	if _, err = config.Parse("the imported configuration", text, lookup, nil); err != nil {
		return fmt.Errorf("the recording cannot be written as a configuration: %w", err)
	}
	if o.EnvFile != "" {
		if err = o.create(o.EnvFile, envFile(p.Environment), 0o600); err != nil {
			return err
		}
	}
	if o.Output == "" {
		_, err = w.Write(text)
		return err
	}
	if err = o.create(o.Output, text, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: written\n", o.Output)
	for _, v := range p.Environment {
		fmt.Fprintf(w, "%s: needs %s, the %s\n", o.Output, v.Name, v.Of)
	}
	return nil
}

// create writes a file.
func (o ImportOptions) create(file string, content []byte, mode fs.FileMode) error {
	f, err := o.open(file, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// open makes a file, which must not exist unless it may be overwritten.
func (o ImportOptions) open(file string, mode fs.FileMode) (*os.File, error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if o.Force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(file, flags, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s is there already: --force overwrites it", file)
	}
	return f, err
}

// envFile returns assignments that a shell reads.
func envFile(all []plan.Variable) []byte {
	var b bytes.Buffer
	for _, v := range all {
		fmt.Fprintf(&b, "# %s\n%s='%s'\n", v.Of, v.Name, strings.ReplaceAll(v.Value, "'", `'\''`))
	}
	return b.Bytes()
}
