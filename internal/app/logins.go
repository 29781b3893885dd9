package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/journey"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
	"github.com/traffic-exporter/traffic_exporter/internal/session"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// errGone is a user who is none any more.
var errGone = errors.New("the row of the user has changed")

// logins are the sessions of a scenario's users. They end with the client that they log in with.
type logins struct {
	*session.Users[*journey.Session]

	// fingerprint shows whether another configuration asks for the same.
	fingerprint string
	sc          config.Scenario
	steps       *journey.Script
	client      protocol.Client
	admit       func() bool
	// table has the users, and who decides which of them is a slot's user; nil without them.
	table    script.Table
	who      *script.Program
	journeys sync.Pool

	recorder        session.Recorder
	recording, asks sync.Once
}

var _ engine.Needs = (*logins)(nil)

// newLogins returns the sessions of a scenario, in which nobody is logged in yet, and lets the
// scripts of the mix use them; nil if it has none.
func newLogins(sc config.Scenario, m *mix, in surroundings) (*logins, error) {
	if sc.Session == nil || in.offline {
		return nil, nil //nolint:nilnil // No sessions are what most scenarios have.
	}
	l := &logins{
		fingerprint: sc.SessionFingerprint(), sc: sc, table: m.users, who: m.who,
		steps: journey.New(*m.login), recorder: session.Nobody{},
	}
	l.journeys.New = func() any { return new(script.Journey) }
	if in.admit != nil {
		l.admit = func() bool { return in.admit(sc.Name) }
	}
	renewOn, err := codes(sc.Session.RenewOn)
	if err != nil {
		return nil, err
	}
	l.Users = session.NewUsers(session.UsersOptions[*journey.Session]{
		List: l.list, Login: l.login,
		RenewAfter: time.Duration(sc.Session.RenewAfter), Concurrency: sc.Session.Concurrency,
		Logger: in.logger.With("scenario", sc.Name),
	})
	for _, o := range m.scripts {
		o.Session = &journey.SessionOptions{For: sc.Session.For, Names: sc.Kept(), RenewOn: renewOn, Sessions: l}
	}
	return l, nil
}

// codes returns what reports whether the code of a response is one of these statuses.
func codes(all []config.StatusRange) (func(code string) bool, error) {
	named := func(s config.StatusRange) bool { return s.Name != "" }
	set, err := statuses(slices.DeleteFunc(slices.Clone(all), named))
	return func(code string) bool {
		if status, notNumber := strconv.Atoi(code); notNumber == nil {
			return set.Contains(status)
		}
		return slices.ContainsFunc(all, func(s config.StatusRange) bool { return named(s) && s.Name == code })
	}, err
}

// statuses translates ranges of statuses.
func statuses(all []config.StatusRange) (httpreq.Statuses, error) {
	var ranges []httpreq.StatusRange
	for _, s := range all {
		ranges = append(ranges, httpreq.StatusRange{First: s.Low, Last: s.High})
	}
	return httpreq.NewStatuses(ranges...)
}

// logIn adds to the mix what logs its users in. Its requests are the client's last entries, and
// have no series.
func (x *mixer) logIn() error {
	sc := x.sc
	if sc.Session == nil {
		return nil
	}
	x.sc.Headers, x.loggingIn = sc.LoginHeaders(), true
	defer func() { x.sc, x.loggingIn = sc, false }()
	series := len(x.m.names)
	o, err := x.scripted(&config.Request{Name: "session", Cookies: true, Steps: sc.Session.Steps}, sc.Session.Steps, func(step string) string { return step })
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	for i := range o.Steps {
		o.Steps[i].Name = x.m.names[series+i]
	}
	x.m.names, x.m.checks = x.m.names[:series], x.m.checks[:series]
	x.m.login = o
	if sc.Session.For == "" {
		return nil
	}
	variable, _ := sc.Variables.Get(sc.Session.For)
	x.m.users = x.listed(variable)
	x.m.who, err = script.Compile(x.variables(sc.Variables), nil)
	return err
}

// listed returns the values of a variable, which Parse has found that it can be done of.
func (x *mixer) listed(v config.Variable) script.Table {
	var values []script.Value
	switch {
	case v.Int != nil:
		for n := v.Int.From; n <= v.Int.To; n++ {
			values = append(values, script.Int(int64(n)))
		}
	case v.OneOf != nil:
		for i, one := range v.OneOf.Values {
			if v.OneOf.Weights == nil || v.OneOf.Weights[i] > 0 {
				values = append(values, script.FromJSON(one.Text))
			}
		}
	default:
		return x.tables[v.Row]
	}
	rows, _ := script.NewRows(values, nil, "") // There is at least one.
	return func() *script.Rows { return rows }
}

// list returns the users, if they have changed.
func (l *logins) list(generation any) (users []string, now any, changed bool) {
	if l.table == nil {
		return []string{""}, l, generation == nil
	}
	rows := l.table()
	if generation == any(rows) {
		return nil, rows, false
	}
	users = make([]string, rows.Len())
	for i := range users {
		users[i] = rows.At(i).Text
	}
	return users, rows, true
}

// login logs a user in.
func (l *logins) login(ctx context.Context, key string, number int) (*journey.Session, error) {
	how := journey.Login{
		Names: l.sc.Kept(), For: l.sc.Session.For, Number: number, Scenario: l.sc.Name, Client: l.client, Admit: l.admit,
		TraceShare: float64(l.sc.HTTPConfig.Traceparent.Sampled),
	}
	if l.table != nil {
		rows := l.table()
		if number >= rows.Len() || rows.At(number).Text != key {
			return nil, errGone
		}
		how.User = rows.At(number)
	}
	return l.steps.Login(ctx, how)
}

// userOf returns the user of a slot, by its key.
func (l *logins) userOf(slot timeline.Slot) string {
	if l.who == nil {
		return ""
	}
	j, _ := l.journeys.Get().(*script.Journey)
	defer l.journeys.Put(j)
	defer j.Forget()
	l.who.Begin(j, script.Slot{Hash: slot.Hash, Seq: slot.Seq, Due: slot.Due})
	return journey.UserOf(l.who, j, l.sc.Session.For)
}

// Lacks implements engine.Needs.
func (l *logins) Lacks(slot timeline.Slot, _ time.Time) (engine.DropReason, bool) {
	if l.There(l.userOf(slot)) {
		return 0, false
	}
	l.ask()
	return engine.DropNoSession, true
}

// begin has users log in from now on, if slots are due soon; otherwise when one is.
func (l *logins) begin(r session.Recorder, line *timeline.Timeline) {
	l.recording.Do(func() { l.recorder = r })
	if dueSoon(line) {
		l.ask()
	}
}

func (l *logins) ask() { l.asks.Do(func() { l.Start(l.recorder) }) }

// obtain logs the user of one slot in, instead of begin.
func (l *logins) obtain(ctx context.Context, slot timeline.Slot) error {
	key := l.userOf(slot)
	users, _, _ := l.list(nil)
	for i, user := range users {
		if user == key {
			return l.Obtain(ctx, key, i)
		}
	}
	return errGone
}

// takeOver has the sessions of the same users go on.
func (l *logins) takeOver(old *mix) {
	if old != nil && old.logins != nil && old.logins.fingerprint == l.fingerprint {
		l.Adopt(old.logins.Users)
	}
}

// count returns how many sessions there are. The logins may be nil.
func (l *logins) count() float64 {
	if l == nil {
		return 0
	}
	return float64(l.Count())
}

// renewing is a client that ends what logs in for it with itself.
type renewing struct {
	protocol.Client
	tokens *tokens
	logins *logins
}

// Close implements protocol.Client.
func (c *renewing) Close() {
	if c.logins != nil {
		c.logins.Stop()
	}
	if c.tokens != nil {
		c.tokens.Close()
	}
	c.Client.Close()
	if c.logins != nil {
		c.logins.Wait()
	}
}
