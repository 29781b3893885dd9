package script

import (
	"fmt"
	"slices"
	"time"
)

// Step is a step of a journey: one of the types of this package that implement it.
type Step interface{ isStep() }

var (
	_ Step = Request{}
	_ Step = Pause{}
	_ Step = Repeat{}
	_ Step = Choose{}
	_ Step = Parallel{}
)

// Request is a step that sends a request.
type Request struct {
	// Variables are drawn each time that the step runs, and known to it alone.
	Variables []Variable
	Captures  []Capture
	Checks    []Check
	// Exchange is the conversation on the connection that the request opens.
	Exchange []Turn
	// GoesOn says that the journey goes on when the request fails.
	GoesOn bool
}

// Pause is a step that waits: for Mean on average, exponentially distributed, if that is not
// 0, and otherwise from From to To, evenly.
type Pause struct{ From, To, Mean time.Duration }

// Repeat is a step that runs others From to To times, or, with All, once for each element of
// the lists of Each. The shortest list counts.
type Repeat struct {
	From, To int
	All      bool
	Each     []Each
	Steps    []Step
}

// Each is a name that takes an element each time that the steps of a Repeat run: of a table,
// or of the list that another name stands for. In turn, they begin again at the end.
type Each struct {
	Name   string
	Table  Table
	List   string
	Random bool
}

// Choose is a step that runs one of several lists of steps.
type Choose struct{ Options []Option }

// Option is a list of steps, which may be empty, with how often it is chosen relative to
// the others.
type Option struct {
	Weight int
	Steps  []Step
}

// Parallel is a step that sends requests at once: each of them once, or, with Each, all of them once
// for each element of its lists. The shortest list counts. No request may use what another of them
// captures, and those that are sent several times capture nothing.
type Parallel struct {
	Each     []Each
	Requests []Request
	// AtOnce is how many are in flight at a time; the next is sent when one of them has ended.
	AtOnce int
}

func (Request) isStep()  {}
func (Pause) isStep()    {}
func (Repeat) isStep()   {}
func (Choose) isStep()   {}
func (Parallel) isStep() {}

// Program is what the slots of an entry of a mix do. Make it with Compile. It is immutable
// and safe for concurrent use.
type Program struct {
	symbols  []symbol
	ops      []op
	requests []request
	loops    int
}

// request is a Request with its names resolved.
type request struct {
	Request

	scope  *scope
	locals []int
	// own are the names whose values it has for itself where it is sent at once with itself.
	own    []int
	turns  []turn
	body   bool
	header bool
}

// opKind is what an operation of a program does.
type opKind uint8

const (
	opRequest opKind = iota
	opPause
	opJump
	opChoose
	opRepeat
	opAgain
	opTogether
	opJoin
)

// op is an operation: a step, or what holds steps together.
type op struct {
	kind opKind
	// request is the index of a request, and loop that of a loop's state. A group of requests is a
	// loop with lanes.
	request, loop int
	pause         Pause
	repeat        *loop
	// to is where to go on: behind a loop without turns, at its begin for another turn,
	// behind a choice.
	to int
	// sums and targets are of a choice.
	sums    []uint64
	targets []int
	hash    uint64
}

// loop is a Repeat or a Parallel with its names resolved.
type loop struct {
	from, to int
	all      bool
	each     []eachOf
	// requests and lanes are of a Parallel: how many it has, and how many are in flight at a time.
	requests, lanes int
}

type eachOf struct {
	index  int
	table  Table
	list   int
	random bool
}

// compiler makes a program.
type compiler struct {
	symbols symbols
	p       *Program
}

// Compile makes a program of the variables of a scenario and the steps of one of its
// entries. It fails on a name that is not known where it is used.
func Compile(variables []Variable, steps []Step) (*Program, error) {
	c := &compiler{p: &Program{}}
	s := &scope{names: map[string]int{}}
	if _, err := c.symbols.declare(s, variables); err != nil {
		return nil, err
	}
	c.captures(steps, s)
	if err := c.steps(steps, s); err != nil {
		return nil, err
	}
	c.p.symbols = c.symbols.all
	return c.p, nil
}

// captures adds the names of all captures: a later one of the same name replaces what the
// former one holds.
func (c *compiler) captures(steps []Step, s *scope) {
	for _, step := range steps {
		switch step := step.(type) {
		case Request:
			c.capturesOf(step, s)
		case Parallel:
			for _, r := range step.Requests {
				c.capturesOf(r, s)
			}
		case Repeat:
			c.captures(step.Steps, s)
		case Choose:
			for _, o := range step.Options {
				c.captures(o.Steps, s)
			}
		}
	}
}

// capturesOf adds the names of what a request captures.
func (c *compiler) capturesOf(r Request, s *scope) {
	captures := r.Captures
	for _, t := range r.Exchange {
		if receive, ok := t.(Receive); ok {
			captures = slices.Concat(captures, receive.Captures)
		}
	}
	for _, capture := range captures {
		i, known := s.names[capture.Name]
		if !known {
			i = c.symbols.add(s, capture.Name)
		}
		if capture.Part.isSecret() {
			c.symbols.all[i].secret = true
		}
	}
}

func (c *compiler) steps(steps []Step, s *scope) error {
	for _, step := range steps {
		var err error
		switch step := step.(type) {
		case Request:
			err = c.request(step, s, nil)
		case Parallel:
			err = c.parallel(step, s)
		case Pause:
			c.emit(op{kind: opPause, pause: step})
		case Repeat:
			err = c.repeat(step, s)
		case Choose:
			err = c.choose(step, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// emit adds an operation and returns where it is.
func (c *compiler) emit(o op) int {
	at := len(c.p.ops)
	o.hash = splitMix64(hashName("operation") + uint64(at))
	c.p.ops = append(c.p.ops, o)
	return at
}

// request adds a request. elements are the names that stand for something else each time that it is
// sent at once with itself.
func (c *compiler) request(step Request, s *scope, elements []int) error {
	inner := &scope{outer: s, names: map[string]int{}}
	r := request{Request: step, scope: inner}
	before := len(c.symbols.all)
	var err error
	if r.locals, err = c.symbols.declare(inner, step.Variables); err != nil {
		return err
	}
	if elements != nil {
		r.own = slices.Clone(elements)
		for i := before; i < len(c.symbols.all); i++ {
			r.own = append(r.own, i) // Variables within variables among them.
		}
	}
	r.Captures = make([]Capture, len(step.Captures))
	for i, capture := range step.Captures {
		capture.index, _ = s.lookup(capture.Name)
		r.Captures[i] = capture
		r.see(capture.Part)
	}
	r.Checks = make([]Check, len(step.Checks))
	for i, check := range step.Checks {
		if r.Checks[i], err = check.bind(inner); err != nil {
			return fmt.Errorf("check %q: %w", check.Name, err)
		}
		r.see(check.Part)
		r.body = r.body || check.Size
	}
	if err = c.turns(&r, inner); err != nil {
		return err
	}
	c.emit(op{kind: opRequest, request: len(c.p.requests)})
	c.p.requests = append(c.p.requests, r)
	return nil
}

// see notes what a part of a response is taken from.
func (r *request) see(p Part) {
	r.body = r.body || p.needsBody()
	r.header = r.header || !p.needsBody()
}

func (c *compiler) repeat(step Repeat, s *scope) error {
	inner := &scope{outer: s, names: map[string]int{}}
	l := &loop{from: step.From, to: step.To, all: step.All}
	if err := c.each(l, step.Each, s, inner); err != nil {
		return err
	}
	return c.loop(l, opRepeat, opAgain, func() error { return c.steps(step.Steps, inner) })
}

func (c *compiler) parallel(step Parallel, s *scope) error {
	inner := &scope{outer: s, names: map[string]int{}}
	l := &loop{from: 1, to: 1, all: step.Each != nil, requests: len(step.Requests), lanes: step.AtOnce}
	if err := c.each(l, step.Each, s, inner); err != nil {
		return err
	}
	var elements []int
	for _, e := range l.each {
		elements = append(elements, e.index)
	}
	return c.loop(l, opTogether, opJoin, func() error {
		for _, r := range step.Requests {
			if err := c.request(r, inner, elements); err != nil {
				return err
			}
		}
		return nil
	})
}

// each adds the names of a loop to its inner scope.
func (c *compiler) each(l *loop, all []Each, s, inner *scope) error {
	for _, each := range all {
		e := eachOf{index: c.symbols.add(inner, each.Name), table: each.Table, random: each.Random}
		if e.table == nil {
			var ok bool
			if e.list, ok = s.lookup(each.List); !ok {
				return fmt.Errorf("unknown name %q", each.List)
			}
		}
		l.each = append(l.each, e)
	}
	return nil
}

// loop adds a loop: its beginning, its body and the end of a turn.
func (c *compiler) loop(l *loop, begins, ends opKind, body func() error) error {
	number := c.p.loops
	c.p.loops++
	begin := c.emit(op{kind: begins, repeat: l, loop: number})
	if err := body(); err != nil {
		return err
	}
	c.emit(op{kind: ends, repeat: l, loop: number, to: begin + 1})
	c.p.ops[begin].to = len(c.p.ops)
	return nil
}

func (c *compiler) choose(step Choose, s *scope) error {
	var weights []int
	for _, o := range step.Options {
		weights = append(weights, o.Weight)
	}
	at := c.emit(op{kind: opChoose, sums: sumsOf(weights)})
	var targets, ends []int
	for _, o := range step.Options {
		targets = append(targets, len(c.p.ops))
		if err := c.steps(o.Steps, s); err != nil {
			return err
		}
		ends = append(ends, c.emit(op{kind: opJump}))
	}
	c.p.ops[at].targets = targets
	c.p.ops[at].to = len(c.p.ops)
	for _, end := range ends {
		c.p.ops[end].to = len(c.p.ops)
	}
	return nil
}

// secret reports whether the value of a symbol must not be shown.
func (p *Program) secret(index int) bool {
	sym := &p.symbols[index]
	if secretName(sym.name) {
		return true
	}
	switch source := sym.source.(type) {
	case Secret, Given, Token:
		return true
	case Made:
		return slices.ContainsFunc(source.Template.pieces, func(q piece) bool { return q.placeholder() && p.secret(q.index) })
	}
	return sym.secret
}

// Signs reports whether there are tokens to sign, which takes long beside all else.
func (p *Program) Signs() bool {
	return slices.ContainsFunc(p.symbols, func(s symbol) bool {
		_, ok := s.source.(Token)
		return ok
	})
}

// firstOf returns the first request from an operation on.
func (p *Program) firstOf(pc int) int {
	for _, o := range p.ops[pc:] {
		if o.kind == opRequest {
			return o.request
		}
	}
	return len(p.requests) - 1
}

// Requests returns the number of steps that send requests. They are numbered from 0 in the
// order in which they stand.
func (p *Program) Requests() int { return len(p.requests) }

// Scope returns what resolves the names in the templates of a request.
func (p *Program) Scope(request int) func(name string) (index int, ok bool) {
	return p.requests[request].scope.lookup
}

// Lookup returns the index of a variable of the scenario or entry, or of a capture.
func (p *Program) Lookup(name string) (index int, ok bool) {
	for i := range p.symbols {
		if p.symbols[i].name == name {
			return i, true
		}
	}
	return 0, false
}

// NeedsBody and NeedsHeader report whether the response to a request has to be kept for the
// journey.
func (p *Program) NeedsBody(request int) bool { return p.requests[request].body }

// NeedsHeader is described at NeedsBody.
func (p *Program) NeedsHeader(request int) bool { return p.requests[request].header }

// Checks returns the names of a request's checks, and then of those turns of its exchange that are.
func (p *Program) Checks(request int) []string {
	var names []string
	for _, c := range p.requests[request].Checks {
		names = append(names, c.Name)
	}
	for _, t := range p.requests[request].turns {
		if t.check >= 0 {
			names = append(names, checkName(t.Turn))
		}
	}
	return names
}
