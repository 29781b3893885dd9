package telemetry

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/traffic-exporter/traffic_exporter/internal/compare"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// ScenarioSpec says which series a scenario has.
type ScenarioSpec struct {
	// Name is the value of the label scenario.
	Name string
	// Requests are the names of the requests, in the order of engine.Outcome.Entry; no two
	// alike. The steps of a journey are named after it and themselves: visit/cart.
	Requests []string
	// Journeys are the names of those entries of the mix that are journeys, by the index of the
	// entry; empty for those that are a single request.
	Journeys []string
	// Checks are the names of the checks of each request, by its index; none beyond the end.
	Checks [][]string
	// Compared are the names of those requests that are also sent to a candidate.
	Compared []string
	// Timeout is the longest that a request may take. The histograms reach above it.
	Timeout time.Duration
	// SLO is what requests are judged against; nil for none.
	SLO *SLO
	// TargetRate and ShareRate return the rate that the whole fleet should send now
	// and this replica's part of it, in requests per second. They are called at each
	// scrape, concurrently with everything else. Nil reads as 0.
	TargetRate func() float64
	ShareRate  func() float64
	// Overridden reports whether an override of the rate is in effect. It is called like those;
	// nil reads as no.
	Overridden func() bool
	// BackOffRatio returns the share of the slots that is sent while the target is spared. It
	// is called like those; nil reads as 1.
	BackOffRatio func() float64
	// SilentFor returns for how many seconds slots of this replica have been due without
	// one being counted. It is called like those; nil reads as 0.
	SilentFor func() float64
	// Followed returns the rate that was found last and holds, NaN for none, and when it was found
	// in Unix time, 0 if never. It is called like those. The scenario has the series of a rate
	// that is followed unless it is nil.
	Followed func() (rate, at float64)
	// DaySlotsLeft returns how many slots of the day the whole fleet may still send. It is called like
	// those. The scenario has the series unless it is nil.
	DaySlotsLeft func() float64
	// Sessions returns how many sessions and tokens there are, and TokenExpires when the token
	// expires in Unix time, 0 if nobody knows. They are called like those. The scenario has the
	// series of sessions unless Sessions is nil, and that of a token unless TokenExpires is.
	Sessions     func() float64
	TokenExpires func() float64
	// Descriptors returns 1 if the descriptors of gRPC are known, and otherwise 0. It is called like
	// those. The scenario has the series of descriptors unless it is nil.
	Descriptors func() float64
}

// SLO is a service level objective: the part of the requests that must succeed
// within the latency, counted from the due time.
type SLO struct {
	// Objective is the part of the requests, between 0 and 1.
	Objective float64
	// Latency is the time within which a good request ends, inclusive.
	Latency time.Duration
}

// good judges a request that did not fail by our own doing.
func (s SLO) good(failed bool, latency time.Duration) bool {
	return !failed && latency <= s.Latency
}

// isStep reports whether a request is a step of a journey.
func (s ScenarioSpec) isStep(request string) bool {
	journey, _, ok := strings.Cut(request, "/")
	return ok && slices.Contains(s.Journeys, journey)
}

// checksOf returns the names of the checks of a request.
func (s ScenarioSpec) checksOf(request int) []string {
	if request >= len(s.Checks) {
		return nil
	}
	return s.Checks[request]
}

// check finds what would make the metrics wrong or the client library panic.
func (s ScenarioSpec) check() error {
	if s.Name == "" || !utf8.ValidString(s.Name) {
		return errors.New("the scenario's name is empty or not UTF-8")
	}
	if s.Timeout <= 0 {
		return fmt.Errorf("timeout %v is not positive", s.Timeout)
	}
	if len(s.Requests) == 0 {
		return errors.New("it has no requests")
	}
	for i, name := range s.Requests {
		if name == "" || !utf8.ValidString(name) {
			return fmt.Errorf("the name of request %d, %q, is empty or not UTF-8", i, name)
		}
		if slices.Contains(s.Requests[:i], name) {
			return fmt.Errorf("two requests have the name %q", name)
		}
	}
	if s.SLO == nil {
		return nil
	}
	return s.SLO.check()
}

func (s SLO) check() error {
	if !(s.Objective > 0 && s.Objective <= 1) { // False for NaN, too.
		return fmt.Errorf("SLO objective %v is not above 0 and at most 1", s.Objective)
	}
	if s.Latency <= 0 {
		return fmt.Errorf("SLO latency %v is not positive", s.Latency)
	}
	return nil
}

// bounds returns the upper bounds of the classic buckets, in seconds: 1, 2.5 and 5
// times the powers of ten from 0.5 ms to the first one above both the timeout and
// a second, and the SLO's latency, so that its ratio can be read off exactly.
func (s ScenarioSpec) bounds() []float64 {
	bounds := ladder(500*time.Microsecond, max(s.Timeout, time.Second))
	if s.SLO == nil {
		return bounds
	}
	slo := seconds(s.SLO.Latency)
	if i, found := slices.BinarySearch(bounds, slo); !found {
		bounds = slices.Insert(bounds, i, slo)
	}
	return bounds
}

// ladder returns the bounds of the series 1, 2.5, 5 from first, which is one of
// them, to the first that is above top.
func ladder(first, top time.Duration) []float64 {
	var bounds []float64
	for b := first; ; b = step(b) {
		bounds = append(bounds, seconds(b))
		// The second condition ends it where a Duration would overflow.
		if b > top || b > math.MaxInt64/4 {
			return bounds
		}
	}
}

// step returns the bound after b in the series 1, 2.5, 5. It reads the leading
// digits, which are 1, 25 or 5.
func step(b time.Duration) time.Duration {
	lead := b
	for lead >= 100 || lead%10 == 0 {
		lead /= 10
	}
	if lead == 1 {
		return b / 2 * 5
	}
	return b * 2
}

// seconds converts to the unit of all metrics. A single division rounds correctly,
// so 300 ms is 0.3 and a latency equal to a bound is in its bucket. A duration
// below 0, which only a disturbed clock can make, counts as 0.
func seconds(d time.Duration) float64 { return float64(max(d, 0)) / 1e9 }

// Series counts series as a Prometheus server stores them.
type Series struct {
	// Plain counts counters and gauges.
	Plain int
	// Classic counts the series of the histograms where they are scraped as classic
	// ones: one a bucket, and sum and count.
	Classic int
	// Native counts the series of the histograms where they are scraped as native
	// ones: one each.
	Native int
}

// SeriesCount returns how many series the scenario has before its first request.
// Each code that a request then gets in response adds one.
func SeriesCount(spec ScenarioSpec) Series {
	const (
		// Sent and received bytes, connections open and opened by three protocols, failures and
		// outdated connections of DNS, failures of files, target and share rate, override,
		// back-off, silence; due, finished, in flight; journeys in progress.
		scenario = 14 + 3 + 1
		// Without ReasonNone, which is no failure; the empty code; retries and redirects;
		// those that were withheld, by reason.
		request   = protocol.NumReasons - 1 + 1 + 2 + 5
		objective = 2
		verdicts  = 2
		// Of a step: left out, and withheld by reason.
		skipped = 1 + 2
		// Of a classic histogram beside its bounds: +Inf, sum and count.
		extra = 3
		// Duration by outcome, and service.
		requestHistograms = numOutcomes + 1
	)
	n := len(spec.Requests)
	s := Series{
		Plain:  scenario + engine.NumDropReasons + n*request,
		Native: n*requestHistograms + 1 + numPhases,
		Classic: n*requestHistograms*(len(spec.bounds())+extra) +
			len(delayBounds()) + extra + numPhases*(len(phaseBounds())+extra),
	}
	if spec.Sessions != nil {
		s.Plain += 3
	}
	if spec.Followed != nil {
		s.Plain += 2
	}
	if spec.DaySlotsLeft != nil {
		s.Plain++
	}
	if spec.TokenExpires != nil {
		s.Plain++
	}
	if spec.Descriptors != nil {
		s.Plain += 3
	}
	s.add(comparisonSeries(spec))
	for i, name := range spec.Requests {
		s.Plain += len(spec.checksOf(i))
		if spec.isStep(name) {
			s.Plain += skipped
		}
	}
	for _, name := range spec.Journeys {
		if name != "" {
			s.Native += engine.NumJourneyOutcomes
			s.Classic += engine.NumJourneyOutcomes * (len(journeyBounds()) + extra)
		}
	}
	if spec.SLO != nil {
		s.Plain += objective + n*verdicts
	}
	return s
}

// comparisonSeries returns how many series the comparison with a candidate has.
func comparisonSeries(spec ScenarioSpec) Series {
	if len(spec.Compared) == 0 {
		return Series{}
	}
	const (
		// Retries and redirects, and slots that were skipped: for a reason of their own, or as in_flight.
		scenario = 2 + compare.NumSkips + 1
		// By result, sent, failed by reason.
		request = compare.NumResults + 1 + protocol.NumReasons - 1
		sides   = 2
		// Of a classic histogram beside its bounds: +Inf, sum and count.
		extra = 3
	)
	n := len(spec.Compared)
	return Series{Plain: scenario + n*request, Native: n * sides, Classic: n * sides * (len(ladderOf(spec)) + extra)}
}

// add adds other series.
func (s *Series) add(o Series) {
	s.Plain += o.Plain
	s.Classic += o.Classic
	s.Native += o.Native
}
