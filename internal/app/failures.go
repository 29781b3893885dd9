package app

import (
	"encoding/hex"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"github.com/traffic-exporter/traffic_exporter/internal/backoff"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// failureLogEvery is the least time between two failures of a scenario in the log.
const failureLogEvery = time.Minute

// failureLog is a Recorder that logs a failed request now and then: the metrics count all
// of them by reason, and one of them in words shows where to look.
type failureLog struct {
	engine.Recorder
	requests  []string
	logger    *slog.Logger
	sometimes rate.Sometimes
}

func newFailureLog(r engine.Recorder, requests []string, logger *slog.Logger) *failureLog {
	return &failureLog{
		Recorder:  r,
		requests:  requests,
		logger:    logger,
		sometimes: rate.Sometimes{First: 1, Interval: failureLogEvery},
	}
}

// guarded is a Recorder that reports to a guard how requests end.
type guarded struct {
	engine.Recorder
	guard *backoff.Guard
}

// Exchanged implements engine.Recorder.
func (g *guarded) Exchanged(o engine.Outcome) {
	g.Recorder.Exchanged(o)
	if !o.Result.Reason.Ours() {
		g.guard.Ended(o.Result.Sent, o.Result.Done, o.Result.Failed())
	}
}

// Extra implements engine.Recorder. A request that is repeated has failed once, however the
// repeat ends: a target that ends each connection without a response must be spared.
func (g *guarded) Extra(entry int, e protocol.Extra) {
	g.Recorder.Extra(entry, e)
	if e == protocol.Retry || e == protocol.TransparentRetry {
		now := time.Now()
		g.guard.Ended(now, now, true)
	}
}

// Exchanged implements engine.Recorder.
func (l *failureLog) Exchanged(o engine.Outcome) {
	l.Recorder.Exchanged(o)
	if !o.Result.Failed() || o.Result.Reason == protocol.ReasonCanceled {
		return
	}
	l.sometimes.Do(func() {
		l.logger.Warn("request failed; others of the next minute are only counted",
			"request", l.requests[o.Entry], "reason", o.Result.Reason.String(), "code", o.Result.Code,
			"latency_seconds", o.Latency().Seconds(), "trace_id", hex.EncodeToString(o.Trace[:]), "err", o.Result.Err)
	})
}
