// Package app wires the parts into a process: it reads the configuration, builds a
// client and a recorder for each scenario, starts everything in order and stops it
// in reverse. It holds no logic of traffic, metrics or HTTP of its own.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/common/version"
	toolkit "github.com/prometheus/exporter-toolkit/web"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

// drainGrace is how long a stop waits beyond the longest request timeout.
const drainGrace = time.Second

// Options says where and how the process runs. What it sends is in the file.
type Options struct {
	// ConfigFile is the path of the configuration.
	ConfigFile string
	// WatchInterval is how often the file is looked at for changes; 0 is never.
	WatchInterval time.Duration
	// Web are the exporter-toolkit's flags.
	Web *toolkit.FlagConfig
	// EnableControl allows requests over HTTP that change the rate.
	EnableControl bool
	// Hangups ask for the configuration to be read again: SIGHUP. May be nil.
	Hangups <-chan os.Signal
	// getenv looks up the environment variables of the configuration; nil is
	// os.LookupEnv.
	getenv func(string) (string, bool)

	Logger *slog.Logger
}

// App is the process. Create it with New, then Run it once.
type App struct {
	registry *prometheus.Registry
	reloader *reloader
	server   *web.Server
	engine   *engine.Engine
	logger   *slog.Logger
	// announce, if not nil, is told the addresses when the process is ready.
	announce func([]net.Addr)
	// unready is why the process is not ready; nil when it is.
	unready atomic.Pointer[string]
}

// New reads the configuration and builds all parts, but starts none: a bad
// configuration or a bad option has no effect but the error.
func New(o Options) (*App, error) {
	reg := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector("traffic_exporter"),
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register process metrics: %w", err)
		}
	}

	a := &App{
		registry: reg,
		engine:   engine.New(engine.Options{Logger: o.Logger}),
		logger:   o.Logger,
	}
	a.setUnready("starting")
	r, err := newReloader(o, telemetry.New(reg), a.engine)
	if err != nil {
		return nil, err
	}
	a.reloader = r
	a.server, err = web.New(web.Options{
		Flags:    o.Web,
		Registry: reg,
		Version:  version.Info(),
		Ready:    a.ready,
		Reload:   r.Reload,
		Config:   r.Config,
		Logger:   o.Logger,
	})
	return a, err
}

// Run makes an App and runs it.
func Run(ctx context.Context, o Options) error {
	a, err := New(o)
	if err != nil {
		return err
	}
	o.Logger.Info("starting traffic_exporter", "version", version.Info(), "build_context", version.BuildContext())
	return a.Run(ctx)
}

// Run starts the process, runs until ctx ends or a part fails, and stops it: it is
// no longer ready, takes no new slots, finishes what is in flight within the
// longest request timeout and a second, then closes its listeners.
func (a *App) Run(ctx context.Context) error {
	// Parts outlive ctx: its end starts their orderly stop.
	background := context.WithoutCancel(ctx)
	watcher := services.NewFailureWatcher()
	watcher.WatchService(a.server)
	watcher.WatchService(a.reloader)

	if err := services.StartAndAwaitRunning(background, a.server); err != nil {
		return err
	}
	if err := services.StartAndAwaitRunning(background, a.reloader); err != nil {
		return errors.Join(err, services.StopAndAwaitTerminated(background, a.server))
	}
	a.unready.Store(nil)
	if a.announce != nil {
		a.announce(a.server.Addrs())
	}

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-watcher.Chan():
	}
	return errors.Join(failure, a.stop(background))
}

func (a *App) stop(ctx context.Context) error {
	begin := time.Now()
	a.setUnready("stopping")
	a.logger.Info("stopping")
	errReload := services.StopAndAwaitTerminated(ctx, a.reloader)

	drain, cancel := context.WithTimeout(ctx, a.reloader.current().LongestTimeout()+drainGrace)
	defer cancel()
	if err := a.engine.Stop(drain); err != nil {
		// Requests that had to be cut off are counted as canceled; the stop went well.
		a.logger.Warn("requests in flight were canceled", "err", err)
	}
	errWeb := services.StopAndAwaitTerminated(ctx, a.server)
	a.logger.Info("stopped", "took_seconds", time.Since(begin).Seconds())
	return errors.Join(errReload, errWeb)
}

func (a *App) setUnready(why string) { a.unready.Store(&why) }

func (a *App) ready() error {
	if why := a.unready.Load(); why != nil {
		return errors.New(*why)
	}
	return nil
}
