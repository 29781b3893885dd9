// Package telemetry holds every metric of the process, and is the only place where
// their names stand. A Metrics has those of the process; a Scenario has those of
// one scenario and is its engine.Recorder and its protocol.ConnObserver.
//
// It registers with the registry that it is given and never with the default one. It does
// not serve HTTP, knows nothing of the configuration file, judges nothing but the SLO, and
// does not register the build information or the Go runtime's metrics. docs/metrics.md
// explains how to read the metrics; its tables are generated from this package by go
// generate.
package telemetry

import (
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

//go:generate go test -run TestDocumentation -update .

// Metrics are the metrics of the process and the scenarios' registry. Create it
// with New. Safe for concurrent use.
type Metrics struct {
	reg prometheus.Registerer

	reloadSuccessful prometheus.Gauge
	reloadTimestamp  prometheus.Gauge
	configHash       prometheus.Gauge
	dryRun           prometheus.Gauge
	fleet            *fleetCollector
	data             *dataCollector
	pushes           *pushes

	// mu serialises changes of the set of scenarios; recording takes no part.
	mu        sync.Mutex
	scenarios map[string]*collector
}

// New registers the metrics of the process with reg, which must not be nil. It
// panics if reg has metrics of these names already, which is a mistake in the
// program.
func New(reg prometheus.Registerer) *Metrics {
	auto := promauto.With(reg)
	gauge := func(name, help string) prometheus.Gauge {
		return auto.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	fleet := newFleetCollector()
	if err := reg.Register(fleet); err != nil {
		panic(err) // As promauto does.
	}
	data := newDataCollector()
	if err := reg.Register(data); err != nil {
		panic(err) // As promauto does.
	}
	return &Metrics{
		reg:    reg,
		fleet:  fleet,
		data:   data,
		pushes: newPushes(auto),
		reloadSuccessful: gauge("traffic_config_last_reload_successful",
			"Whether the last attempt to load the configuration succeeded (1) or not (0)."),
		reloadTimestamp: gauge("traffic_config_last_reload_success_timestamp_seconds",
			"When the running configuration was loaded, in Unix time."),
		configHash: gauge("traffic_config_hash",
			"A hash of the running configuration: replicas that differ in it run different configurations."),
		dryRun: gauge("traffic_dry_run",
			"Whether this is a dry run, which sends nothing to the targets of the file (1) or not (0)."),
		scenarios: make(map[string]*collector),
	}
}

// DryRun marks the process as a dry run.
func (m *Metrics) DryRun() { m.dryRun.Set(1) }

// WebConfig exposes whether the web configuration is as its files are. Call it once, where there is one.
func (m *Metrics) WebConfig(current func() bool) {
	promauto.With(m.reg).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "traffic_web_config_last_reload_successful",
		Help: "Whether the last look at the web configuration and the certificates in it succeeded (1) or failed or does not end (0), so that the last good ones are in use; only with --web.config.file.",
	}, func() float64 {
		if current() {
			return 1
		}
		return 0
	})
}

// Scenario returns the metrics of the scenario that spec describes and exposes them
// from now on, with every series whose labels are known created at 0.
//
// For a name that exists it replaces the rate functions and keeps as much as it can: the
// same requests, bucket bounds and SLO give the same Scenario; otherwise counters of
// requests that stay go on, histograms go on if their bounds are the same, and series that
// are no longer due are deleted. A Scenario that was returned earlier stays valid: its
// counts still go to the series that remain, the ledger and the connections always among
// them.
//
// It fails, and changes nothing, if spec is invalid or the registry refuses.
func (m *Metrics) Scenario(spec ScenarioSpec) (*Scenario, error) {
	if err := spec.check(); err != nil {
		return nil, fmt.Errorf("metrics of scenario %q: %w", spec.Name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.scenarios[spec.Name]; ok {
		return c.reshape(spec), nil
	}
	c := newCollector(spec.Name)
	s := c.reshape(spec)
	if err := m.reg.Register(c); err != nil {
		return nil, fmt.Errorf("metrics of scenario %q: %w", spec.Name, err)
	}
	m.scenarios[spec.Name] = c
	return s, nil
}

// Remove deletes every series of the scenario; a name that is not there is ignored.
// Scenarios that were returned for it may still receive events that end late.
func (m *Metrics) Remove(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.scenarios[name]; ok {
		m.reg.Unregister(c)
		delete(m.scenarios, name)
	}
}

// ReloadSucceeded records that a configuration was loaded and runs. The hash is any string
// that differs between configurations.
func (m *Metrics) ReloadSucceeded(at time.Time, hash string) {
	m.reloadSuccessful.Set(1)
	m.reloadTimestamp.Set(float64(at.UnixMilli()) / 1e3)
	m.configHash.Set(hashValue(hash))
}

// ReloadFailed records that a configuration could not be loaded, so that the one before
// runs on. Its time and hash stay.
func (m *Metrics) ReloadFailed() { m.reloadSuccessful.Set(0) }

// hashValue maps the text to 48 bits, which a float64 holds exactly.
func hashValue(text string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // A hash never fails to write.
	return float64(h.Sum64() >> 16)
}
