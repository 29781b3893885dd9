package telemetry

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
)

const (
	labelJourney = "journey"
	labelOutcome = "outcome"
	labelCheck   = "check"
)

// journeyBounds are the buckets of the duration of journeys, pauses included.
func journeyBounds() []float64 { return ladder(10*time.Millisecond, time.Hour) }

// journeys are the metrics of journeys and their steps and checks.
type journeys struct {
	durations *prometheus.HistogramVec
	skipped   *prometheus.CounterVec
	checks    *prometheus.CounterVec

	inProgressDesc *prometheus.Desc
	inProgress     atomic.Int64
}

func newJourneys(f factory) *journeys {
	return &journeys{
		durations: f.histograms("traffic_journey_duration_seconds",
			"Time from a slot's due time to the end of the last request of its journey, pauses included..",
			journeyBounds(), labelJourney, labelOutcome),
		skipped: f.counters("traffic_steps_skipped_total",
			"Requests of journeys that were not sent since the journey had ended before them.", labelRequest),
		checks: f.counters("traffic_check_failures_total",
			"Checks of responses that did not hold, by their path in the configuration.", labelRequest, labelCheck),
		inProgressDesc: f.desc("traffic_journeys_in_progress",
			"Journeys that have begun and have not ended: the users at this time."),
	}
}

// entry returns the histograms of a journey by outcome.
func (j *journeys) entry(name string) [engine.NumJourneyOutcomes]prometheus.Observer {
	var all [engine.NumJourneyOutcomes]prometheus.Observer
	for o := range all {
		all[o] = j.durations.WithLabelValues(name, engine.JourneyOutcome(o).String())
	}
	return all
}

// prune deletes the series of journeys and of checks that are there no more.
func (j *journeys) prune(old, s *Scenario) {
	for _, name := range old.journeyNames {
		if name != "" && !slices.Contains(s.journeyNames, name) {
			j.durations.DeletePartialMatch(prometheus.Labels{labelJourney: name})
		}
	}
	for i, request := range old.requests {
		left := s.checksOf(request)
		for _, check := range old.checksOf(request) {
			if !slices.Contains(left, check) {
				j.checks.DeleteLabelValues(request, check)
			}
		}
		if at := slices.Index(s.requests, request); old.entries[i].skipped != nil && (at < 0 || s.entries[at].skipped == nil) {
			j.skipped.DeleteLabelValues(request)
		}
	}
}

// Describe implements prometheus.Collector.
func (j *journeys) Describe(ch chan<- *prometheus.Desc) {
	j.durations.Describe(ch)
	j.skipped.Describe(ch)
	j.checks.Describe(ch)
	ch <- j.inProgressDesc
}

// Collect implements prometheus.Collector.
func (j *journeys) Collect(ch chan<- prometheus.Metric) {
	j.durations.Collect(ch)
	j.skipped.Collect(ch)
	j.checks.Collect(ch)
	ch <- prometheus.MustNewConstMetric(j.inProgressDesc, prometheus.GaugeValue, float64(j.inProgress.Load()))
}
