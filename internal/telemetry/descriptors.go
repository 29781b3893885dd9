package telemetry

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// descriptors are the metrics of what calls of gRPC need before they can be sent. They are exposed
// while the scenario has such calls.
type descriptors struct {
	loads, failures prometheus.Counter
	thereDesc       *prometheus.Desc

	there atomic.Pointer[func() float64]
}

func newDescriptors(f factory) *descriptors {
	return &descriptors{
		loads: f.counter("traffic_grpc_descriptor_loads_total",
			"Times that the descriptors of gRPC's methods were had from reflection, or read again from files."),
		failures: f.counter("traffic_grpc_descriptor_failures_total",
			"Attempts to have the descriptors of gRPC's methods that failed: the last good ones serve, and without any slots are dropped."),
		thereDesc: f.desc("traffic_grpc_descriptors",
			"Whether the descriptors of all methods that the scenario calls are known."),
	}
}

// reshape makes the descriptors what spec says.
func (d *descriptors) reshape(spec ScenarioSpec) {
	if spec.Descriptors == nil {
		d.there.Store(nil)
		return
	}
	d.there.Store(&spec.Descriptors)
}

// Describe implements prometheus.Collector.
func (d *descriptors) Describe(ch chan<- *prometheus.Desc) {
	d.loads.Describe(ch)
	d.failures.Describe(ch)
	ch <- d.thereDesc
}

// Collect implements prometheus.Collector.
func (d *descriptors) Collect(ch chan<- prometheus.Metric) {
	if there := d.there.Load(); there != nil {
		d.loads.Collect(ch)
		d.failures.Collect(ch)
		ch <- prometheus.MustNewConstMetric(d.thereDesc, prometheus.GaugeValue, (*there)())
	}
}

// DescriptorsLoaded counts descriptors that were had.
func (s *Scenario) DescriptorsLoaded() { s.descriptors.loads.Inc() }

// DescriptorsFailed counts an attempt to have them that failed.
func (s *Scenario) DescriptorsFailed() { s.descriptors.failures.Inc() }
