package app

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/accesslog"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/curve"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/workload"
)

// ImportLogOptions say which lines of access logs count and which configuration is written for them.
type ImportLogOptions struct {
	workload.Filter
	workload.Options

	// Files are the logs; - is standard input.
	Files []string
	// Format is what accesslog.New takes; empty to find out.
	Format string
	// TimeZone is the IANA name of the curve's time zone.
	TimeZone string
	// Output is the file that is written; empty for w. Force overwrites files.
	Output string
	Force  bool
	Logger *slog.Logger
}

// ImportLog writes a configuration with the mix and the rate of the requests in access logs.
func ImportLog(ctx context.Context, w io.Writer, o ImportLogOptions) error {
	if err := o.prepare(); err != nil {
		return err
	}
	l := logImport{o: &o, counter: workload.NewCounter(o.Filter)}
	for _, file := range o.Files {
		file = cmp.Or(file, "-")
		if err := l.read(ctx, file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	if l.counter.Total() == 0 {
		return fmt.Errorf("found no requests that count in %s", plural(l.lines, "line"))
	}
	o.Comment = append(o.Comment, fmt.Sprintf("From %s of access logs; %d could not be read.", plural(l.lines, "line"), l.broken))
	return l.write(w)
}

// prepare checks the options and completes them.
func (o *ImportLogOptions) prepare() error {
	zone, err := time.LoadLocation(o.TimeZone)
	if err != nil {
		return fmt.Errorf("--time-zone: found %q, expected a name such as Europe/Berlin: %w", o.TimeZone, err)
	}
	o.Zone = zone
	if o.CurveFile == "" && o.Output != "" {
		name := filepath.Base(o.Output)
		o.CurveFile = strings.TrimSuffix(name, filepath.Ext(name)) + ".curve.csv"
	}
	if o.Format != "" {
		if _, err = accesslog.New(o.Format); err != nil {
			return fmt.Errorf("--format: %w", err)
		}
	}
	for i := range o.Hosts {
		o.Hosts[i] = strings.ToLower(o.Hosts[i])
	}
	for i := range o.Methods {
		o.Methods[i] = strings.ToUpper(o.Methods[i])
	}
	return nil
}

// logImport is an import in progress.
type logImport struct {
	o             *ImportLogOptions
	counter       *workload.Counter
	lines, broken int
}

// read counts the lines of a file.
func (l *logImport) read(ctx context.Context, file string) error {
	f, err := openInput(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // It has only been read.
	lines, err := accesslog.NewLines(f)
	if err != nil {
		return err
	}
	defer lines.Close()
	parser, err := l.parser(lines)
	if err != nil {
		return err
	}
	return l.count(ctx, file, lines, parser)
}

func (l *logImport) parser(lines *accesslog.Lines) (accesslog.Parser, error) {
	if l.o.Format != "" {
		return accesslog.New(l.o.Format)
	}
	return lines.Detect()
}

// count counts lines until they end, or ctx does.
func (l *logImport) count(ctx context.Context, file string, lines *accesslog.Lines, parser accesslog.Parser) error {
	var e accesslog.Record
	for {
		line, number, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, accesslog.ErrLong) {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if number%10_000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			if len(line) == 0 || line[0] == '#' {
				continue
			}
			err = parser.Parse(line, &e)
		}
		l.lines++
		if err != nil {
			l.report(file, number, err)
			continue
		}
		l.counter.Add(&e)
	}
}

// maxReports bounds the broken lines that are reported.
const maxReports = 5

// report counts a line that cannot be read. It does not show the content, as it may be anything.
func (l *logImport) report(file string, number int, err error) {
	if l.broken++; l.broken <= maxReports {
		l.o.Logger.Warn("line left out", "file", file, "line", number, "err", err)
	}
}

// write writes the configuration and the curve, once it is sure that they are good.
func (l *logImport) write(w io.Writer) error {
	files := ImportOptions{Output: l.o.Output, Force: l.o.Force}
	document, rate := l.counter.Document(l.o.Options)
	text, err := document.Encode()
	if err != nil {
		return err
	}
	if _, err = config.Parse("the imported configuration", text, os.LookupEnv, nil); err != nil {
		return fmt.Errorf("the log cannot be written as a configuration: %w", err)
	}
	if l.o.Output == "" {
		_, err = w.Write(text)
	} else if err = files.create(l.o.Output, text, 0o644); err == nil {
		fmt.Fprintf(w, "%s: written\n", l.o.Output)
	}
	if err != nil || rate.Shape != curve.Weekly || l.o.CurveFile == "" {
		return err
	}
	var b bytes.Buffer
	if err = rate.WriteCSV(&b); err != nil {
		return err
	}
	return files.create(filepath.Join(filepath.Dir(l.o.Output), l.o.CurveFile), b.Bytes(), 0o644)
}
