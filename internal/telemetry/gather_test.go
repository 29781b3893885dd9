package telemetry_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
)

// sample is one gathered metric.
type sample struct {
	name, kind, help string
	labels           map[string]string
	// value is a counter's or gauge's value, or the number of observations.
	value float64
	sum   float64
	// bounds are the upper bounds of the classic buckets, native the number of
	// observations in the native ones.
	bounds     []float64
	cumulative []uint64
	native     uint64
	hasNative  bool
	// traces are the exemplars' trace ids, each once.
	traces []string
}

type samples []sample

// scrape gathers everything, as a scrape by protobuf would see it.
func scrape(t *testing.T, g prometheus.Gatherer) samples {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	var all samples
	for _, f := range families {
		for _, m := range f.GetMetric() {
			s := sample{name: f.GetName(), kind: strings.ToLower(f.GetType().String()), help: f.GetHelp()}
			s.labels = make(map[string]string)
			for _, l := range m.GetLabel() {
				s.labels[l.GetName()] = l.GetValue()
			}
			s.value = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			if h := m.GetHistogram(); h != nil {
				s.value, s.sum = float64(h.GetSampleCount()), h.GetSampleSum()
				s.hasNative = h.Schema != nil && len(h.GetPositiveSpan()) > 0
				s.native = h.GetZeroCount()
				var inBucket int64
				for _, delta := range h.GetPositiveDelta() {
					inBucket += delta
					s.native += uint64(inBucket)
				}
				exemplars := h.GetExemplars()
				for _, b := range h.GetBucket() {
					s.bounds = append(s.bounds, b.GetUpperBound())
					s.cumulative = append(s.cumulative, b.GetCumulativeCount())
					if e := b.GetExemplar(); e != nil {
						exemplars = append(exemplars, e)
					}
				}
				for _, e := range exemplars {
					if id := e.GetLabel()[0].GetValue(); !slices.Contains(s.traces, id) {
						s.traces = append(s.traces, id)
					}
				}
			}
			all = append(all, s)
		}
	}
	return all
}

// where returns the samples of the name that have the labels, given in pairs.
func (all samples) where(name string, pairs ...string) samples {
	var some samples
	for _, s := range all {
		match := s.name == name
		for i := 0; i < len(pairs); i += 2 {
			match = match && s.labels[pairs[i]] == pairs[i+1]
		}
		if match {
			some = append(some, s)
		}
	}
	return some
}

// of returns the samples of one scenario.
func (all samples) of(scenario string) samples {
	var some samples
	for _, s := range all {
		if s.labels["scenario"] == scenario {
			some = append(some, s)
		}
	}
	return some
}

// sum is the sum of the values; a missing series is as good as 0 here.
func (all samples) sum() float64 {
	total := 0.0
	for _, s := range all {
		total += s.value
	}
	return total
}

// requests returns which requests have a series of the name.
func (all samples) requests(name string) []string {
	set := make(map[string]bool)
	for _, s := range all.where(name) {
		set[s.labels["request"]] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// one returns the only sample of the name with the labels.
func (all samples) one(t *testing.T, name string, pairs ...string) sample {
	t.Helper()
	found := all.where(name, pairs...)
	if len(found) != 1 {
		t.Fatalf("%d series of %s%v, want 1", len(found), name, pairs)
	}
	return found[0]
}

// storefront is a scenario with an SLO.
func storefront() telemetry.ScenarioSpec {
	return telemetry.ScenarioSpec{
		Name:       "storefront",
		Requests:   []string{"browse", "buy"},
		Timeout:    10 * time.Second,
		SLO:        &telemetry.SLO{Objective: 0.999, Latency: 300 * time.Millisecond},
		TargetRate: func() float64 { return 200 },
		ShareRate:  func() float64 { return 50 },
	}
}

// plain is a scenario without an SLO and with other buckets.
func plain() telemetry.ScenarioSpec {
	return telemetry.ScenarioSpec{Name: "plain", Requests: []string{"get"}, Timeout: time.Minute}
}

// visits is a scenario of journeys beside a plain request.
func visits() telemetry.ScenarioSpec {
	return telemetry.ScenarioSpec{
		Name:     "visits",
		Requests: []string{"visit/home", "visit/cart", "ping"},
		Journeys: []string{"visit", ""},
		Checks:   [][]string{nil, {"json total", "size"}},
		Timeout:  time.Second,
	}
}

// account is a scenario with a token, whose rate follows another.
func account() telemetry.ScenarioSpec {
	return telemetry.ScenarioSpec{
		Name: "account", Requests: []string{"get"}, Timeout: time.Second,
		Sessions:     func() float64 { return 1 },
		TokenExpires: func() float64 { return 2e9 },
		Followed:     func() (rate, at float64) { return 40, 1e9 },
		DaySlotsLeft: func() float64 { return 7 },
	}
}

// calls is a scenario of calls of gRPC.
func calls() telemetry.ScenarioSpec {
	return telemetry.ScenarioSpec{
		Name: "calls", Requests: []string{"get"}, Timeout: time.Second,
		Descriptors: func() float64 { return 1 },
	}
}

// twofold is a scenario that is compared with a candidate.
func twofold() telemetry.ScenarioSpec {
	return telemetry.ScenarioSpec{Name: "twofold", Requests: []string{"get", "far"}, Compared: []string{"get"}, Timeout: time.Second}
}

// open registers the metrics of the specs with a new registry, which checks that
// the collectors do what they describe.
func open(tb testing.TB, specs ...telemetry.ScenarioSpec) (*prometheus.Registry, *telemetry.Metrics, []*telemetry.Scenario) {
	tb.Helper()
	reg := prometheus.NewPedanticRegistry()
	m := telemetry.New(reg)
	var all []*telemetry.Scenario
	for _, spec := range specs {
		all = append(all, add(tb, m, spec))
	}
	return reg, m, all
}

func add(tb testing.TB, m *telemetry.Metrics, spec telemetry.ScenarioSpec) *telemetry.Scenario {
	tb.Helper()
	s, err := m.Scenario(spec)
	if err != nil {
		tb.Fatalf("scenario %q: %v", spec.Name, err)
	}
	return s
}

// outcome is of a request of entry 0 that was sent after delay and took service.
func outcome(reason protocol.Reason, code string, delay, service time.Duration) engine.Outcome {
	sent := time.Now()
	return engine.Outcome{
		Delay:  delay,
		Result: protocol.Result{Sent: sent, Done: sent.Add(service), Code: code, Reason: reason},
	}
}

// finish records the one request of a slot, and its end.
func finish(s *telemetry.Scenario, o engine.Outcome) {
	s.Exchanged(o)
	s.Finished()
}

// ok is a good outcome of the entry.
func ok(entry int) engine.Outcome {
	o := outcome(protocol.ReasonNone, "200", time.Millisecond, 20*time.Millisecond)
	o.Entry = entry
	return o
}
