package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// numPhases is the number of steps that make a connection: dns, connect, tls.
const numPhases = 3

// connections is what happens on the connections of one scenario, whichever of its
// clients they belong to.
type connections struct {
	open     prometheus.Gauge
	opened   *prometheus.CounterVec
	sent     prometheus.Counter
	received prometheus.Counter
	// unresolved and outdated are about names.
	unresolved prometheus.Counter
	outdated   prometheus.Counter
	fileFailed prometheus.Counter
	phases     *prometheus.HistogramVec

	dns, connect, tls prometheus.Observer
}

var _ protocol.ConnObserver = (*connections)(nil)

func newConnections(f factory) *connections {
	w := &connections{
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "traffic_open_connections", Help: "Connections that are open now.", ConstLabels: f.labels,
		}),
		opened: f.counters("traffic_connections_opened_total",
			"Connections that were opened and ready for requests, by the protocol that is spoken on them.", "protocol"),
		sent:       f.counter("traffic_sent_bytes_total", "Bytes written to connections, with TLS, headers and framing."),
		received:   f.counter("traffic_received_bytes_total", "Bytes read from connections, with TLS, headers and framing."),
		unresolved: f.counter("traffic_dns_failures_total", "Attempts to resolve a name that failed."),
		outdated: f.counter("traffic_dns_outdated_connections_total",
			"Connections made to an address that is older than dns_ttl, since its name could not be resolved again."),
		fileFailed: f.counter("traffic_file_reload_failures_total",
			"Looks at the files of credentials and certificates that failed or did not end, up to one a second: the last good ones are in use."),
		phases: f.histograms("traffic_connect_phase_seconds",
			"Time that the steps of making connections took: dns for each attempt to resolve a name, failed ones included; a step that was not needed is not observed. Over HTTP/3 connect has TLS in it.",
			phaseBounds(), "phase"),
	}
	w.dns = w.phases.WithLabelValues("dns")
	w.connect = w.phases.WithLabelValues("connect")
	w.tls = w.phases.WithLabelValues("tls")
	for _, p := range openProtocols() {
		w.opened.WithLabelValues(p)
	}
	return w
}

// openProtocols are the values of the label protocol.
func openProtocols() []string { return []string{protocol.HTTP1, protocol.HTTP2, protocol.HTTP3} }

func (w *connections) parts() []prometheus.Collector {
	return []prometheus.Collector{w.open, w.opened, w.sent, w.received, w.unresolved, w.outdated, w.fileFailed, w.phases}
}

// Resolved implements protocol.ConnObserver.
func (w *connections) Resolved(took time.Duration, err error) {
	w.dns.Observe(seconds(took))
	if err != nil {
		w.unresolved.Inc()
	}
}

// Outdated implements protocol.ConnObserver.
func (w *connections) Outdated() { w.outdated.Inc() }

// FileFailed implements protocol.ConnObserver.
func (w *connections) FileFailed() { w.fileFailed.Inc() }

// Opened implements protocol.ConnObserver.
func (w *connections) Opened(p protocol.Phases) {
	w.open.Inc()
	w.opened.WithLabelValues(p.Protocol).Inc()
	observePhase(w.connect, p.Connect)
	observePhase(w.tls, p.TLS)
}

func observePhase(o prometheus.Observer, d time.Duration) {
	if d > 0 {
		o.Observe(seconds(d))
	}
}

// Closed implements protocol.ConnObserver.
func (w *connections) Closed() { w.open.Dec() }

// Transferred implements protocol.ConnObserver.
func (w *connections) Transferred(sent, received int) {
	// A counter panics when it is asked to go down; a miscount is not worth that.
	w.sent.Add(float64(max(sent, 0)))
	w.received.Add(float64(max(received, 0)))
}
