package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/traffic-exporter/traffic_exporter/internal/otlp"
)

// pushes counts the spans and metrics pushed over OTLP. It is an otlp.Recorder.
type pushes struct {
	exported         prometheus.Counter
	dropped          [otlp.NumDropReasons]prometheus.Counter
	pushed, unpushed prometheus.Counter
}

var _ otlp.Recorder = (*pushes)(nil)

func newPushes(auto promauto.Factory) *pushes {
	counter := func(name, help string) prometheus.Counter {
		return auto.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	p := &pushes{
		exported: counter("traffic_otlp_spans_exported_total", "Spans of sampled slots that the receiver of OTLP has taken."),
		pushed:   counter("traffic_otlp_metric_pushes_total", "Times that all metrics were pushed over OTLP."),
		unpushed: counter("traffic_otlp_metric_push_failures_total", "Times that the metrics could not be pushed over OTLP."),
	}
	dropped := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "traffic_otlp_spans_dropped_total", Help: "Spans of sampled slots that were not exported, by the reason.",
	}, []string{"reason"})
	for why := range otlp.NumDropReasons {
		p.dropped[why] = dropped.WithLabelValues(otlp.DropReason(why).String())
	}
	return p
}

// Pushes returns what counts the pushes over OTLP.
func (m *Metrics) Pushes() otlp.Recorder { return m.pushes }

// SpansExported implements otlp.Recorder.
func (p *pushes) SpansExported(n int) { p.exported.Add(float64(n)) }

// SpansDropped implements otlp.Recorder.
func (p *pushes) SpansDropped(why otlp.DropReason, n int) { p.dropped[why].Add(float64(n)) }

// MetricsPushed implements otlp.Recorder.
func (p *pushes) MetricsPushed() { p.pushed.Inc() }

// MetricsFailed implements otlp.Recorder.
func (p *pushes) MetricsFailed() { p.unpushed.Inc() }
