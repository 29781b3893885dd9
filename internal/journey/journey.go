// Package journey runs the scripts of a mix over HTTP: it renders what internal/script says
// comes next, keeps cookies, and shows responses to captures and checks. The engine decides
// when; the client sends.
package journey

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
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
	// Recorder, if not nil, counts what is not about single requests.
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

// Begin implements engine.Script.
func (s *Script) Begin(slot timeline.Slot) engine.Journey { return s.begin(slot) }

func (s *Script) begin(slot timeline.Slot) *run {
	r, _ := s.runs.Get().(*run)
	r.jar = jar{}
	s.o.Program.Begin(&r.journey, script.Slot{Hash: slot.Hash, Seq: slot.Seq, Due: slot.Due.In(s.o.Location)})
	if s.o.Session != nil {
		r.enter(s.o.Session)
	}
	return r
}

// run is the journey of one slot. It is the tap of its requests.
type run struct {
	script  *Script
	journey script.Journey
	jar     jar
	// user and session are whose the slot is; the latter is nil without one.
	user    string
	session *Session
	// at is the index of the request that was asked for last, and sent what was rendered.
	at   int
	sent httpreq.Rendered
	got  received
}

var (
	_ engine.Journey = (*run)(nil)
	_ protocol.Tap   = (*run)(nil)
)

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
	}
	return r.request(c, m.Request)
}

// request puts the next request into the call.
func (r *run) request(c *protocol.Call, at int) engine.Move {
	o := &r.script.o
	step := &o.Steps[at]
	r.at = at
	c.Request.Entry, c.Message, c.Tap, c.Deadline = step.Entry, nil, nil, time.Time{}
	if step.Draft != nil {
		if err := step.Draft.Render(&r.sent, &r.journey, r.cookies()); err != nil {
			return r.failed(c, at, err)
		}
		c.Message = &r.sent.Prepared
	}
	if step.Timeout > 0 {
		c.Deadline = time.Now().Add(step.Timeout)
	}
	if o.Cookies || r.looks() {
		r.got = received{}
		c.Tap = r
	}
	return engine.Move{Kind: engine.MoveRequest}
}

// looks reports whether the response to the present request is looked at.
func (r *run) looks() bool {
	p := r.script.o.Program
	return p.NeedsBody(r.at) || p.NeedsHeader(r.at)
}

// failed makes the call that of a request that cannot be made.
func (r *run) failed(c *protocol.Call, at int, err error) engine.Move {
	r.at = at
	c.Request.Entry = r.script.o.Steps[at].Entry
	c.Result = protocol.Result{Reason: protocol.ReasonCheck, Err: err}
	if errors.Is(err, httpreq.ErrOrigin) {
		c.Result.Reason = protocol.ReasonDenied
	}
	r.endUnlessGoesOn()
	return engine.Move{Kind: engine.MoveFailed}
}

// Took implements engine.Journey.
func (r *run) Took(c *protocol.Call) {
	if r.session != nil {
		r.see(c)
	}
	if !c.Result.Failed() && r.looks() {
		if r.look(c); c.Result.Failed() {
			r.replay(c)
		}
	}
	r.got = received{}
	if c.Result.Failed() {
		r.endUnlessGoesOn()
	}
}

// look shows the response to the checks and captures of its request.
func (r *run) look(c *protocol.Call) {
	res, err := r.got.response(r.script.o.MaxBody)
	if err != nil {
		c.Result.Reason, c.Result.Err = protocol.ReasonCheck, err
		return
	}
	v := r.journey.Took(res)
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

// replay shows a request whose response was not as it should be to a late tap: the client had no
// reason to.
func (r *run) replay(c *protocol.Call) {
	late := c.Join(c.Result.Reason, c.Result.Done)
	if late == nil {
		return
	}
	if c.Message != nil {
		body := r.sent.Body
		if r.got.request != nil {
			body = r.got.request
		}
		late.Request(r.sent.Head(), body)
	}
	late.Response(r.got.head)
	late.Body(r.got.body)
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

// Values calls tell with what was drawn and captured so far, for people: secrets are hidden.
func (r *run) Values(tell func(name, value string)) {
	r.journey.Each(func(name string, v script.Value, secret bool) {
		text := string(v.AppendJSON(nil))
		if secret {
			text = script.Hidden
		}
		tell(name, text)
	})
}

// Hide returns a text without the secrets that the journey has so far.
func (r *run) Hide(text string) string { return r.journey.Hide(text) }

// Close implements engine.Journey.
func (r *run) Close(o engine.JourneyOutcome) {
	if o == engine.JourneyWithheld || o == engine.JourneyCanceled {
		r.end()
	}
	r.jar, r.got = jar{}, received{}
	r.user, r.session = "", nil
	r.journey.Forget()
	r.script.runs.Put(r)
}

// Connection implements protocol.Tap.
func (r *run) Connection(protocol.Connection) {}

// Request implements protocol.Tap. What was received before it was for another one: a redirect
// or a first attempt. A body that is shown in another form than it is sent in is kept so.
func (r *run) Request(_ protocol.Head, body []byte) {
	r.got = received{}
	if !bytes.Equal(body, r.sent.Body) {
		r.got.request = bytes.Clone(body)
	}
}

// Response implements protocol.Tap. Interim responses and trailers are not looked at.
func (r *run) Response(h protocol.Head) {
	if h.Status < 200 {
		return
	}
	if r.sent.Jar != nil && r.sent.KeepsRedirects {
		r.jar.Take(r.sent.URL, h.Fields)
	}
	r.got.head = h
}

// Body implements protocol.Tap.
func (r *run) Body(p []byte) {
	if r.script.o.Program.NeedsBody(r.at) {
		r.got.body = append(r.got.body, p...)
	}
}
