package app

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/version"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/fleet"
	"github.com/traffic-exporter/traffic_exporter/internal/history"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

const (
	// halfHours are the parts of a day in the list of scenarios, and dayStep the distance of the
	// points of its chart.
	halfHours = 48
	dayStep   = 5 * time.Minute
	// liveFor is how long the figures of all scenarios are those of the present: however many
	// browsers ask, they are put together once in that time.
	liveFor = time.Second
	// shortBy is how much less than the target is sent where something is the matter, and lateBy
	// how late the generator is then.
	shortBy, lateBy = 0.05, 0.05
)

// viewer puts together what the live page shows. Safe for concurrent use.
type viewer struct {
	controller *controller
	store      *history.Store
	fleet      *fleet.Fleet // nil for a replica on its own
	ready      func() error
	control    bool
	dryRun     bool
	started    time.Time

	mu   sync.Mutex
	at   time.Time
	last web.Live
	days map[string]drawing
}

// drawing is that of a scenario's day, which is made anew every minute, and when the rate
// changes.
type drawing struct {
	minute int64
	rate   *appliedRate
	drawn  web.LiveDay
	peak   float64
}

func newViewer(c *controller, store *history.Store, f *fleet.Fleet, ready func() error, control bool) *viewer {
	return &viewer{controller: c, store: store, fleet: f, ready: ready, control: control, started: time.Now(), days: map[string]drawing{}}
}

// Live returns what a live page asks for.
func (v *viewer) Live(q web.LiveQuery) web.Live {
	now := time.Now()
	l := v.overview(now)
	all := l.Scenarios
	l.Scenarios = []web.LiveScenario{}
	match := strings.ToLower(q.Match)
	for _, s := range all {
		if s.Name == q.Scenario || len(l.Scenarios) < q.Limit && strings.Contains(strings.ToLower(s.Name), match) {
			l.Scenarios = append(l.Scenarios, s)
		}
	}
	if q.Scenario != "" {
		l.Detail = v.detail(q, now)
	}
	return l
}

// overview returns the figures of all scenarios, those with trouble first.
func (v *viewer) overview(now time.Time) web.Live {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now.Sub(v.at) < liveFor && now.Sub(v.at) >= 0 {
		l := v.last
		l.Now = now
		return l
	}
	l := web.Live{
		Now: now, Version: version.Version, Started: v.started, Replica: v.controller.replica, DryRun: v.dryRun, Control: v.control,
		Reload: v.controller.reloader.attempt(),
	}
	if err := v.ready(); err != nil {
		l.Ready = err.Error()
	}
	shared := v.shared(now)
	l.Fleet = shared.status
	days := make(map[string]drawing, len(v.days))
	for _, sc := range v.controller.reloader.current().Scenarios {
		s, ok := v.scenario(sc, shared, days, now)
		if !ok {
			continue
		}
		l.Scenarios = append(l.Scenarios, s)
		add(&l.Sums, s.LiveFigures)
		if s.Trouble != "" {
			l.Troubled++
		}
	}
	l.Count = len(l.Scenarios)
	slices.SortStableFunc(l.Scenarios, func(a, b web.LiveScenario) int {
		return cmp.Compare(min(1, len(b.Trouble)), min(1, len(a.Trouble)))
	})
	v.at, v.last, v.days = now, l, days
	return l
}

// add adds figures up. Quantiles do not add up: the worst is kept.
func add(sum *web.LiveFigures, f web.LiveFigures) {
	sum.Target += f.Target
	sum.Sent += f.Sent
	sum.Ended += f.Ended
	sum.Failed += f.Failed
	sum.Dropped += f.Dropped
	sum.DayLimited += f.DayLimited
	for _, q := range []struct{ worst, other *web.Number }{{&sum.P50, &f.P50}, {&sum.P99, &f.P99}} {
		if v := float64(*q.other); v > float64(*q.worst) {
			*q.worst = *q.other
		}
	}
}

// scenario returns the figures of one scenario; false while it is being built.
func (v *viewer) scenario(sc config.Scenario, shared shared, days map[string]drawing, now time.Time) (web.LiveScenario, bool) {
	rate, h := v.controller.reloader.rate(sc.Name), v.store.Scenario(sc.Name)
	if rate == nil || h == nil {
		return web.LiveScenario{}, false
	}
	status := v.controller.status(sc, rate, now)
	recent := h.Recent(now)
	s := web.LiveScenario{ScenarioStatus: status, Zone: sc.TimeZone, Totals: totals(h.Totals())}
	// Both are of the same time, as the rate may change within it.
	target := rate.applied.Load().timeline.Integral(now.Add(-recent.Over), now) / max(1e-3, recent.Over.Seconds())
	if !shared.summed {
		target *= v.controller.ratio()
	}
	shared.add(sc.Name, &recent)
	s.LiveFigures, s.Target = figures(recent.Flow), web.Number(target)
	s.Delay = web.Number(recent.Delay)
	if sc.SLO != nil {
		s.Budget = shared.budget(sc, h)
	}
	if slices.ContainsFunc(sc.Requests, func(r config.Request) bool { return r.Steps != nil }) {
		users := web.Number(recent.Flow.Users)
		s.Users = &users
	}
	d := v.days[sc.Name]
	if applied := rate.applied.Load(); d.minute != now.Unix()/60 || d.rate != applied {
		d = drawing{minute: now.Unix() / 60, rate: applied}
		d.drawn, d.peak = drawDay(sc, rate, h, now)
	}
	days[sc.Name] = d
	s.Day, s.Peak = d.drawn, web.Number(d.peak)
	s.Trouble = trouble(s)
	return s, true
}

// figures returns the figures of a flow per second, without a target.
func figures(f *history.Flow) web.LiveFigures {
	return web.LiveFigures{
		Target: web.Number(math.NaN()), Sent: web.Number(f.Sent), Ended: web.Number(f.Ended),
		Failed: web.Number(f.FailedSum()), Dropped: web.Number(f.DroppedSum()), DayLimited: web.Number(f.Dropped[engine.DropDailyLimit]),
		P50: web.Number(f.Quantile(0.5)), P99: web.Number(f.Quantile(0.99)),
	}
}

// trouble describes the worst problem of a scenario; empty if it has none.
func trouble(s web.LiveScenario) string {
	failed := float64(s.Failed / max(s.Ended, 1e-9))
	unplanned := s.Dropped - s.DayLimited
	allowed := 0.01
	if s.Budget != nil {
		allowed = 1 - s.Budget.Objective
	}
	switch {
	case s.Ended > 0 && failed > max(0.01, 2*allowed):
		return "failing"
	case s.Budget != nil && s.Budget.Left < 0:
		return "out of budget"
	case s.BackOffRatio < 1:
		return "backing off"
	case unplanned > web.Number(shortBy)*(s.Sent+unplanned):
		return "dropping"
	case s.Budget != nil && float64(s.P99) > s.Budget.Latency:
		return "slow"
	case float64(s.Delay) > lateBy:
		return "generator late"
	default:
		return ""
	}
}

func totals(t history.Totals) web.LiveTotals {
	out := web.LiveTotals{Due: t.Due, Finished: t.Finished, Dropped: map[string]uint64{}, Failed: map[string]uint64{}}
	out.InFlight = int64(t.Due - t.Finished - t.DroppedSum())
	for i, n := range t.Dropped {
		if n > 0 {
			out.Dropped[engine.DropReason(i).String()] = n
		}
	}
	for i, n := range t.Failed {
		if n > 0 {
			out.Failed[protocol.Reason(i).String()] = n
		}
	}
	return out
}

// midnights returns when the day of a scenario begins and ends, and when the next one ends.
func midnights(zone string, now time.Time) (from, until, end time.Time) {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC // Parse has seen to it that there is such a zone.
	}
	y, m, d := now.In(loc).Date()
	at := func(days int) time.Time { return time.Date(y, m, d+days, 0, 0, 0, 0, loc) }
	return at(0), at(1), at(2)
}

// drawDay draws a day in half hours, and returns the file's peak of that day.
func drawDay(sc config.Scenario, rate *scenarioRate, h *history.Scenario, now time.Time) (web.LiveDay, float64) {
	from, until, _ := midnights(sc.TimeZone, now)
	step := until.Sub(from) / halfHours
	target := rate.applied.Load().timeline.Integrals(from, step, halfHours)
	d := web.LiveDay{Target: make(web.Column, halfHours), Sent: make(web.Column, halfHours)}
	for i, n := range target {
		d.Target[i] = float32(n / step.Seconds())
	}
	sums, counted := make([]float64, halfHours), make([]float64, halfHours)
	minutes := h.Minutes(from.Unix())
	for i := range minutes.Len {
		at := int(time.Duration(minutes.From+int64(i)*minutes.Step-from.Unix()) * time.Second / step)
		if sent := value(minutes, history.Sent, i); at < halfHours && !math.IsNaN(sent) {
			sums[at], counted[at] = sums[at]+sent, counted[at]+60
		}
	}
	for i := range d.Sent {
		d.Sent[i] = float32(sums[i] / counted[i])
	}
	peak, _ := rate.applied.Load().file.Peak(from, until)
	return d, peak
}

func value(s history.Series, column string, i int) float64 {
	if c := s.Columns[column]; i < len(c) {
		return float64(c[i])
	}
	return math.NaN()
}

// detail returns the history of one scenario; nil if there is no such one.
func (v *viewer) detail(q web.LiveQuery, now time.Time) *web.LiveDetail {
	sc, rate, err := v.controller.find(q.Scenario)
	h := v.store.Scenario(q.Scenario)
	if err != nil || h == nil {
		return nil
	}
	from, until, end := midnights(sc.TimeZone, now)
	applied := rate.applied.Load()
	d := &web.LiveDetail{
		Name: sc.Name, From: from.Unix(), Until: until.Unix(), End: end.Unix(), Step: int64(dayStep.Seconds()),
		Shape:   sc.Fingerprint() + from.Format("20060102") + applied.name(),
		Seconds: pointsOf(h.Seconds(q.Since.Unix())), Minutes: pointsOf(h.Minutes(q.Since.Unix())),
		Steps: []web.LiveStep{}, Members: []web.LiveShared{},
	}
	if q.Since.IsZero() {
		n := int(end.Sub(from) / dayStep)
		for _, slots := range applied.timeline.Integrals(from, dayStep, n) {
			d.Target = append(d.Target, float32(slots/dayStep.Seconds()))
		}
	}
	for _, s := range h.Steps() {
		d.Steps = append(d.Steps, web.LiveStep{Name: s.Name, Ended: s.Ended, Failed: s.Failed})
	}
	d.Members = append(d.Members, v.shared(now).parts(sc)...)
	return d
}

func pointsOf(s history.Series) web.LiveSeries {
	out := web.LiveSeries{From: s.From, Step: s.Step, Len: s.Len, Columns: make(map[string]web.Column, len(s.Columns))}
	for name, c := range s.Columns {
		out.Columns[name] = c
	}
	return out
}
