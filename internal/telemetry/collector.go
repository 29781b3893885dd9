package telemetry

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The labels, beside the scenario's name, which is a constant label of each of the
// scenario's series.
const (
	labelScenario = "scenario"
	labelRequest  = "request"
	labelTrace    = "trace_id"
)

// factory makes the metrics of one scenario. Scenarios have vectors of their own
// under the same names, which differ in the constant label: so each has its own
// bucket bounds, and all its series go away at once.
type factory struct{ labels prometheus.Labels }

func (f factory) desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, f.labels)
}

func (f factory) counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: f.labels})
}

func (f factory) counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: name, Help: help, ConstLabels: f.labels}, labels)
}

// histograms are native and classic ones together. The smallest native bucket is
// at 2^-16 s, about 15 us: up to 16 s no set of latencies needs more than 160
// buckets, so the client library never has to lower the resolution or to reset.
func (f factory) histograms(name, help string, bounds []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:                            name,
		Help:                            help,
		ConstLabels:                     f.labels,
		Buckets:                         bounds,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
		NativeHistogramZeroThreshold:    1.0 / (1 << 16),
	}, labels)
}

// delayBounds are the buckets of the send delay: finer than those of the latency, and the
// same for all, since they are about the generator and not the target.
func delayBounds() []float64 { return ladder(100*time.Microsecond, 2*time.Second) }

// phaseBounds are the buckets of the steps that make a connection.
func phaseBounds() []float64 { return ladder(500*time.Microsecond, 5*time.Second) }

// collector exposes one scenario. It outlives changes of the scenario's shape: what
// does not depend on the shape is here, the rest in the current Scenario.
type collector struct {
	factory factory
	created time.Time
	ledger  *ledger
	conns   *connections

	sendDelay   *prometheus.HistogramVec
	requests    *prometheus.CounterVec
	failures    *prometheus.CounterVec
	verdicts    *prometheus.CounterVec
	retries     *prometheus.CounterVec
	redirects   *prometheus.CounterVec
	withheld    *prometheus.CounterVec
	journeys    *journeys
	sessions    *sessions
	descriptors *descriptors

	targetDesc, shareDesc, overrideDesc, backOffDesc, silentDesc, objectiveDesc, latencyDesc, followedDesc, foundDesc, leftDesc *prometheus.Desc

	rates   atomic.Pointer[rates]
	current atomic.Pointer[Scenario]
}

// rates are what a scrape asks for.
type rates struct {
	target, share func() float64
	overridden    func() bool
	backOff       func() float64
	silent        func() float64
	followed      func() (rate, at float64)
	left          func() float64
}

func newCollector(name string) *collector {
	f := factory{labels: prometheus.Labels{labelScenario: name}}
	return &collector{
		factory:     f,
		created:     time.Now(),
		ledger:      newLedger(f),
		conns:       newConnections(f),
		journeys:    newJourneys(f),
		sessions:    newSessions(f),
		descriptors: newDescriptors(f),
		sendDelay: f.histograms("traffic_send_delay_seconds",
			"Time from a request's due time to the actual send: the generator's own lateness.", delayBounds()),
		requests: f.counters("traffic_requests_total",
			"Finished requests, by the protocol's code (a status of HTTP or gRPC, the close code of a WebSocket); the code is empty where there was no response.",
			labelRequest, "code"),
		failures: f.counters("traffic_request_failures_total",
			"Failed requests, by reason; local, denied and canceled ones say nothing about the target.", labelRequest, "reason"),
		verdicts: f.counters("traffic_slo_requests_total",
			"Requests judged against the SLO: good ones succeeded within its latency. Local, denied and canceled failures are not judged.",
			labelRequest, "good"),
		retries: f.counters("traffic_request_retries_total",
			"Requests that were sent once more, since the connection of the first attempt ended without a response.", labelRequest),
		redirects: f.counters("traffic_request_redirects_total",
			"Requests that were sent because a response redirected to them.", labelRequest),
		withheld: f.counters("traffic_requests_withheld_total",
			"Retries, redirects and steps of journeys that were not sent, by reason.", labelRequest, "kind", "reason"),
		targetDesc: f.desc("traffic_target_rate", "Requests per second that the whole fleet should send now."),
		shareDesc:  f.desc("traffic_share_rate", "Requests per second that this replica should send now."),
		overrideDesc: f.desc("traffic_override_active",
			"Whether the rate is another than the file's because of an override (1) or not (0)."),
		silentDesc: f.desc("traffic_silent_seconds",
			"For how long slots of this replica have been due and not one was taken: 0 unless its sending hangs."),
		backOffDesc: f.desc("traffic_back_off_ratio",
			"Part of the target rate that is sent now, from 0 to 1: less than 1 while the target is spared because it fails."),
		followedDesc: f.desc("traffic_followed_rate",
			"Requests per second that were found for a rate that is followed, scaled and bounded; NaN while none holds."),
		foundDesc: f.desc("traffic_follow_last_success_timestamp_seconds",
			"When the rate was found last that is followed, by any replica, in seconds since 1970; 0 if never."),
		leftDesc: f.desc("traffic_day_slots_left",
			"Slots of today that the whole fleet may still send, of max_slots_per_day."),
		objectiveDesc: f.desc("traffic_slo_objective_ratio",
			"Part of the requests that must be good, from 0 to 1."),
		latencyDesc: f.desc("traffic_slo_latency_seconds",
			"Time from the due time within which a good request ends."),
	}
}

// durations and services depend on the bounds, so a change of those replaces them.
func (c *collector) durations(bounds []float64) *prometheus.HistogramVec {
	return c.factory.histograms("traffic_request_duration_seconds",
		"Time from a request's due time to the last byte, free of coordinated omission. Local, denied and canceled failures are not observed.",
		bounds, labelRequest, labelOutcome)
}

func (c *collector) services(bounds []float64) *prometheus.HistogramVec {
	return c.factory.histograms("traffic_request_service_seconds",
		"Time from a request's actual send to the last byte. Local, denied and canceled failures are not observed.",
		bounds, labelRequest)
}

// reshape makes the scenario what spec says. Calls must not overlap.
func (c *collector) reshape(spec ScenarioSpec) *Scenario {
	c.rates.Store(&rates{target: spec.TargetRate, share: spec.ShareRate, overridden: spec.Overridden, backOff: spec.BackOffRatio, silent: spec.SilentFor, followed: spec.Followed, left: spec.DaySlotsLeft})
	c.sessions.reshape(spec)
	c.descriptors.reshape(spec)
	old := c.current.Load()
	if old != nil && old.isShapedBy(spec) {
		return old
	}
	s := newScenario(c, spec, old)
	c.current.Store(s)
	if old != nil {
		c.prune(old, s)
	}
	return s
}

// prune deletes the series that were the old shape's and are not the new one's.
func (c *collector) prune(old, s *Scenario) {
	c.journeys.prune(old, s)
	for _, e := range old.entries {
		if slices.Contains(s.requests, e.codes.request) {
			continue
		}
		e.codes.close()
		gone := prometheus.Labels{labelRequest: e.codes.request}
		c.failures.DeletePartialMatch(gone)
		c.verdicts.DeletePartialMatch(gone)
		c.retries.DeletePartialMatch(gone)
		c.redirects.DeletePartialMatch(gone)
		c.withheld.DeletePartialMatch(gone)
		c.journeys.skipped.DeletePartialMatch(gone)
		c.journeys.checks.DeletePartialMatch(gone)
		s.durations.DeletePartialMatch(gone)
		s.services.DeletePartialMatch(gone)
	}
	if s.slo == nil {
		c.verdicts.Reset()
	}
}

// Describe implements prometheus.Collector. It describes all that there may be,
// whatever the shape: the registry knows the collector by it.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.targetDesc, c.shareDesc, c.overrideDesc, c.backOffDesc, c.silentDesc, c.objectiveDesc, c.latencyDesc, c.followedDesc, c.foundDesc, c.leftDesc} {
		ch <- d
	}
	for _, part := range c.parts(c.current.Load()) {
		part.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	r := c.rates.Load()
	gauge(c.targetDesc, value(r.target))
	gauge(c.shareDesc, value(r.share))
	gauge(c.overrideDesc, truth(r.overridden != nil && r.overridden()))
	backOff := 1.0
	if r.backOff != nil {
		backOff = r.backOff()
	}
	gauge(c.backOffDesc, backOff)
	silent := 0.0
	if r.silent != nil {
		silent = r.silent()
	}
	gauge(c.silentDesc, silent)
	if r.followed != nil {
		rate, at := r.followed()
		gauge(c.followedDesc, rate)
		gauge(c.foundDesc, at)
	}
	if r.left != nil {
		gauge(c.leftDesc, r.left())
	}
	s := c.current.Load()
	if s.slo != nil {
		gauge(c.objectiveDesc, s.slo.Objective)
		gauge(c.latencyDesc, seconds(s.slo.Latency))
	}
	for _, part := range c.parts(s) {
		part.Collect(ch)
	}
}

// parts are the collectors that this one is made of while s is its shape.
func (c *collector) parts(s *Scenario) []prometheus.Collector {
	return append(c.conns.parts(),
		c.ledger, c.sendDelay, c.requests, c.failures, c.verdicts, c.retries, c.redirects, c.withheld, c.journeys, c.sessions, c.descriptors, s.comparison, s.durations, s.services)
}

func value(f func() float64) float64 {
	if f == nil {
		return 0
	}
	return f()
}
