// Package journey runs the scripts of a mix over HTTP: it renders what internal/script says
// comes next, keeps cookies, and shows responses to captures and checks. The engine decides
// when; the client sends.
package journey

import (
	"errors"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/inflate"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// Options are what a Script is made from.
type Options struct {
	// Program says what comes next, and Steps what its requests are, in its order.
	Program *script.Program
	Steps   []Step
	// Location is the scenario's time zone.
	Location *time.Location
	// Cookies says that each journey has a jar.
	Cookies bool
	// MaxBody is how long a decoded body may be.
	MaxBody int64
	// Recorder, if not nil, counts events of a journey as a whole.
	Recorder Recorder
	// Session, if not nil, is what slots have of their users' sessions.
	Session *SessionOptions
}

// Step is a request of a journey.
type Step struct {
	// Name is what the step is called in errors of a Login.
	Name string
	// Entry is the index of the client's entry, which has the same origin.
	Entry int
	// Draft makes the request; nil if the client's entry is sent as it is.
	Draft *httpreq.Draft
	// Timeout, if not 0, is the request's own.
	Timeout time.Duration
}

// Recorder counts what becomes of steps. Implementations are safe for concurrent use and do
// not block.
type Recorder interface {
	// Skipped counts a request that was left out since the journey ended before it.
	Skipped(entry int)
	// CheckFailed counts a check of a request, by its index, that did not hold.
	CheckFailed(entry, check int)
}

// Script is an entry of a mix whose slots are journeys. Safe for concurrent use.
type Script struct {
	o    Options
	runs sync.Pool
}

var _ engine.Script = (*Script)(nil)

// New returns a Script.
func New(o Options) *Script {
	s := &Script{o: o}
	s.runs.New = func() any { return &run{script: s} }
	return s
}

// Watcher is shown the requests of a journey as they end. Its methods do not overlap.
type Watcher interface {
	// Bodies reports whether it looks at the bodies of responses.
	Bodies() bool
	// Asked is called when a step is due, and returns a number for Seen.Nth.
	Asked(step int) (nth int)
	// Saw is called when its request has ended, after captures and checks.
	Saw(s Seen)
	// Closed is called once, when the journey has ended.
	Closed(o engine.JourneyOutcome)
}

// Seen is a request that has ended.
type Seen struct {
	// Step is its index in the program, and Nth what Asked returned.
	Step, Nth int
	Result    protocol.Result
	// Response is nil where there was none.
	Response *script.Response
}

// Begin implements engine.Script.
func (s *Script) Begin(slot timeline.Slot) engine.Journey { return s.begin(slot) }

// BeginWatched is as Begin, and has the journey shown to a watcher.
func (s *Script) BeginWatched(slot timeline.Slot, w Watcher) engine.Journey {
	r := s.begin(slot)
	r.watcher = w
	return r
}

func (s *Script) begin(slot timeline.Slot) *run {
	r, _ := s.runs.Get().(*run)
	r.jar = jar{}
	s.o.Program.Begin(&r.journey, script.Slot{Hash: slot.Hash, Seq: slot.Seq, Due: slot.Due.In(s.o.Location)})
	if s.o.Session != nil {
		r.enter(s.o.Session)
	}
	return r
}

// run is the journey of one slot.
type run struct {
	script  *Script
	journey script.Journey
	jar     jar
	// user and session are whose the slot is; the latter is nil without one.
	user    string
	session *Session
	// own is the request that is in flight, unless several are, which are the group then.
	own   exchange
	group *group
	// talk is the exchange of messages of own, if it is one.
	talk script.Talk
	// watcher is shown the requests; nil for nobody.
	watcher Watcher
}

var _ engine.Journey = (*run)(nil)

// Next implements engine.Journey.
func (r *run) Next(c *protocol.Call) engine.Move {
	m, err := r.journey.Next()
	switch {
	case err != nil:
		return r.failed(c, m.Request, err)
	case m.Kind == script.MoveEnd:
		return engine.Move{Kind: engine.MoveEnd}
	case m.Kind == script.MovePause:
		return engine.Move{Kind: engine.MovePause, Pause: m.Pause}
	case m.Kind == script.MoveTogether:
		return r.together(m.Lanes)
	case m.Kind == script.MoveJoin:
		return r.join()
	case r.group != nil:
		return r.member(c, m.Request)
	}
	return r.request(c, &r.own, m.Request, r.cookies())
}

// request puts the next request into the call.
func (r *run) request(c *protocol.Call, x *exchange, at int, jar httpreq.Jar) engine.Move {
	o := &r.script.o
	step := &o.Steps[at]
	c.Request.Entry, c.Message, c.Tap, c.Deadline = step.Entry, nil, nil, time.Time{}
	x.keeps = o.Program.NeedsBody(at)
	if step.Draft != nil {
		if err := step.Draft.Render(&x.sent, &r.journey, jar); err != nil {
			return r.failed(c, at, err)
		}
		c.Message = &x.sent.Prepared
	}
	if o.Program.Talks(at) {
		r.journey.Talk(&r.talk, at)
		x.sent.Talk = &r.talk
	}
	if step.Timeout > 0 {
		c.Deadline = time.Now().Add(step.Timeout)
	}
	if r.watcher != nil {
		x.step, x.nth = at, r.watcher.Asked(at)
		x.keeps = x.keeps || r.watcher.Bodies()
	}
	if o.Cookies || r.looks() || r.watcher != nil {
		x.got = received{}
		c.Tap = x
	}
	return engine.Move{Kind: engine.MoveRequest}
}

// looks reports whether the response to the present request is looked at.
func (r *run) looks() bool {
	p, at := r.script.o.Program, r.journey.At()
	return p.NeedsBody(at) || p.NeedsHeader(at)
}

// failed makes the call that of a request that cannot be made.
func (r *run) failed(c *protocol.Call, at int, err error) engine.Move {
	c.Request.Entry = r.script.o.Steps[at].Entry
	c.Result = protocol.Result{Reason: protocol.ReasonCheck, Err: err}
	if errors.Is(err, httpreq.ErrOrigin) {
		c.Result.Reason = protocol.ReasonDenied
	}
	if r.watcher != nil {
		r.watcher.Saw(Seen{Step: at, Nth: r.watcher.Asked(at), Result: c.Result})
	}
	r.endUnlessGoesOn()
	return engine.Move{Kind: engine.MoveFailed}
}

// RequestEnded implements engine.Journey.
func (r *run) RequestEnded(c *protocol.Call) {
	if r.group != nil {
		r.memberEnded(c)
	} else {
		r.requestEnded(c, &r.own)
	}
}

func (r *run) requestEnded(c *protocol.Call, x *exchange) {
	if r.session != nil {
		r.see(c)
	}
	if x.sent.Talk != nil {
		x.sent.Talk = nil
		r.heard(c)
	}
	if !c.Result.Failed() && r.looks() {
		if r.look(c, x); c.Result.Failed() {
			x.replay(c)
		}
	}
	if r.watcher != nil {
		r.watcher.Saw(Seen{Step: x.step, Nth: x.nth, Result: c.Result, Response: x.got.shown(r.script.o.MaxBody)})
	}
	x.got = received{}
	if c.Result.Failed() {
		r.endUnlessGoesOn()
	}
}

// heard counts the turn of an exchange of messages that was missed, if one was.
func (r *run) heard(c *protocol.Call) {
	if check, missed := r.talk.Failed(); missed && r.script.o.Recorder != nil {
		r.script.o.Recorder.CheckFailed(c.Request.Entry, check)
	}
}

// look shows the response to the checks and captures of its request.
func (r *run) look(c *protocol.Call, x *exchange) {
	res, err := x.got.response(r.script.o.MaxBody)
	if err != nil {
		c.Result.Reason, c.Result.Err = protocol.ReasonCheck, err
		if errors.Is(err, inflate.ErrBound) {
			c.Result.Reason = protocol.ReasonProtocol
		}
		return
	}
	v := r.journey.Receive(res)
	if rec := r.script.o.Recorder; rec != nil {
		for _, check := range v.Failed {
			rec.CheckFailed(c.Request.Entry, check)
		}
	}
	switch {
	case v.Err != nil:
		c.Result.Reason, c.Result.Err = protocol.ReasonCheck, v.Err
	case v.End:
		r.end()
	}
}

func (r *run) endUnlessGoesOn() {
	if !r.journey.GoesOn() {
		r.end()
	}
}

// end ends the journey before its last request.
func (r *run) end() {
	if rec := r.script.o.Recorder; rec != nil {
		for _, request := range r.journey.Rest() {
			rec.Skipped(r.script.o.Steps[request].Entry)
		}
	}
	r.journey.End()
}

// Values passes each drawn and captured value so far to a function, for people: secrets are hidden.
func (r *run) Values(show func(name, value string)) {
	r.within(func() {
		r.journey.Each(func(name string, v script.Value, secret bool) {
			text := string(v.AppendJSON(nil))
			if secret {
				text = script.Hidden
			}
			show(name, text)
		})
	})
}

// Hide returns a string without the secrets that the journey has so far.
func (r *run) Hide(text string) (hidden string) {
	r.within(func() { hidden = r.journey.Hide(text) })
	return hidden
}

// Close implements engine.Journey.
func (r *run) Close(o engine.JourneyOutcome) {
	if o == engine.JourneyWithheld || o == engine.JourneyCanceled {
		r.end()
	}
	if r.watcher != nil {
		r.watcher.Closed(o)
		r.watcher = nil
	}
	r.jar, r.own.got, r.talk = jar{}, received{}, script.Talk{}
	r.user, r.session, r.group = "", nil, nil
	r.journey.Forget()
	r.script.runs.Put(r)
}
