package app

import (
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/backoff"
	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/follow"
	"github.com/traffic-exporter/traffic_exporter/internal/history"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc"
	"github.com/traffic-exporter/traffic_exporter/internal/session"
	"github.com/traffic-exporter/traffic_exporter/internal/sink"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
)

// built is a running scenario, with the data that shows whether the next configuration asks
// for the same.
type built struct {
	// whole and client are the fingerprints of the scenario and of what its client is
	// made from.
	whole, client string
	observer      *lateObserver
	mix           *mix
	rate          *scenarioRate
	// guard is nil without back_off.
	guard *backoff.Guard
	// follower follows the rate of another system; nil if none is followed.
	follower *follow.Follower
	// due returns how many slots have been counted as due.
	due      func() uint64
	scenario engine.Scenario
}

// lateObserver is a ConnObserver that is named after the client that it is for has been made, and
// before that is used: making a client may fail, and naming a wire shows in metrics.
type lateObserver struct{ protocol.ConnObserver }

// builder makes scenarios out of the configuration.
type builder struct {
	metrics *telemetry.Metrics
	// arcs reports this replica's share of the slots.
	arcs engine.Arcs
	// votes is how replicas notify each other that a target fails; nil for one on its own.
	votes backoff.Votes
	// descriptors are what the connections of all scenarios share.
	descriptors *dial.Descriptors
	// fence says where connections may go.
	fence *dial.Fence
	// sink is what a dry run sends to; nil if it is none.
	sink   *sink.Sink
	logger *slog.Logger
	// history is what the live page shows.
	history *history.Store
	// pusher pushes the spans of sampled slots.
	pusher *pusher
	// followers is what those have in common that follow rates.
	followers followers
	// admit reports whether a scenario may put one more request on the wire; nil admits all.
	admit func(scenario string) bool
}

// prepare returns the scenarios of cfg by name, without their metrics: expose must follow.
// Anything that has not changed is taken from running: whole scenarios, or their clients
// with their connections. It reads files, which may take long. On an error it has touched
// nothing that runs.
func (b *builder) prepare(cfg *config.Config, running map[string]built) (map[string]built, error) {
	next := make(map[string]built, len(cfg.Scenarios))
	data := newTables(cfg.Columns(), b.logger, false)
	for _, sc := range cfg.Scenarios {
		n, err := b.prepareOne(sc, data, running[sc.Name])
		if err != nil {
			discard(next, running)
			return nil, err
		}
		next[sc.Name] = n
	}
	return next, nil
}

// expose creates the metrics of what prepare has returned and completes it. Nothing fails
// but by a mistake in the program.
func (b *builder) expose(cfg *config.Config, next, running map[string]built) error {
	for _, sc := range cfg.Scenarios {
		n := next[sc.Name]
		if running[sc.Name].whole == n.whole {
			continue
		}
		var err error
		if next[sc.Name], err = b.exposeOne(sc, n); err != nil {
			discard(next, running)
			return err
		}
	}
	b.metrics.SetData(dataOf(next))
	return nil
}

// dataOf returns the data that scenarios use, each once, by name.
func dataOf(scenarios map[string]built) []telemetry.Dataset {
	var all []telemetry.Dataset
	for _, n := range scenarios {
		all = append(all, n.mix.data...)
	}
	slices.SortFunc(all, func(a, b telemetry.Dataset) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b telemetry.Dataset) bool { return a.Name == b.Name })
}

// prepareOne makes the client of a scenario, or takes it, or all, from the old one; old
// is the zero built if there is none.
func (b *builder) prepareOne(sc config.Scenario, data *tables, old built) (built, error) {
	n := built{whole: sc.Fingerprint(), client: sc.ClientFingerprint(), guard: b.guard(sc, old.guard)}
	if old.whole == n.whole {
		return old, nil
	}
	var err error
	if n.follower, err = b.followers.follower(sc); err != nil {
		return n, err
	}
	if old.client == n.client {
		n.scenario.Client, n.observer, n.mix = old.scenario.Client, old.observer, old.mix
		return n, nil
	}
	n.observer = &lateObserver{}
	in := surroundings{observer: n.observer, descriptors: b.descriptors, fence: b.fence, sink: b.sink, logger: b.logger, tables: data, admit: b.admit}
	n.mix, n.scenario.Client, err = newTraffic(sc, in)
	if err != nil {
		return n, err
	}
	n.mix.takeOver(old.mix)
	return n, nil
}

// warn logs that there may be more connections than the process can have, if so.
func (b *builder) warn(cfg *config.Config) {
	limit := b.descriptors.Limit()
	if limit == 0 {
		return
	}
	sum := 0
	for _, sc := range cfg.Scenarios {
		sum += sc.Limits.MaxInFlight
	}
	if sum > limit {
		b.logger.Warn("more requests may be in flight than file descriptors allow for connections, raise the limit of open files or lower max_in_flight",
			"max_in_flight", sum, "connections", limit)
	}
}

// guard returns what spares the scenario's target: the old one, which knows how the
// target does, if it does so by the same policy.
func (b *builder) guard(sc config.Scenario, old *backoff.Guard) *backoff.Guard {
	if sc.BackOff == nil {
		return nil
	}
	p := backoff.Policy{
		Limit: float64(sc.BackOff.WhenErrorsExceed), Over: time.Duration(sc.BackOff.Over),
		To: float64(sc.BackOff.To), Recover: time.Duration(sc.BackOff.RecoverOver),
	}
	if old != nil && old.Policy() == p {
		return old
	}
	return backoff.New(sc.Name, p, b.votes, b.logger)
}

// exposeOne creates the scenario's metrics and completes it.
func (b *builder) exposeOne(sc config.Scenario, n built) (built, error) {
	n.rate = newRate(sc.Timeline(), newFound(sc), n.guard)
	spec := b.spec(sc, n.mix, n.rate)
	recorder, err := b.metrics.Scenario(spec)
	if err != nil {
		return n, err
	}
	n.due = recorder.SlotsDue
	if n.observer.ConnObserver == nil {
		n.observer.ConnObserver = recorder
	}
	n.scenario = engine.Scenario{
		Name:     sc.Name,
		Timeline: sc.Timeline(),
		Pacing:   pacing(sc.Pacing),
		Entries:  n.mix.engineEntries(recorder),
		Client:   n.scenario.Client,
		Recorder: newFailureLog(b.history.Recorder(sc.Name, historyOptions(sc, spec), recorder), spec.Requests, b.logger.With("scenario", sc.Name)),
		Limits: engine.Limits{
			MaxInFlight: sc.Limits.MaxInFlight,
			MaxRate:     float64(sc.Limits.MaxRate),
			LateAfter:   time.Duration(sc.Limits.LateAfter),
			MaxJourneys: sc.Limits.MaxJourneys,
			MaxPerDay:   uint64(sc.Limits.MaxSlotsPerDay),
			Grace:       time.Duration(sc.ShutdownGrace),
		},
		Witness: b.history.Failures.Witness(sc.Name, spec.Requests),
	}
	n.scenario.Tracer = b.pusher.tracer(sc, n.mix)
	n.scenario.TraceShare = float64(sc.HTTPConfig.Traceparent.Sampled)
	n.scenario.Needs = n.mix.needs
	n.mix.begin(recorder, sc)
	if t := n.mix.tokens; t != nil {
		n.scenario.Recorder = &refusals{Recorder: n.scenario.Recorder, tokens: t}
	}
	if n.guard != nil {
		n.scenario.Sparing = n.guard
		n.scenario.Recorder = &guarded{Recorder: n.scenario.Recorder, guard: n.guard}
	}
	if n.mix.candidate != nil {
		b.compared(sc, &n, recorder)
	}
	return n, nil
}

// readiness counts the preparations that slots need before they can be sent.
type readiness interface {
	session.Recorder
	grpc.Recorder
}

// begin begins to obtain what slots need before they can be sent.
func (m *mix) begin(r readiness, sc config.Scenario) {
	if m.descriptors != nil {
		m.descriptors.begin(r, sc.Timeline())
	}
	if m.tokens != nil {
		m.tokens.begin(r, sc.Timeline())
	}
	if m.logins != nil {
		m.logins.begin(r, sc.Timeline())
	}
}

// takeOver has what slots need before they can be sent go on from an old mix, which may be nil.
func (m *mix) takeOver(old *mix) {
	if m.tokens != nil {
		m.tokens.takeOver(old)
	}
	if m.logins != nil {
		m.logins.takeOver(old)
	}
	if m.descriptors != nil {
		m.descriptors.takeOver(old)
	}
	if m.candidate != nil && old != nil && old.candidate != nil {
		m.candidate.takeOver(old.candidate)
	}
}

// discard closes the clients that were made in vain.
func discard(next, running map[string]built) {
	for name, n := range next {
		if n.scenario.Client != running[name].scenario.Client {
			n.scenario.Client.Close()
		}
	}
}

// spec returns the series of a scenario.
func (b *builder) spec(sc config.Scenario, m *mix, r *scenarioRate) telemetry.ScenarioSpec {
	spec := scenarioSpec(sc, m)
	spec.TargetRate, spec.Overridden, spec.BackOffRatio = r.now, r.isOverridden, r.backOff
	spec.SilentFor = r.silentFor
	if r.found != nil {
		spec.Followed = r.followed
	}
	if most := sc.Limits.MaxSlotsPerDay; most > 0 {
		spec.DaySlotsLeft = func() float64 { return r.left(uint64(most), time.Now()) }
	}
	spec.ShareRate = func() float64 { return r.now() * b.arcs.Arc(time.Now()).Ratio() }
	return spec
}

// scenarioSpec returns the series of a scenario, without their values.
func scenarioSpec(sc config.Scenario, m *mix) telemetry.ScenarioSpec {
	spec := telemetry.ScenarioSpec{
		Name: sc.Name, Timeout: time.Duration(sc.Timeout), Requests: m.names, Journeys: m.journeys, Checks: m.checks,
	}
	if sc.HTTPConfig.OAuth2 != nil {
		spec.Sessions, spec.TokenExpires = m.tokens.count, m.tokens.expiry
	}
	if sc.Session != nil {
		spec.Sessions = m.logins.count
	}
	if sc.Rate.Follow != nil {
		spec.Followed = func() (rate, at float64) { return math.NaN(), 0 }
	}
	if most := sc.Limits.MaxSlotsPerDay; most > 0 {
		spec.DaySlotsLeft = func() float64 { return float64(most) }
	}
	if sc.CallsGRPC() {
		spec.Descriptors = m.descriptors.count
	}
	spec.Compared = comparedNames(sc, m)
	if sc.SLO != nil {
		spec.SLO = &telemetry.SLO{Objective: float64(sc.SLO.Objective), Latency: time.Duration(sc.SLO.Latency)}
	}
	return spec
}

// historyOptions returns the facts about a scenario that the history needs.
func historyOptions(sc config.Scenario, spec telemetry.ScenarioSpec) history.Options {
	o := history.Options{Requests: spec.Requests, Journeys: slices.ContainsFunc(spec.Journeys, func(name string) bool { return name != "" })}
	if spec.SLO != nil {
		o.SLO = history.SLO{Objective: float64(sc.SLO.Objective), Latency: spec.SLO.Latency}
	}
	return o
}

// pacing returns the engine's name of it.
func pacing(p config.Pacing) engine.Pacing {
	switch p {
	case config.PacingExact:
		return engine.PacingExact
	case config.PacingCoarse:
		return engine.PacingCoarse
	case config.PacingAuto:
	}
	return engine.PacingAuto
}
