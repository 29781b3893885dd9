package telemetry

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// sessions are the metrics of what requests need before they can be sent. They are exposed
// while the scenario has any.
type sessions struct {
	renewals, failures         prometheus.Counter
	thereDesc, tokenExpiryDesc *prometheus.Desc

	there, tokenExpires atomic.Pointer[func() float64]
}

func newSessions(f factory) *sessions {
	return &sessions{
		renewals: f.counter("traffic_session_renewals_total",
			"Tokens and sessions that were obtained, the first ones included."),
		failures: f.counter("traffic_session_failures_total",
			"Attempts to obtain a token or a session that failed: the last good one serves until it ends, then slots are dropped."),
		thereDesc: f.desc("traffic_sessions",
			"Tokens and sessions that are there and have not ended."),
		tokenExpiryDesc: f.desc("traffic_token_expiry_timestamp_seconds",
			"When the token expires, in Unix time; 0 if there is none or the server does not say."),
	}
}

// reshape makes the sessions what spec says.
func (s *sessions) reshape(spec ScenarioSpec) {
	store := func(p *atomic.Pointer[func() float64], f func() float64) {
		if f == nil {
			p.Store(nil)
		} else {
			p.Store(&f)
		}
	}
	store(&s.there, spec.Sessions)
	store(&s.tokenExpires, spec.TokenExpires)
}

// Describe implements prometheus.Collector.
func (s *sessions) Describe(ch chan<- *prometheus.Desc) {
	s.renewals.Describe(ch)
	s.failures.Describe(ch)
	ch <- s.thereDesc
	ch <- s.tokenExpiryDesc
}

// Collect implements prometheus.Collector.
func (s *sessions) Collect(ch chan<- prometheus.Metric) {
	if there := s.there.Load(); there != nil {
		s.renewals.Collect(ch)
		s.failures.Collect(ch)
		ch <- prometheus.MustNewConstMetric(s.thereDesc, prometheus.GaugeValue, (*there)())
	}
	if expires := s.tokenExpires.Load(); expires != nil {
		ch <- prometheus.MustNewConstMetric(s.tokenExpiryDesc, prometheus.GaugeValue, (*expires)())
	}
}

// SessionRenewed counts a token or a session that was obtained.
func (s *Scenario) SessionRenewed() { s.sessions.renewals.Inc() }

// SessionFailed counts an attempt to obtain one that failed.
func (s *Scenario) SessionFailed() { s.sessions.failures.Inc() }
