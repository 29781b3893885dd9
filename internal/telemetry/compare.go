package telemetry

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/traffic-exporter/traffic_exporter/internal/compare"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Comparison records what comes of the slots of one scenario that are sent to two targets. Get it from
// Scenario.Comparison. Safe for concurrent use; a call neither blocks nor allocates.
type Comparison struct {
	// requests are the names of all requests of the scenario, and compared those that have series of the
	// comparison.
	requests, compared []string
	bounds             []float64

	results    *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	sent       *prometheus.CounterVec
	failed     *prometheus.CounterVec
	extras     *prometheus.CounterVec
	skipped    *prometheus.CounterVec
	entries    []comparedEntry
	extraKinds [protocol.NumExtras]prometheus.Counter
	skips      [compare.NumSkips]prometheus.Counter
	withheld   [engine.NumWithheldReasons]prometheus.Counter
}

// comparedEntry has the series of one request; they are nil if it is not compared.
type comparedEntry struct {
	results         [compare.NumResults]prometheus.Counter
	base, candidate prometheus.Observer
	sent            prometheus.Counter
	failed          [protocol.NumReasons]prometheus.Counter
}

func newComparison(f factory, spec ScenarioSpec) *Comparison {
	c := &Comparison{
		requests: slices.Clone(spec.Requests), compared: slices.Clone(spec.Compared), bounds: ladderOf(spec),
		results: f.counters("traffic_compare_requests_total",
			"Requests that were sent to both targets, by how they compare; missing ones were sent to one of them only, and base_failed ones say nothing about the candidate.",
			labelRequest, "result"),
		sent: f.counters("traffic_compare_candidate_requests_total",
			"Finished requests to the candidate.", labelRequest),
		failed: f.counters("traffic_compare_candidate_failures_total",
			"Failed requests to the candidate, by reason; local, denied and canceled ones say nothing about it.", labelRequest, "reason"),
		extras: f.counters("traffic_compare_candidate_extras_total",
			"Retries and redirects that were sent to the candidate.", "kind"),
		skipped: f.counters("traffic_compare_skipped_total",
			"Sampled slots that were not compared, or not to their end, by reason.", "reason"),
	}
	c.durations = f.histograms("traffic_compare_duration_seconds",
		"Time from a request's actual send to the last byte on either side, of pairs without a failure.",
		c.bounds, labelRequest, "side")
	c.create()
	return c
}

// create creates the series, so that rates begin at 0.
func (c *Comparison) create() {
	if len(c.compared) == 0 {
		return
	}
	c.entries = make([]comparedEntry, len(c.requests))
	for i, name := range c.requests {
		if slices.Contains(c.compared, name) {
			c.entries[i] = c.entry(name)
		}
	}
	for _, e := range []protocol.Extra{protocol.Retry, protocol.TransparentRetry, protocol.Redirect} {
		c.extraKinds[e] = c.extras.WithLabelValues(e.String())
	}
	for s := range c.skips {
		c.skips[s] = c.skipped.WithLabelValues(compare.Skip(s).String())
	}
	for _, why := range []engine.WithheldReason{engine.WithheldRateCap, engine.WithheldInFlight} {
		c.withheld[why] = c.skipped.WithLabelValues(why.String())
	}
}

func (c *Comparison) entry(name string) comparedEntry {
	e := comparedEntry{
		base: c.durations.WithLabelValues(name, "base"), candidate: c.durations.WithLabelValues(name, "candidate"),
		sent: c.sent.WithLabelValues(name),
	}
	for r := range e.results {
		e.results[r] = c.results.WithLabelValues(name, compare.Result(r).String())
	}
	for r := protocol.ReasonNone + 1; int(r) < protocol.NumReasons; r++ {
		e.failed[r] = c.failed.WithLabelValues(name, r.String())
	}
	return e
}

// isShapedBy reports whether spec asks for the series that c has.
func (c *Comparison) isShapedBy(spec ScenarioSpec) bool {
	return slices.Equal(c.compared, spec.Compared) && slices.Equal(c.requests, spec.Requests) && slices.Equal(c.bounds, ladderOf(spec))
}

// ladderOf returns the bounds of the classic buckets: those of a scenario without an SLO.
func ladderOf(spec ScenarioSpec) []float64 {
	spec.SLO = nil
	return spec.bounds()
}

// Comparison returns what records the scenario's comparison.
func (s *Scenario) Comparison() *Comparison { return s.comparison }

// Compared counts a request that was sent to one target or to both.
func (c *Comparison) Compared(v compare.Verdict) {
	e := &c.entries[v.Request]
	e.results[v.Result].Inc()
	if v.Base > 0 {
		e.base.Observe(seconds(v.Base))
		e.candidate.Observe(seconds(v.Candidate))
	}
}

// Skipped counts a slot that should have been compared and was sent to its own target alone.
func (c *Comparison) Skipped(why compare.Skip) { c.skips[why].Inc() }

// Exchanged counts a request to the candidate that has ended.
func (c *Comparison) Exchanged(o engine.Outcome) {
	e := &c.entries[o.Entry]
	e.sent.Inc()
	if o.Result.Failed() {
		e.failed[o.Result.Reason].Inc()
	}
}

// Extra counts one more request to the candidate for a request that is being sent.
func (c *Comparison) Extra(e protocol.Extra) {
	if kind := c.extraKinds[e]; kind != nil {
		kind.Inc()
	}
}

// Withheld counts a pair that was not sent to its end, since a step to the candidate found no room.
func (c *Comparison) Withheld(e protocol.Extra, why engine.WithheldReason) {
	if reason := c.withheld[why]; e == protocol.Step && reason != nil {
		reason.Inc()
	}
}

// Describe implements prometheus.Collector.
func (c *Comparison) Describe(ch chan<- *prometheus.Desc) {
	for _, part := range c.parts() {
		part.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (c *Comparison) Collect(ch chan<- prometheus.Metric) {
	for _, part := range c.parts() {
		part.Collect(ch)
	}
}

func (c *Comparison) parts() []prometheus.Collector {
	return []prometheus.Collector{c.results, c.durations, c.sent, c.failed, c.extras, c.skipped}
}
