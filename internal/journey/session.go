package journey

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// maxSession bounds the captured values that a session keeps, in bytes.
const maxSession = 64 << 10

// SessionOptions say what slots take from sessions: the values captured when their user logged in,
// under the same names, and the cookies, which slots do not change.
type SessionOptions struct {
	// For is the variable that says who the user is; empty for a session that all slots share.
	For string
	// Names are those of the captured values.
	Names []string
	// RenewOn reports whether the target says by a response's code that a session has ended.
	RenewOn func(code string) bool
	// Sessions are those of all users.
	Sessions Sessions
}

// Sessions are those of users, by what the variable For is of them; empty for all.
// Implementations are safe for concurrent use and do not block.
type Sessions interface {
	// Of returns the session of a user; nil if there is none.
	Of(user string) *Session
	// Refused says that the target has ended the session of a request that was sent then.
	Refused(user string, sent time.Time)
}

// Session is what a login has left. It is immutable and safe for concurrent use.
type Session struct {
	values []script.Value
	jar    jar
}

// enter gives the journey what its user's session has.
func (r *run) enter(o *SessionOptions) {
	p := r.script.o.Program
	if o.For != "" {
		r.user = UserOf(p, &r.journey, o.For)
	}
	if r.session = o.Sessions.Of(r.user); r.session == nil {
		return // Nothing is given, so that what needs it cannot be sent.
	}
	for i, name := range o.Names {
		if at, ok := p.Lookup(name); ok {
			r.journey.Give(at, r.session.values[i])
		}
	}
}

// UserOf returns who the user of a journey is, by a variable; empty if nobody knows.
func UserOf(p *script.Program, j *script.Journey, variable string) string {
	at, ok := p.Lookup(variable)
	if !ok {
		return ""
	}
	v, err := j.Value(at)
	if err != nil {
		return ""
	}
	return v.Text
}

// see looks at whether the target has ended the session.
func (r *run) see(c *protocol.Call) {
	o := r.script.o.Session
	if o.RenewOn(c.Result.Code) {
		o.Sessions.Refused(r.user, c.Result.Sent)
	}
}

// cookies returns what keeps the cookies of the slot; nil if it has none.
func (r *run) cookies() cookies {
	switch own := r.script.o.Cookies; {
	case r.session != nil && own:
		return &layered{&r.jar, &r.session.jar}
	case r.session != nil:
		return fixed{&r.session.jar}
	case own:
		return &r.jar
	default:
		return nil
	}
}

// fixed is a jar that is not changed.
type fixed struct{ *jar }

// SetCookies implements httpreq.Jar.
func (fixed) SetCookies(uri.URI, []protocol.Field) {}

// layered is a jar of a slot over that of its session.
type layered struct{ own, base *jar }

// SetCookies implements httpreq.Jar.
func (l *layered) SetCookies(u uri.URI, response []protocol.Field) { l.own.SetCookies(u, response) }

// Cookies implements httpreq.Jar.
func (l *layered) Cookies(u uri.URI) string { return fieldOf(l.of(u)) }

func (l *layered) of(u uri.URI) []*http.Cookie {
	own := l.own.of(u)
	base := slices.DeleteFunc(l.base.of(u), func(c *http.Cookie) bool {
		return slices.ContainsFunc(own, func(o *http.Cookie) bool { return o.Name == c.Name })
	})
	return append(base, own...)
}

// Login says how a user logs in.
type Login struct {
	// Names are those of the captured values that are kept.
	Names []string
	// For is the variable that says who the user is, and User what it is; empty and unused for
	// a session that all share.
	For  string
	User script.Value
	// Number is the user's; it is on the wire as the number of a slot.
	Number int
	// Scenario is the name of the scenario.
	Scenario string
	// TraceShare is the share of the logins whose requests are Sampled, from 0 to 1.
	TraceShare float64
	Client     protocol.Client
	// Admit is asked before each request is put on the wire; nil admits everything.
	Admit func() bool
}

// Login runs the steps to their end, apart from any rate, and returns what they leave. It fails
// with the first request that does. It ends soon after ctx does and the client is closed.
func (s *Script) Login(ctx context.Context, l Login) (*Session, error) {
	slot := timeline.Slot{Hash: rand.Uint64(), Seq: uint64(l.Number), Due: time.Now()}
	r := s.begin(slot)
	defer r.Close(engine.JourneySuccess)
	if at, ok := s.o.Program.Lookup(l.For); ok && l.For != "" {
		r.journey.Give(at, l.User)
	}
	call := protocol.Call{
		Request: protocol.Request{Scenario: l.Scenario, Segment: "session", Seq: slot.Seq, Sampled: engine.Sampled(slot.Hash, l.TraceShare)},
		Admit:   func(protocol.Extra) bool { return l.Admit == nil || l.Admit() },
	}
	putRandom(call.Request.Trace[:])
	if err := Play(r, &call, &entering{ctx: ctx, login: &l, run: r}); err != nil {
		return nil, err
	}
	return r.leave(l.Names)
}

// entering is a login under way.
type entering struct {
	ctx   context.Context //nolint:containedctx // It is that of the call of Login.
	login *Login
	run   *run
}

var _ Player = (*entering)(nil)

// Pause implements Player.
func (e *entering) Pause(d time.Duration) error {
	if !wait(e.ctx, d) {
		return context.Cause(e.ctx)
	}
	return nil
}

// Start implements Player.
func (e *entering) Start(c *protocol.Call, ended func()) error {
	if err := protocol.WaitAdmitted(e.ctx, e.login.Admit); err != nil {
		return err
	}
	putRandom(c.Request.Span[:])
	c.Done = ended
	e.login.Client.Start(c)
	e.login.Client.Flush()
	return nil
}

// Ended implements Player.
func (e *entering) Ended(c *protocol.Call) error {
	e.run.RequestEnded(c)
	return e.Unsent(c)
}

// Unsent implements Player: it fails as the request does, unless the login goes on.
func (e *entering) Unsent(c *protocol.Call) (err error) {
	if !c.Result.Failed() {
		return nil
	}
	r := e.run
	r.within(func() {
		if !r.journey.GoesOn() {
			name := r.script.o.Steps[r.journey.At()].Name
			err = fmt.Errorf("step %q: %s: %w", name, c.Result.Reason, orNoDetail(c.Result.Err))
		}
	})
	return err
}

// errTooMuch is a login that captures more than a session keeps.
var errTooMuch = errors.New("its captures are longer than 64 KiB in all")

// errNoDetail stands for an error that a client does not report.
var errNoDetail = errors.New("the request failed")

func orNoDetail(err error) error {
	if err == nil {
		return errNoDetail
	}
	return err
}

// wait waits, and returns false if ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func putRandom(b []byte) {
	for i := range b {
		b[i] = byte(1 + rand.IntN(255)) // Not all zero, which trace context forbids.
	}
}

// leave returns what the login leaves.
func (r *run) leave(names []string) (*Session, error) {
	s := &Session{jar: r.jar, values: make([]script.Value, len(names))}
	size := 0
	for i, name := range names {
		at, _ := r.script.o.Program.Lookup(name)
		var err error
		if s.values[i], err = r.journey.Value(at); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if size += len(s.values[i].Text); size > maxSession {
			return nil, errTooMuch
		}
	}
	return s, nil
}
