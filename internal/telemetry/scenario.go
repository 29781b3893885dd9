package telemetry

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// numOutcomes is the number of values of the label outcome: success, failure.
const numOutcomes = 2

// Scenario records what becomes of the slots of one scenario and what happens on
// its connections. Get it from Metrics.Scenario. Safe for concurrent use; a call
// neither blocks nor, but for a sampled exemplar or a new code, allocates.
type Scenario struct {
	ledger *ledger
	conns  *connections

	requests []string
	bounds   []float64
	slo      *SLO

	durations *prometheus.HistogramVec
	services  *prometheus.HistogramVec
	sendDelay prometheus.Observer
	entries   []entry

	sessions    *sessions
	descriptors *descriptors
	comparison  *Comparison
	journeys    *journeys
	// journeyNames and journeyDurations are by entry of the mix; those of entries that are a
	// single request are empty and nil.
	journeyNames     []string
	journeyDurations [][engine.NumJourneyOutcomes]prometheus.Observer
	checks           [][]string
}

var (
	_ engine.Recorder       = (*Scenario)(nil)
	_ protocol.ConnObserver = (*Scenario)(nil)
)

// newScenario builds the shape that spec asks for from what old has, which is nil
// at first, and what it has to add.
func newScenario(c *collector, spec ScenarioSpec, old *Scenario) *Scenario {
	s := &Scenario{
		ledger:    c.ledger,
		conns:     c.conns,
		requests:  slices.Clone(spec.Requests),
		bounds:    spec.bounds(),
		sendDelay: c.sendDelay.WithLabelValues(),

		sessions:         c.sessions,
		descriptors:      c.descriptors,
		journeys:         c.journeys,
		journeyNames:     slices.Clone(spec.Journeys),
		journeyDurations: make([][engine.NumJourneyOutcomes]prometheus.Observer, len(spec.Journeys)),
		checks:           spec.Checks,
	}
	for i, name := range s.journeyNames {
		if name != "" {
			s.journeyDurations[i] = c.journeys.entry(name)
		}
	}
	if old != nil && old.comparison.isShapedBy(spec) {
		s.comparison = old.comparison
	} else {
		s.comparison = newComparison(c.factory, spec)
	}
	if spec.SLO != nil {
		slo := *spec.SLO
		s.slo = &slo
	}
	if old != nil && slices.Equal(old.bounds, s.bounds) {
		s.durations, s.services = old.durations, old.services
	} else {
		s.durations, s.services = c.durations(s.bounds), c.services(s.bounds)
	}
	for i, name := range s.requests {
		e := newEntry(c, s, spec, name, old)
		if spec.isStep(name) {
			e.skipped = c.journeys.skipped.WithLabelValues(name)
		}
		for _, check := range spec.checksOf(i) {
			e.checks = append(e.checks, c.journeys.checks.WithLabelValues(name, check))
		}
		s.entries = append(s.entries, e)
	}
	return s
}

// isShapedBy reports whether spec asks for the series that s has.
func (s *Scenario) isShapedBy(spec ScenarioSpec) bool {
	sameSLO := s.slo == nil && spec.SLO == nil ||
		s.slo != nil && spec.SLO != nil && *s.slo == *spec.SLO
	return sameSLO && s.comparison.isShapedBy(spec) && slices.Equal(s.requests, spec.Requests) && slices.Equal(s.bounds, spec.bounds()) &&
		slices.Equal(s.journeyNames, spec.Journeys) && slices.EqualFunc(s.checks, spec.Checks, slices.Equal)
}

// checksOf returns the names of a request's checks; nil if the scenario has no such request.
func (s *Scenario) checksOf(request string) []string {
	if i := slices.Index(s.requests, request); i >= 0 && i < len(s.checks) {
		return s.checks[i]
	}
	return nil
}

// Due implements engine.Recorder.
func (s *Scenario) Due(n uint64) { s.ledger.due(n) }

// Dropped implements engine.Recorder.
func (s *Scenario) Dropped(r engine.DropReason, n uint64) { s.ledger.drop(r, n) }

// Exchanged implements engine.Recorder.
func (s *Scenario) Exchanged(o engine.Outcome) {
	s.sendDelay.Observe(seconds(o.Delay))
	s.entries[o.Entry].record(o, s.slo)
}

// Finished implements engine.Recorder. It comes last, so that who sees a slot as finished
// finds all else about it.
func (s *Scenario) Finished() { s.ledger.finish() }

// Extra implements engine.Recorder. Steps have their own series as requests.
func (s *Scenario) Extra(entry int, e protocol.Extra) {
	if c := s.entries[entry].extras[e]; c != nil {
		c.Inc()
	}
}

// JourneyBegan implements engine.Recorder.
func (s *Scenario) JourneyBegan(int) { s.journeys.inProgress.Add(1) }

// JourneyEnded implements engine.Recorder. Entries that are a single request have no series.
func (s *Scenario) JourneyEnded(entry int, o engine.JourneyOutcome, took time.Duration) {
	s.journeys.inProgress.Add(-1)
	if h := s.journeyDurations[entry][o]; h != nil {
		h.Observe(seconds(took))
	}
}

// Skipped counts a request of a journey that ended before it.
func (s *Scenario) Skipped(request int) { s.entries[request].skipped.Inc() }

// CheckFailed counts a check of a request that did not hold, by its index in the spec.
func (s *Scenario) CheckFailed(request, check int) { s.entries[request].checks[check].Inc() }

// Withheld implements engine.Recorder.
func (s *Scenario) Withheld(entry int, e protocol.Extra, why engine.WithheldReason) {
	if c := s.entries[entry].withheld[e][why]; c != nil {
		c.Inc()
	}
}

// SlotsDue returns how many slots have come due.
func (s *Scenario) SlotsDue() uint64 { return s.ledger.snapshot().due }

// Resolved implements protocol.ConnObserver.
func (s *Scenario) Resolved(took time.Duration, err error) { s.conns.Resolved(took, err) }

// Outdated implements protocol.ConnObserver.
func (s *Scenario) Outdated() { s.conns.Outdated() }

// FileFailed implements protocol.ConnObserver.
func (s *Scenario) FileFailed() { s.conns.FileFailed() }

// Opened implements protocol.ConnObserver.
func (s *Scenario) Opened(p protocol.Phases) { s.conns.Opened(p) }

// Closed implements protocol.ConnObserver.
func (s *Scenario) Closed() { s.conns.Closed() }

// Transferred implements protocol.ConnObserver.
func (s *Scenario) Transferred(sent, received int) { s.conns.Transferred(sent, received) }

// entry has the series of one request of the mix, looked up ahead.
type entry struct {
	codes    *codes
	success  *timed
	failure  *timed
	service  prometheus.Observer
	failures [protocol.NumReasons]prometheus.Counter
	// good and bad are nil without an SLO.
	good, bad prometheus.Counter
	extras    [protocol.NumExtras]prometheus.Counter
	withheld  [protocol.NumExtras][engine.NumWithheldReasons]prometheus.Counter
	// skipped is nil for a request that is not a step of a journey, and checks are by their index.
	skipped prometheus.Counter
	checks  []prometheus.Counter
}

// newEntry creates the series of a request, or finds those that exist.
func newEntry(c *collector, s *Scenario, spec ScenarioSpec, name string, old *Scenario) entry {
	e := entry{
		codes:   old.codesOf(name),
		success: newTimed(s.durations.WithLabelValues(name, "success"), successEvery, c.created),
		failure: newTimed(s.durations.WithLabelValues(name, "failure"), failureEvery, c.created),
		service: s.services.WithLabelValues(name),
	}
	if e.codes == nil {
		e.codes = newCodes(c.requests, name)
	}
	for r := protocol.ReasonNone + 1; int(r) < protocol.NumReasons; r++ {
		e.failures[r] = c.failures.WithLabelValues(name, r.String())
	}
	e.extras[protocol.Retry] = c.retries.WithLabelValues(name)
	e.extras[protocol.TransparentRetry] = e.extras[protocol.Retry]
	e.extras[protocol.Redirect] = c.redirects.WithLabelValues(name)
	for kind, reasons := range withholdings(spec.isStep(name)) {
		for _, why := range reasons {
			e.withheld[kind][why] = c.withheld.WithLabelValues(name, protocol.Extra(kind).String(), why.String())
		}
	}
	if s.slo != nil {
		e.good = c.verdicts.WithLabelValues(name, "true")
		e.bad = c.verdicts.WithLabelValues(name, "false")
	}
	return e
}

// withholdings returns for which reasons a request may be withheld, by its kind.
func withholdings(step bool) [protocol.NumExtras][]engine.WithheldReason {
	all := [protocol.NumExtras][]engine.WithheldReason{
		protocol.Retry:            {engine.WithheldRateCap, engine.WithheldRetryBudget, engine.WithheldShutdown},
		protocol.TransparentRetry: {engine.WithheldRateCap, engine.WithheldShutdown},
		protocol.Redirect:         {engine.WithheldRateCap, engine.WithheldShutdown},
	}
	if step {
		all[protocol.Step] = []engine.WithheldReason{engine.WithheldRateCap, engine.WithheldInFlight}
	}
	return all
}

// codesOf returns the counters of the request that s has, nil if there are none or
// no s. Their limit would mean nothing if each reload granted a new one.
func (s *Scenario) codesOf(name string) *codes {
	if s == nil {
		return nil
	}
	i := slices.Index(s.requests, name)
	if i < 0 {
		return nil
	}
	return s.entries[i].codes
}

// record counts the outcome. A failure of our own says nothing about the target: neither how
// long it took, nor whether the request would have been good.
func (e *entry) record(o engine.Outcome, slo *SLO) {
	e.codes.inc(o.Result.Code)
	latency, series := o.Latency(), e.success
	if reason := o.Result.Reason; reason != protocol.ReasonNone {
		e.failures[reason].Inc()
		if reason.Ours() {
			return
		}
		series = e.failure
	}
	series.observe(latency, o)
	e.service.Observe(seconds(o.Result.Service()))
	if slo != nil {
		e.judge(slo.good(o.Result.Failed(), latency))
	}
}

func (e *entry) judge(good bool) {
	if good {
		e.good.Inc()
	} else {
		e.bad.Inc()
	}
}
