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
	"slices"
	"sync/atomic"
	"time"

	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/common/version"
	toolkit "github.com/prometheus/exporter-toolkit/web"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/fleet"
	"github.com/traffic-exporter/traffic_exporter/internal/history"
	"github.com/traffic-exporter/traffic_exporter/internal/otlp"
	"github.com/traffic-exporter/traffic_exporter/internal/override"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

const (
	// drainGrace is how long a stop waits beyond the longest request timeout.
	drainGrace = time.Second
	// leaveTimeout bounds the handing over to the fleet: the announcement, which may
	// wait a second for its turn, and the votes on it.
	leaveTimeout = 10 * time.Second
	// stopTimeout bounds the end of each part beyond what it has to wait for: none takes
	// as long unless it hangs.
	stopTimeout = 10 * time.Second
)

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
	// AllowedHosts and ExternalURL name the hosts that such requests may be sent to.
	AllowedHosts []string
	ExternalURL  string
	// RoutePrefix is the path that everything is served under; empty for that of ExternalURL.
	RoutePrefix string
	// MaxConnections bounds the connections to the web server; 0 is its default.
	MaxConnections int
	// DryRun sends everything to a target within the process, in the place of those of the file.
	DryRun bool
	// Hangups ask for the configuration to be read again: SIGHUP. May be nil.
	Hangups <-chan os.Signal
	// getenv looks up the environment variables of the configuration; nil is
	// os.LookupEnv.
	getenv func(string) (string, bool)
	// read reads the configuration again; nil is reloading.Read.
	read func(file string, limit int) ([]byte, error)

	Logger *slog.Logger
}

// App is the process. Create it with New, then Run it once.
type App struct {
	registry *prometheus.Registry
	reloader *reloader
	server   *web.Server
	engine   *engine.Engine
	// fleet is nil for a replica on its own.
	fleet     *fleet.Fleet
	watchdog  *watchdog
	historian *historian
	// dryRun is what everything is sent to; nil where that are the targets of the file.
	dryRun services.Service
	logger *slog.Logger
	// announce, if not nil, is called with the addresses when the process is ready.
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

	a := &App{registry: reg, logger: o.Logger}
	a.setUnready("starting")
	metrics := telemetry.New(reg)
	r, err := newReloader(o, metrics)
	if err != nil {
		return nil, err
	}
	a.reloader = r
	if o.DryRun {
		a.dryRun = newDryRun(r)
		metrics.DryRun()
	}
	control, err := a.connect(r, metrics)
	if err != nil {
		return nil, err
	}
	view := newViewer(control, r.builder.history, a.fleet, a.ready, o.EnableControl)
	view.dryRun = o.DryRun
	shown := web.Options{
		Flags:         o.Web,
		Registry:      reg,
		Ready:         a.ready,
		Reload:        r.Reload,
		Config:        r.Config,
		Control:       o.EnableControl,
		Scenarios:     control.Scenarios,
		SetOverride:   control.Set,
		ClearOverride: control.Clear,
		Live:          view.Live,
		Failures:      view.Failures,

		PreviewOverride: control.Preview,
		Logger:          o.Logger,

		AllowedHosts: o.AllowedHosts, ExternalURL: o.ExternalURL, RoutePrefix: o.RoutePrefix, MaxConnections: o.MaxConnections,
	}
	if a.fleet != nil {
		shown.Fleet = func() web.FleetStatus { return fleetStatus(a.fleet, r.current().Fleet) }
		if shown.Memberlist, err = gossipPage(a.fleet); err != nil {
			return nil, err
		}
	}
	if a.server, err = web.New(shown); err != nil {
		return nil, err
	}
	if *o.Web.WebConfigFile != "" {
		metrics.WebConfig(a.server.ConfigCurrent)
	}
	return a, nil
}

// connect makes the fleet, if the configuration has one, and what depends on whether it
// does: whose slots the engine sends, and where overrides of the rate are kept.
func (a *App) connect(r *reloader, metrics *telemetry.Metrics) (*controller, error) {
	var arcs engine.Arcs = engine.Alone{}
	local := override.NewLocal()
	c := &controller{reloader: r, store: local, replica: "alone"}
	r.overrides, r.followed = local, override.NewLocal()
	asks := always
	if cfg := r.current().Fleet; cfg != nil {
		f, err := newFleet(a.own(cfg), a.registry, a.logger)
		if err != nil {
			return nil, fmt.Errorf("fleet: %w", err)
		}
		a.fleet, arcs = f, f
		c.store, c.replica = f.Overrides(), f.ID()
		r.overrides, r.followed, asks = c.store, f.Followed(), f.IsFirst
		r.applied = func(cfg *config.Config) {
			f.SetConfig(configHash(cfg))
			f.SetMinReplicas(cfg.Fleet.MinReplicas, cfg.Fleet.MinReplicasAlone)
		}
		metrics.Fleet(func() telemetry.FleetState { return fleetState(f) })
	}
	c.ratio = func() float64 { return arcs.Arc(time.Now()).Ratio() }
	r.builder = &builder{metrics: metrics, arcs: arcs, descriptors: dial.ProcessDescriptors(), fence: dial.NewFence(nil), logger: a.logger, history: history.New(time.Now())}
	p := a.process(c.replica, metrics.Pushes())
	r.builder.pusher = &pusher{traces: otlp.NewTraces(p), metrics: otlp.NewMetrics(p, a.registry), off: a.dryRun != nil}
	r.builder.followers = followers{store: r.followed, asks: asks, replica: c.replica, logger: a.logger}
	a.historian = newHistorian(r.builder.history, r)
	if a.fleet != nil {
		r.builder.votes = a.fleet
		a.historian.sums = &sums{fleet: a.fleet, store: r.builder.history, reloader: r}
	}
	a.watchdog = newWatchdog(func() map[string]built { return *r.running.Load() }, arcs, a.logger)
	a.engine = engine.New(engine.Options{Arcs: arcs, Logger: a.logger})
	r.engine = a.engine
	r.builder.admit = a.engine.Admit
	return c, nil
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

// Run starts the process, runs until ctx ends or a service fails, and stops it: it is no
// longer ready, hands its share over to the rest of the fleet, takes no new slots, finishes
// the requests in flight within the longest request timeout and a second, leaves the fleet,
// then closes its listeners.
func (a *App) Run(ctx context.Context) error {
	// Parts outlive ctx: its end starts their orderly stop.
	background := context.WithoutCancel(ctx)
	watcher := services.NewFailureWatcher()
	var started []services.Service
	for _, s := range a.services() {
		watcher.WatchService(s)
		if err := start(ctx, background, s); err != nil {
			err = errors.Join(err, stopAll(background, started))
			a.reloader.builder.pusher.end()
			return err
		}
		started = append(started, s)
		if ctx.Err() != nil {
			return a.stop(background)
		}
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

// services returns the services in the order in which they start: those that can fail
// because of the configuration come before any other replica hears of this one.
func (a *App) services() []services.Service {
	var all []services.Service
	if a.dryRun != nil {
		all = append(all, a.dryRun)
	}
	all = append(all, a.server, a.reloader)
	if a.fleet != nil {
		all = append(all, a.fleet)
	}
	return append(all, a.watchdog, a.historian)
}

// start starts a service and waits until it runs, or until ctx ends.
func start(ctx, background context.Context, s services.Service) error {
	if err := s.StartAsync(background); err != nil {
		return err
	}
	awaited := s.AwaitRunning(ctx)
	switch failure := s.FailureCase(); {
	case failure != nil:
		return failure
	case ctx.Err() == nil:
		return awaited
	default:
		return nil // It is to stop; that is no failure.
	}
}

// stopAll stops services in the reverse order of their start.
func stopAll(ctx context.Context, started []services.Service) error {
	var errs []error
	for _, s := range slices.Backward(started) {
		errs = append(errs, stop(ctx, s))
	}
	return errors.Join(errs...)
}

// stop stops a service, and waits for that for a bounded time. It does not report again
// that one has failed, which is why all are stopped.
func stop(ctx context.Context, s services.Service) error {
	if s.State() == services.Failed {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	err := services.StopAndAwaitTerminated(ctx, s)
	if ctx.Err() != nil {
		return fmt.Errorf("%s does not end within %v", services.DescribeService(s), stopTimeout)
	}
	return err
}

func (a *App) stop(ctx context.Context) error {
	begin := time.Now()
	a.setUnready("stopping")
	a.logger.Info("stopping")
	a.handOver(ctx)
	errs := []error{stop(ctx, a.watchdog), stop(ctx, a.historian), stop(ctx, a.reloader), a.stopEngine(ctx)}
	a.reloader.builder.pusher.end()
	if a.fleet != nil {
		errs = append(errs, stop(ctx, a.fleet))
	}
	errs = append(errs, stop(ctx, a.server))
	if a.dryRun != nil {
		errs = append(errs, stop(ctx, a.dryRun))
	}
	a.logger.Info("stopped", "took_seconds", time.Since(begin).Seconds())
	return errors.Join(errs...)
}

// stopEngine ends the sending: requests in flight may end within the longest timeout, and
// journeys within their grace before that.
func (a *App) stopEngine(ctx context.Context) error {
	timeout := longestEnd(a.reloader.current()) + drainGrace
	drain, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return endWithin(drain, timeout+stopTimeout, func(drain context.Context) error {
		if err := a.engine.Stop(drain); err != nil {
			// Requests that had to be cut off are counted as canceled; the stop went well.
			a.logger.Warn("requests in flight were canceled", "err", err)
		}
		return nil
	})
}

// longestEnd returns how long the scenarios may take to end.
func longestEnd(cfg *config.Config) time.Duration {
	longest := cfg.LongestTimeout()
	for _, sc := range cfg.Scenarios {
		if slices.ContainsFunc(sc.Requests, func(r config.Request) bool { return r.Steps != nil }) {
			longest = max(longest, cfg.LongestTimeout()+time.Duration(sc.ShutdownGrace))
		}
	}
	return longest
}

// endWithin runs what ends the sending, but waits for it no longer than the limit: a
// scenario that hangs, in whatever, does not hold up the stop.
func endWithin(ctx context.Context, limit time.Duration, end func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- end(ctx) }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("the scenarios do not end within %v", limit)
	}
}

// handOver leaves the fleet in order: this replica's slots are sent until they are
// others'.
func (a *App) handOver(ctx context.Context) {
	if a.fleet == nil || a.fleet.State() != services.Running {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if err := a.fleet.Leave(ctx); err != nil {
		a.logger.Warn("the fleet could not be notified of the leave, it will miss this replica", "err", err)
	}
}

func (a *App) setUnready(why string) { a.unready.Store(&why) }

func (a *App) ready() error {
	if why := a.unready.Load(); why != nil {
		return errors.New(*why)
	}
	if a.fleet != nil {
		if live, why := a.fleet.Live(); !live {
			return errors.New(why)
		}
	}
	return a.watchdog.check()
}
