package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grafana/dskit/services"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

// errFleetChanged refuses a reload: who the others are and how to reach them is settled
// when a replica joins.
var errFleetChanged = errors.New("the section fleet has changed, which needs a restart")

// errSlow is a file that is not there in time.
var errSlow = errors.New("no response from the file system")

// errStopping refuses a reload that ends when the process stops.
var errStopping = errors.New("the process stops")

// reloadPatience is how long a reload is waited for: files may be on a file system that does
// not respond.
const reloadPatience = 2 * reloading.Patience

// reloader owns what a reload replaces: the configuration and the scenarios built
// from it. It is a service that reloads when asked to and when the file's content
// changes. All that can fail in a reload comes before anything live is touched.
//
// Files are read by jobs, one at a time. A job may never end; nobody waits for it longer
// than patience, and it holds no lock meanwhile.
type reloader struct {
	services.NamedService

	file    string
	getenv  func(string) (string, bool)
	read    func(file string, limit int) ([]byte, error)
	disk    disk
	every   time.Duration
	hangups <-chan os.Signal
	metrics *telemetry.Metrics
	logger  *slog.Logger
	// These are set before the service starts: they depend on the configuration.
	builder   *builder
	engine    *engine.Engine
	overrides overrideStore
	// followed are the rates that were found for scenarios that follow one.
	followed overrideStore
	// applied, if not nil, is called with the configuration that runs.
	applied func(*config.Config)

	// patience is how long a job is waited for.
	patience time.Duration
	// turn is held by the job that runs, and ended receives when one has ended.
	turn, ended chan struct{}
	// seen is the hash of the content that was last looked at, good or bad, so that
	// a bad file is reported once. It is the job's.
	seen string
	// overdue says that a job was not done in time, so that the file has to be read again.
	overdue atomic.Bool
	stopped atomic.Bool

	// mu serialises changes of what runs.
	mu      sync.Mutex
	running atomic.Pointer[map[string]built]
	config  atomic.Pointer[config.Config]
	// last is the last attempt to load the configuration.
	last atomic.Pointer[web.LiveReload]
}

// newReloader reads the configuration, so that a bad one fails the start, and
// builds nothing yet.
func newReloader(o Options, metrics *telemetry.Metrics) (*reloader, error) {
	r := &reloader{
		file:     o.ConfigFile,
		getenv:   os.LookupEnv,
		read:     reloading.Read,
		disk:     newDisk(),
		every:    o.WatchInterval,
		hangups:  o.Hangups,
		metrics:  metrics,
		logger:   o.Logger,
		patience: reloadPatience,
		turn:     make(chan struct{}, 1),
		ended:    make(chan struct{}, 1),
	}
	if o.getenv != nil {
		r.getenv = o.getenv
	}
	if o.read != nil {
		r.read = o.read
	}
	content, err := reloading.ReadFile(r.file, config.MaxSize)
	cfg, err := r.parse(content, err)
	if err != nil {
		return nil, err
	}
	r.running.Store(&map[string]built{})
	r.config.Store(cfg)
	r.NamedService = services.NewBasicService(r.start, r.watch, r.stopFollowing).WithName("reloader")
	return r, nil
}

// start applies the configuration that New has read.
func (r *reloader) start(context.Context) error {
	o := r.apply(r.config.Load())
	if o.err == nil {
		r.report(o)
	}
	return o.err
}

// watch reloads on a hangup and when the file's content differs from that of the last look.
// It looks at the content because a ConfigMap is changed by swapping a symlink above it,
// and editors rename: neither is an event on the file.
func (r *reloader) watch(ctx context.Context) error {
	var ticks <-chan time.Time
	if r.every > 0 {
		ticker := time.NewTicker(r.every)
		defer ticker.Stop()
		ticks = ticker.C
	}
	asked := false
	for {
		select {
		case <-ctx.Done():
			r.stopped.Store(true)
			return nil
		case <-r.hangups:
			r.logger.Info("reload requested by SIGHUP")
			asked = true
		case <-ticks:
			r.try(r.look)
		case <-r.ended:
		case <-r.overrides.News():
			r.applyOverrides()
		case <-r.followed.News():
			r.applyOverrides()
		}
		if asked && r.try(r.reload) {
			asked = false
		}
	}
}

// try begins a job, unless there is one.
func (r *reloader) try(job func() outcome) bool {
	select {
	case r.turn <- struct{}{}:
		go func() { _ = r.run(job) }() // It reports how the job ended.
		return true
	default:
		return false
	}
}

// run runs a job, reports how it ended and gives its turn back. It reports a failure when
// the job takes too long.
func (r *reloader) run(job func() outcome) error {
	stop := reloading.Alarm(r.patience, func() {
		r.overdue.Store(true)
		r.metrics.ReloadFailed()
		r.attempted(errSlow)
		r.logger.Error("the configuration cannot be read, the old one stays", "file", r.file, "err", errSlow)
	})
	o := job()
	stop() // First, or a late alarm would have the last word.
	r.report(o)
	<-r.turn
	select {
	case r.ended <- struct{}{}:
	default: // It will be known.
	}
	return o.err
}

// outcome is how a job ended: with a configuration applied, with an error, or, when it is
// zero, with nothing to do.
type outcome struct {
	cfg *config.Config
	// unchanged is how many scenarios run on as they were.
	unchanged int
	err       error
}

// report logs and counts how a job ended.
func (r *reloader) report(o outcome) {
	switch {
	case errors.Is(o.err, errStopping):
	case o.err != nil:
		r.metrics.ReloadFailed()
		r.attempted(o.err)
		r.logger.Error("reload failed, the old configuration stays", "file", r.file, "err", o.err)
	case o.cfg != nil:
		r.metrics.ReloadSucceeded(time.Now(), o.cfg.Hash)
		r.attempted(nil)
		r.logger.Info("configuration applied", "file", r.file, "hash", o.cfg.Hash[:12],
			"scenarios", len(o.cfg.Scenarios), "unchanged", o.unchanged)
	}
}

// look reloads if the file differs from that of the last look.
func (r *reloader) look() outcome {
	content, err := r.read(r.file, config.MaxSize)
	if overdue := r.overdue.Swap(false); overdue || fingerprint(content, err) != r.seen {
		return r.finish(content, err)
	}
	return outcome{}
}

// Reload reads the file and applies it. On an error the old configuration goes on
// as it was. It waits for files for a bounded time; a reload that takes longer is
// finished in the background. Safe for concurrent use.
func (r *reloader) Reload() error {
	timer := time.NewTimer(r.patience)
	defer timer.Stop()
	select {
	case r.turn <- struct{}{}:
	case <-timer.C:
		return fmt.Errorf("another reload has not ended for %v: %w", r.patience, errSlow)
	}
	timer.Reset(r.patience)
	done := make(chan error, 1)
	go func() { done <- r.run(r.reload) }()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("the reload has not ended for %v and goes on in the background: %w", r.patience, errSlow)
	}
}

// reload is the job that Reload waits for.
func (r *reloader) reload() outcome {
	content, err := r.read(r.file, config.MaxSize)
	r.overdue.Store(false)
	return r.finish(content, err)
}

// finish applies the content of the file. On an error the old configuration goes on.
func (r *reloader) finish(content []byte, err error) outcome {
	cfg, err := r.parse(content, err)
	if err == nil && cfg.FleetFingerprint() != r.current().FleetFingerprint() {
		err = errFleetChanged
	}
	if err != nil {
		return outcome{err: err}
	}
	return r.apply(cfg)
}

// attempted notes how an attempt to load the configuration has ended.
func (r *reloader) attempted(err error) {
	a := web.LiveReload{At: time.Now(), Errors: []string{}}
	if old := r.last.Load(); old != nil {
		a.Hash, a.Applied = old.Hash, old.Applied
	}
	if err == nil {
		a.Hash, a.Applied = r.current().Hash, a.At
	} else {
		a.Errors = mistakes(err)
	}
	r.last.Store(&a)
}

// mistakes returns the mistakes of a configuration one by one.
func mistakes(err error) []string {
	var all []string
	if list, ok := errors.AsType[config.Errors](err); ok {
		for _, e := range list {
			all = append(all, e.Error())
		}
		return all
	}
	return strings.Split(err.Error(), "\n")
}

// attempt returns the last attempt to load the configuration.
func (r *reloader) attempt() web.LiveReload {
	if a := r.last.Load(); a != nil {
		return *a
	}
	return web.LiveReload{Errors: []string{}}
}

// parse parses what reading the file gave and remembers it as seen.
func (r *reloader) parse(content []byte, err error) (*config.Config, error) {
	r.seen = fingerprint(content, err)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	cfg, err := config.Parse(r.file, content, r.getenv, r.disk)
	if err == nil {
		err = checkFiles(cfg, r.disk.files)
	}
	return cfg, err
}

// apply builds the scenarios of cfg and puts them in the place of the running ones.
func (r *reloader) apply(cfg *config.Config) outcome {
	running := *r.running.Load()
	next, err := r.builder.prepare(cfg, running)
	if err != nil {
		return outcome{err: err}
	}
	if r.stopped.Load() {
		discard(next, running)
		return outcome{err: errStopping}
	}
	pushes, err := r.builder.pusher.prepare(cfg.OTLP)
	if err != nil {
		discard(next, running)
		return outcome{err: err}
	}
	r.builder.fence.Set(cfg.Allowed()) // Before new scenarios obtain tokens.
	if err := r.builder.expose(cfg, next, running); err != nil {
		return outcome{err: err}
	}
	r.builder.pusher.apply(pushes)
	r.replace(next)
	closeFollowers(running, next)
	unchanged := 0
	for name, old := range running {
		n, ok := next[name]
		if !ok {
			r.metrics.Remove(name)
		} else if old.whole == n.whole {
			unchanged++
		}
	}
	r.config.Store(cfg)
	r.builder.history.Keep(names(next))
	r.builder.warn(cfg)
	if r.applied != nil {
		r.applied(cfg)
	}
	return outcome{cfg: cfg, unchanged: unchanged}
}

// names returns the names of scenarios.
func names(all map[string]built) map[string]bool {
	out := make(map[string]bool, len(all))
	for name := range all {
		out[name] = true
	}
	return out
}

// replace makes the engine run other scenarios, and has the rates asked for that they follow.
func (r *reloader) replace(next map[string]built) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lay(next)
	r.running.Store(&next)
	for _, b := range next {
		if b.follower != nil && !r.stopped.Load() {
			b.follower.Start()
		}
	}
}

// lay makes the engine run scenarios, with the changes of their rates laid over what
// the file says.
func (r *reloader) lay(all map[string]built) {
	overrides, found := r.overrides.Book(), r.followed.Book()
	scenarios := make([]engine.Scenario, 0, len(all))
	for name, b := range all {
		sc := b.scenario
		sc.Timeline = b.rate.lay(rateChanges{overrides[name], found[name]}, r.logger.With("scenario", name))
		scenarios = append(scenarios, sc)
	}
	r.engine.Apply(scenarios)
}

// applyOverrides applies the changes of the overrides.
func (r *reloader) applyOverrides() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lay(*r.running.Load())
}

// rate returns the rate of a scenario that runs, or nil.
func (r *reloader) rate(scenario string) *scenarioRate {
	return (*r.running.Load())[scenario].rate
}

// Config returns the running configuration with its secrets hidden.
func (r *reloader) Config() ([]byte, error) { return r.config.Load().Redacted() }

// current returns the running configuration.
func (r *reloader) current() *config.Config { return r.config.Load() }

// fingerprint identifies what reading the file gave, an error included.
func fingerprint(content []byte, err error) string {
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
