package app

import (
	"log/slog"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/traffic-exporter/traffic_exporter/internal/backoff"
	"github.com/traffic-exporter/traffic_exporter/internal/compare"
	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/history"
	"github.com/traffic-exporter/traffic_exporter/internal/journey"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
	"github.com/traffic-exporter/traffic_exporter/internal/session"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
)

// addCandidate adds the candidate's entries to a mix, behind the mix's own, and returns a client for both. It closes
// own if it fails.
func (m *mix) addCandidate(sc config.Scenario, own protocol.Client, in surroundings) (protocol.Client, error) {
	in.observer = candidateObserver{own: in.observer}
	other, c, err := newTrafficFrom(sc, len(m.sent), in)
	if err != nil {
		own.Close()
		return nil, err
	}
	m.candidate = other
	r := &router{clients: []protocol.Client{own, c}}
	for i := range other.sent {
		if i < len(m.sent) {
			r.byEntry = append(r.byEntry, own)
		} else {
			r.byEntry = append(r.byEntry, c)
		}
	}
	return r, nil
}

// shift has the entries of the client begin at an index. Those before stand for another client's.
func (m *mix) shift(from int) {
	if from == 0 {
		return
	}
	m.sent = append(slices.Repeat(m.sent[:1], from), m.sent...)
	for i := range m.entries {
		m.entries[i].Request += from
	}
	for _, o := range append(slices.Clone(m.scripts), m.login) {
		if o == nil {
			continue
		}
		for i := range o.Steps {
			o.Steps[i].Entry += from
		}
	}
}

// candidateObserver is the observer of a candidate's client: the connections that are counted are those to the scenario's own
// target.
type candidateObserver struct {
	protocol.Discard
	own protocol.ConnObserver
}

// FileFailed implements protocol.ConnObserver.
func (w candidateObserver) FileFailed() { w.own.FileFailed() }

// watched returns what makes the journeys of an entry of the mix that are compared: one that is always the same is a
// journey of one request.
func (m *mix) watched(i int, maxBody int64, r journey.Recorder) *journey.Script {
	if o := m.scripts[i]; o != nil {
		with := *o
		with.Recorder = r
		return journey.New(with)
	}
	program, err := script.Compile(nil, []script.Step{script.Request{}})
	if err != nil {
		panic(err) // There is no name in it.
	}
	return journey.New(journey.Options{
		Program: program, Location: time.UTC, MaxBody: maxBody, Steps: []journey.Step{{Entry: m.entries[i].Request}},
	})
}

// requestsOf returns the requests of an entry of the mix, by step.
func (m *mix) requestsOf(i int) []int {
	if m.scripts[i] == nil {
		return []int{m.entries[i].Request}
	}
	var all []int
	for _, s := range m.scripts[i].Steps {
		all = append(all, s.Entry)
	}
	return all
}

// comparedNames returns the names of the requests that are compared.
func comparedNames(sc config.Scenario, m *mix) []string {
	var names []string
	for i := range sc.Requests {
		if sc.Compares(i) {
			for _, request := range m.requestsOf(i) {
				names = append(names, m.names[request])
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// pair has slots of the entries that are compared sent to both targets. r counts what journeys do beside requests; it
// may be nil.
func (m *mix) pair(sc config.Scenario, entries []engine.Entry, o compare.Options, r journey.Recorder) {
	o.Share, o.Rules, o.Needs = float64(sc.Compare.Sample), rules(sc.Compare), m.candidate.needs
	maxBody := int64(sc.HTTPConfig.MaxResponseBytes)
	for i := range entries {
		if sc.Compares(i) {
			one := o
			one.Own, one.Candidate = m.watched(i, maxBody, r), m.candidate.watched(i, maxBody, nil)
			one.Requests = m.requestsOf(i)
			entries[i].Pairs = compare.New(one)
		}
	}
}

// rules translates the rules of a comparison.
func rules(c *config.Compare) compare.Rules {
	r := compare.Rules{Headers: c.Headers, Ignore: comparePaths(c.Ignore), Unordered: comparePaths(c.Unordered)}
	switch c.Body {
	case config.BodyComparisonJSON:
		r.Body = compare.BodyJSON
	case config.BodyComparisonExact:
		r.Body = compare.BodyExact
	}
	return r
}

// comparePaths translates paths, which Parse has read before.
func comparePaths(all []string) []compare.Path {
	var out []compare.Path
	for _, text := range all {
		if p, err := compare.ParsePath(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// comparison counts, logs and keeps what comes of pairs, and what becomes of the requests to the candidate.
type comparison struct {
	*telemetry.Comparison

	requests   []string
	mismatches *history.Mismatches
	logger     *slog.Logger
	sometimes  rate.Sometimes
	// tokens are the candidate's, and guard spares it; nil for nothing.
	tokens *tokens
	guard  *backoff.Guard
}

var _ compare.Recorder = (*comparison)(nil)

// Compared implements compare.Recorder.
func (c *comparison) Compared(v compare.Verdict) {
	c.Comparison.Compared(v)
	if !v.Result.IsMismatch() {
		return
	}
	c.mismatches.Saw(v.Request, history.Failure{
		Segment: v.Slot.Segment, Seq: v.Slot.Seq, Due: v.Slot.Due, Ended: v.At, Latency: v.Candidate, Error: v.Detail,
	})
	c.sometimes.Do(func() {
		c.logger.Warn("the candidate's response differs; others of the next minute are only counted",
			"request", c.requests[v.Request], "result", v.Result.String(), "difference", v.Detail, "segment", v.Slot.Segment, "slot", v.Slot.Seq)
	})
}

// Exchanged takes the end of a request to the candidate.
func (c *comparison) Exchanged(o engine.Outcome) {
	c.Comparison.Exchanged(o)
	if code := o.Result.Code; c.tokens != nil && (code == "401" || code == spec.Unauthenticated.String()) {
		c.tokens.Refused(o.Result.Sent)
	}
	if c.guard != nil && !o.Result.Reason.Ours() {
		c.guard.Ended(o.Result.Sent, o.Result.Done, o.Result.Failed())
	}
}

// split is a Recorder that separates the requests to a candidate from the scenario's own.
type split struct {
	engine.Recorder

	candidate *comparison
	// from is the entry that the candidate's begin at.
	from int
}

// Exchanged implements engine.Recorder.
func (s *split) Exchanged(o engine.Outcome) {
	if o.Entry < s.from {
		s.Recorder.Exchanged(o)
		return
	}
	o.Entry -= s.from
	s.candidate.Exchanged(o)
}

// Extra implements engine.Recorder.
func (s *split) Extra(entry int, e protocol.Extra) {
	if entry < s.from {
		s.Recorder.Extra(entry, e)
		return
	}
	s.candidate.Extra(e)
}

// Withheld implements engine.Recorder.
func (s *split) Withheld(entry int, e protocol.Extra, why engine.WithheldReason) {
	if entry < s.from {
		s.Recorder.Withheld(entry, e, why)
		return
	}
	s.candidate.Withheld(e, why)
}

// compared has a scenario that is built send slots to its candidate as well, and record what comes of it.
func (b *builder) compared(sc config.Scenario, n *built, metrics *telemetry.Scenario) {
	logger := b.logger.With("scenario", sc.Name)
	c := &comparison{
		Comparison: metrics.Comparison(), requests: n.mix.names, logger: logger, tokens: n.mix.candidate.tokens,
		mismatches: b.history.Failures.Mismatches(sc.Name, n.mix.names),
		sometimes:  rate.Sometimes{First: 1, Interval: failureLogEvery},
	}
	o := compare.Options{Recorder: c}
	if n.guard != nil {
		c.guard = backoff.New(sc.Name, n.guard.Policy(), nil, logger.With("target", "candidate"))
		o.Sparing = c.guard
	}
	n.mix.candidate.begin(unrecorded{}, sc)
	n.mix.pair(sc, n.scenario.Entries, o, metrics)
	n.scenario.Recorder = &split{Recorder: n.scenario.Recorder, candidate: c, from: len(n.mix.sent)}
	n.scenario.Witness = b.history.Failures.Witness(sc.Name, n.mix.shownNames())
}

// shownNames returns the names under which requests are shown to people: of the entries of the client, those
// to the candidate among them.
func (m *mix) shownNames() []string {
	if m.candidate == nil {
		return m.names
	}
	names := make([]string, 2*len(m.sent))
	for i := range m.sent {
		name := "session" // The steps of logins have no names, and are not shown.
		if i < len(m.names) {
			name = m.names[i]
		}
		names[i], names[len(m.sent)+i] = name, name+" (candidate)"
	}
	return names
}

// unrecorded counts nothing of what the candidate's requests need.
type unrecorded struct {
	session.Nobody
	noDescriptors
}
