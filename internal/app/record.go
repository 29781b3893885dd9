package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	neturl "net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/har"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/record"
)

// RecordOptions say which traffic is recorded and where it goes.
type RecordOptions struct {
	ImportOptions

	// Target is the origin to which requests are passed on, Listen the address at which they are taken.
	Target, Listen string
	// HAR, if not empty, is a file to which the recording itself is written, secrets included.
	HAR    string
	Logger *slog.Logger
}

// Record passes requests on to a target until ctx ends, and then writes a configuration for them. If that
// fails, or the process ends before, the recording is still in a file.
func Record(ctx context.Context, w io.Writer, o RecordOptions) error {
	target, err := neturl.Parse(o.Target)
	if err == nil {
		err = record.Check(target)
	}
	if err != nil {
		return fmt.Errorf("--target: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	a, err := o.archive()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	transport := record.NewTransport(o.Insecure)
	defer transport.CloseIdleConnections()
	r := record.New(target, transport, a.add, o.Logger)
	o.Logger.Info("recording", "address", "http://"+l.Addr().String(), "target", o.Target, "archive", a.name)
	err = errors.Join(serveUntil(ctx, l, r), a.close())
	all := r.Exchanges()
	return o.cleanUp(a, len(all) == 0, errors.Join(err, o.write(w, all)))
}

// cleanUp removes the archive, unless it was asked for or is all that is left of the recording after err.
func (o RecordOptions) cleanUp(a *archive, empty bool, err error) error {
	switch {
	case a.name == "", o.HAR != "":
		return err
	case err == nil, empty:
		return errors.Join(err, os.Remove(a.name))
	default:
		return fmt.Errorf("%w (the recording is in %s, for import har)", err, a.name)
	}
}

// archive is the file to which a recording is written as it goes on. Safe for concurrent use.
type archive struct {
	// name is that of the file; empty if there is none, as the configuration goes to standard output.
	name string

	mu   sync.Mutex
	file *os.File
	w    *har.Writer
	err  error
}

// archive makes the file: the one that was asked for, or one beside the output.
func (o RecordOptions) archive() (*archive, error) {
	var f *os.File
	var err error
	switch {
	case o.HAR != "":
		f, err = o.open(o.HAR, 0o600)
	case o.Output != "":
		f, err = os.CreateTemp(filepath.Dir(o.Output), filepath.Base(o.Output)+".*.har") // Nobody else can read it.
	default:
		return &archive{}, nil
	}
	if err != nil {
		return nil, err
	}
	w, err := har.NewWriter(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &archive{name: f.Name(), file: f, w: w}, nil
}

// add appends an exchange. After a mistake, and after close, it does nothing.
func (a *archive) add(x exchange.Exchange) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.w != nil && a.err == nil {
		a.err = a.w.Add(x)
	}
}

// close closes the file, and reports the first mistake.
func (a *archive) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.w == nil {
		return nil
	}
	a.w = nil
	return errors.Join(a.err, a.file.Close())
}

// recordGrace is how long requests may take that are in progress when a recording ends.
const recordGrace = 5 * time.Second

// serveUntil serves until ctx ends, and then gives requests in progress some time to finish.
func serveUntil(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		_ = server.Close() // Requests still in progress are given up.
	}
	err := <-served
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
