package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grafana/dskit/services"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
)

// errFleetChanged refuses a reload: who the others are and how to reach them is settled
// when a replica joins.
var errFleetChanged = errors.New("the section fleet has changed, which needs a restart")

// reloader owns what a reload replaces: the configuration and the scenarios built
// from it. It is a service that reloads when asked to and when the file's content
// changes. All that can fail in a reload comes before anything live is touched.
type reloader struct {
	services.Service

	file    string
	getenv  func(string) (string, bool)
	every   time.Duration
	hangups <-chan os.Signal
	metrics *telemetry.Metrics
	logger  *slog.Logger
	// These are set before the service starts: they depend on the configuration.
	builder   *builder
	engine    *engine.Engine
	overrides overrideStore
	// applied, if not nil, is told the configuration that runs.
	applied func(*config.Config)

	// mu serialises reloads and guards what they replace.
	mu sync.Mutex
	// seen is the hash of the content that was last looked at, good or bad, so that
	// a bad file is reported once.
	seen    string
	running map[string]built

	config atomic.Pointer[config.Config]
}

// newReloader reads the configuration, so that a bad one fails the start, and
// builds nothing yet.
func newReloader(o Options, metrics *telemetry.Metrics) (*reloader, error) {
	r := &reloader{
		file:    o.ConfigFile,
		getenv:  os.LookupEnv,
		every:   o.WatchInterval,
		hangups: o.Hangups,
		metrics: metrics,
		logger:  o.Logger,
	}
	if o.getenv != nil {
		r.getenv = o.getenv
	}
	cfg, err := r.read()
	if err != nil {
		return nil, err
	}
	r.config.Store(cfg)
	r.Service = services.NewBasicService(r.start, r.watch, nil).WithName("reloader")
	return r, nil
}

// start applies the configuration that New has read.
func (r *reloader) start(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.apply(r.config.Load())
}

// watch reloads on a hangup and when the file's content differs from what was last
// looked at. It looks at the content because a ConfigMap is changed by swapping a
// symlink above it, and editors rename: neither is an event on the file.
func (r *reloader) watch(ctx context.Context) error {
	var ticks <-chan time.Time
	if r.every > 0 {
		ticker := time.NewTicker(r.every)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.hangups:
			r.logger.Info("reload requested by SIGHUP")
			_ = r.Reload() // Logged and counted there; the old configuration goes on.
		case <-ticks:
			if r.changed() {
				_ = r.Reload()
			}
		case <-r.overrides.News():
			r.applyOverrides()
		}
	}
}

// changed reports whether the file differs from what was last looked at.
func (r *reloader) changed() bool {
	content, err := os.ReadFile(r.file)
	r.mu.Lock()
	defer r.mu.Unlock()
	return fingerprint(content, err) != r.seen
}

// Reload reads the file and applies it. On an error the old configuration goes on
// as it was. Safe for concurrent use.
func (r *reloader) Reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	cfg, err := r.read()
	if err == nil && cfg.FleetFingerprint() != r.current().FleetFingerprint() {
		err = errFleetChanged
	}
	if err == nil {
		err = r.apply(cfg)
	}
	if err != nil {
		r.metrics.ReloadFailed()
		r.logger.Error("reload failed, the old configuration stays", "file", r.file, "err", err)
		return err
	}
	return nil
}

// read reads and parses the file and remembers its content as seen.
func (r *reloader) read() (*config.Config, error) {
	content, err := os.ReadFile(r.file)
	r.seen = fingerprint(content, err)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return config.Parse(r.file, content, r.getenv, readable)
}

// apply builds the scenarios of cfg and puts them in the place of the running ones.
func (r *reloader) apply(cfg *config.Config) error {
	next, err := r.builder.build(cfg, r.running)
	if err != nil {
		return err
	}
	kept := 0
	for name, b := range next {
		if old, ok := r.running[name]; ok && old.whole == b.whole {
			kept++
		}
	}
	r.run(next)
	for name := range r.running {
		if _, ok := next[name]; !ok {
			r.metrics.Remove(name)
		}
	}
	r.running = next
	r.config.Store(cfg)
	r.builder.warn(cfg)
	if r.applied != nil {
		r.applied(cfg)
	}
	r.metrics.ReloadSucceeded(time.Now(), cfg.Hash)
	r.logger.Info("configuration applied", "file", r.file, "hash", cfg.Hash[:12],
		"scenarios", len(cfg.Scenarios), "unchanged", kept)
	return nil
}

// run makes the engine run scenarios, with the changes of their rates laid over what
// the file says.
func (r *reloader) run(all map[string]built) {
	book := r.overrides.Book()
	scenarios := make([]engine.Scenario, 0, len(all))
	for name, b := range all {
		sc := b.scenario
		sc.Timeline = b.rate.lay(book[name], r.logger.With("scenario", name))
		scenarios = append(scenarios, sc)
	}
	r.engine.Apply(scenarios)
}

// applyOverrides applies what has changed of the overrides.
func (r *reloader) applyOverrides() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.run(r.running)
}

// rate returns the rate of a scenario that runs, or nil.
func (r *reloader) rate(scenario string) *scenarioRate {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[scenario].rate
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
