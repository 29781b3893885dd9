package otlp

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promotel "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Metrics pushes all metrics of a registry while it has a receiver. Calls of Push must not overlap.
type Metrics struct {
	process  *Process
	producer metric.Producer
	push     *push
}

// NewMetrics returns one that pushes nothing yet.
func NewMetrics(p *Process, g prometheus.Gatherer) *Metrics {
	return &Metrics{process: p, producer: promotel.NewMetricProducer(promotel.WithGatherer(g))}
}

// Push pushes the metrics to a receiver every so often from now on, and once more when that ends; nil
// pushes nothing. The end of an earlier receiver is waited for in a bounded time.
func (m *Metrics) Push(r *Receiver, every time.Duration) {
	var next *push
	if r != nil {
		next = &push{Metrics: m, receiver: *r, every: every, complaints: newComplaints(m.process.Logger)}
		next.background = begin(next.run)
	}
	old := m.push
	if m.push = next; old != nil {
		old.end()
	}
}

func newExporter(r Receiver) (metric.Exporter, error) {
	// All is given here that the environment has variables for.
	return otlpmetrichttp.New(context.Background(),
		otlpmetrichttp.WithEndpointURL(r.URL), otlpmetrichttp.WithHeaders(r.Header), otlpmetrichttp.WithHTTPClient(r.client()),
		otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression),
		otlpmetrichttp.WithTemporalitySelector(func(metric.InstrumentKind) metricdata.Temporality { return metricdata.CumulativeTemporality }),
		// The next push has newer numbers.
		otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{Enabled: false}),
	)
}

// push is the way of metrics to a receiver.
type push struct {
	*background
	*Metrics

	receiver   Receiver
	every      time.Duration
	complaints complaints
}

// run pushes until it is asked to end, and then once more.
func (p *push) run(b *background) {
	exporter, err := newExporter(p.receiver)
	if err != nil {
		p.failed(err)
		<-b.ask
		return
	}
	ticker := time.NewTicker(p.every)
	defer ticker.Stop()
	for asked := false; !asked; {
		select {
		case <-ticker.C:
		case <-b.ask:
			asked = true
		}
		if err := p.once(b.ctx, exporter); err != nil {
			p.failed(err)
		} else {
			p.process.Recorder.MetricsPushed()
		}
	}
	p.receiver.Client.CloseIdleConnections()
}

func (p *push) failed(err error) {
	p.process.Recorder.MetricsFailed()
	p.complaints.failed("metrics cannot be pushed", p.receiver, err)
}

// once pushes the metrics as they are now.
func (p *push) once(ctx context.Context, exporter metric.Exporter) error {
	scopes, err := p.producer.Produce(ctx)
	if err != nil {
		return err
	}
	return exporter.Export(ctx, &metricdata.ResourceMetrics{Resource: p.process.resource(), ScopeMetrics: scopes})
}
