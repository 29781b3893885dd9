package telemetry

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Dataset is what a scrape asks about rows of data. Its functions are called concurrently and
// must not block.
type Dataset struct {
	Name string
	// Rows returns how many there are, and Current whether they are those of the file: false
	// while it cannot be used and old ones do.
	Rows    func() int
	Current func() bool
}

// dataCollector exposes the data that scenarios use.
type dataCollector struct {
	rowsDesc, currentDesc *prometheus.Desc

	all atomic.Pointer[[]Dataset]
}

func newDataCollector() *dataCollector {
	return &dataCollector{
		rowsDesc: prometheus.NewDesc("traffic_data_rows", "Rows of the data that scenarios use.", []string{"data"}, nil),
		currentDesc: prometheus.NewDesc("traffic_data_last_reload_successful",
			"Whether the rows are those of the file (1), or old ones as it cannot be used (0).", []string{"data"}, nil),
	}
}

// SetData has these data exposed and no others. Their names differ.
func (m *Metrics) SetData(all []Dataset) { m.data.all.Store(&all) }

// Describe implements prometheus.Collector.
func (c *dataCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.rowsDesc
	ch <- c.currentDesc
}

// Collect implements prometheus.Collector.
func (c *dataCollector) Collect(ch chan<- prometheus.Metric) {
	all := c.all.Load()
	if all == nil {
		return
	}
	for _, d := range *all {
		ch <- prometheus.MustNewConstMetric(c.rowsDesc, prometheus.GaugeValue, float64(d.Rows()), d.Name)
		ch <- prometheus.MustNewConstMetric(c.currentDesc, prometheus.GaugeValue, truth(d.Current()), d.Name)
	}
}
