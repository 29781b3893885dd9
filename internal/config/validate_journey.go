package config

import (
	"maps"
	"reflect"
)

// journey checks the steps of an entry.
func (t *traffic) journey(path string, r *Request, sc *scope) {
	for _, key := range []string{
		"method", "query", "headers", "body", "timeout", "follow_redirects", "basic_auth", "authorization", "expect", "capture", "on_failure",
		"exchange",
	} {
		if at := join(path, key); t.given(at) {
			t.fail(at, "found together with steps: write it in those of them that it is for")
		}
	}
	if at := join(path, "url"); t.given(at) {
		t.fail(at, "found together with steps, expected only one of them")
	}
	if at := join(path, "steps"); !t.bad[at] {
		t.allSteps(at, r.Steps, sc)
	}
	if r.Cookies && familiesOf(r.Steps).onlyGRPC() {
		t.fail(join(path, "cookies"), "found together with grpc URLs, which have none: leave it out")
	}
}

// allSteps checks the steps of a journey at path and returns the captures that are certain after
// them.
func (t *traffic) allSteps(at string, steps []TrafficStep, sc *scope) map[string]bool {
	t.requests, t.count = map[string]*TrafficStep{}, 0
	certain := t.steps(steps, sc)
	switch {
	case t.count == 0 && t.ok(at):
		t.fail(at, "found no request, expected a step with a url")
	case t.count > maxSteps:
		t.fail(at, "found %d requests, expected at most %d: write repeat for those that are alike", t.count, maxSteps)
	}
	return certain
}

// steps checks steps one after the other and returns the captures that are certain after them.
func (t *traffic) steps(steps []TrafficStep, sc *scope) map[string]bool {
	certain := maps.Clone(sc.certain)
	for i := range steps {
		step := &steps[i]
		if t.bad[step.path] {
			continue
		}
		here := sc.after(certain)
		switch {
		case step.Request != nil:
			t.requestStep(step, here)
		case step.Pause != nil:
			t.pause(join(step.path, "pause"), *step.Pause)
		case step.Choose != nil:
			certain = t.choose(step, here)
		case step.Repeat != nil:
			certain = t.repeat(step, here)
		case step.Parallel != nil:
			certain = t.parallel(step, here)
		}
	}
	return certain
}

// requestStep checks a request and adds the captures that are certain after it.
func (t *traffic) requestStep(step *TrafficStep, sc *scope) {
	t.count++
	r := step.Request
	if at := join(step.path, "name"); t.ok(at) && t.given(at) {
		first, taken := t.requests[r.Name]
		switch {
		case !taken:
			t.requests[r.Name] = step
		case first.canonical() != step.canonical():
			t.fail(at, "found %s, which is the name of another request of this journey already (%s)", t.found(at), first.path)
		}
	}
	inner := sc.inner()
	t.declare(join(step.path, "variables"), r.Variables, inner, "is a variable of this step")
	t.request(step.path, r, inner)
	if r.OnFailure == OnFailureContinue {
		return // What it captures may not be there.
	}
	r.captures(step.path, func(_, name string) { sc.certain[name] = true })
}

func (t *traffic) pause(path string, p Pause) {
	from, to, mean := join(path, "from"), join(path, "to"), join(path, "mean")
	switch {
	case !t.given(from) && !t.given(to) && !t.given(mean):
		if _, isMapping := t.locations[path]; isMapping && t.complete(path) && p == (Pause{}) && t.location(path).text == "" {
			t.fail(path, "found no time, expected from and to, or mean")
		}
	case t.given(mean) && (t.given(from) || t.given(to)):
		t.fail(mean, "found together with from or to, expected from and to, or mean")
	case t.given(from) != t.given(to):
		t.fail(path, "found only one of from and to, expected both")
	default:
		atMost(t.validator, path, p.From, p.To)
	}
}

// choose checks lists of steps of a choice. The captures that all of them make are certain.
func (t *traffic) choose(step *TrafficStep, sc *scope) map[string]bool {
	var certain map[string]bool
	for i, choice := range step.Choose {
		after := t.steps(choice.Steps, sc)
		if i == 0 {
			certain = after
			continue
		}
		maps.DeleteFunc(certain, func(name string, _ bool) bool { return !after[name] })
	}
	return certain
}

// repeat checks steps that are run several times, perhaps not once.
func (t *traffic) repeat(step *TrafficStep, sc *scope) map[string]bool {
	at := join(step.path, "repeat")
	if !t.given(join(step.path, "steps")) && !t.bad[join(step.path, "steps")] {
		t.fail(step.path, "found repeat without steps, expected the steps to repeat beside it")
	}
	r := *step.Repeat
	if !r.All {
		atMost(t.validator, at, r.From, r.To)
	} else if len(step.Each) == 0 {
		t.fail(at, "found %s without each, which says of what", t.found(at))
	}
	inner := sc.inner()
	allData := t.each(step, sc, inner)
	after := t.steps(step.Steps, inner)
	if sure := r.From > 0 || r.All && allData; !sure {
		return sc.certain
	}
	return after
}

// each checks the names beside repeat or parallel and adds them to the scope within. It reports whether
// all elements are of data, which there always are.
func (t *traffic) each(step *TrafficStep, sc, inner *scope) bool {
	allData := true
	for _, e := range step.Each {
		path := join(join(step.path, "each"), e.Name)
		if !t.given(path) || t.bad[path] {
			continue
		}
		sym := t.eachOf(join(path, "from"), e.Value, sc)
		allData = allData && sym.data != ""
		t.declareEach(path, e.Name, sym, inner)
	}
	return allData
}

// parallel checks requests that are sent at once. None of them can use what another one captures.
func (t *traffic) parallel(step *TrafficStep, sc *scope) map[string]bool {
	inner := sc.inner()
	t.each(step, sc, inner)
	after := maps.Clone(sc.certain)
	by := t.capturedAtOnce(step)
	for i := range step.Parallel {
		one := &step.Parallel[i]
		if t.bad[one.path] {
			continue
		}
		if one.Request == nil {
			t.fail(one.path, "found %s within parallel, expected requests only", one.kind())
			continue
		}
		own := inner.apart(by, one)
		t.requestStep(one, own)
		if at := join(one.path, "exchange"); one.Request.IsWebSocket() && t.ok(at) {
			t.fail(at, "found an exchange of messages within parallel, expected requests of HTTP or gRPC: write it as a step of its own")
		}
		maps.Copy(after, own.certain)
	}
	return after
}

// capturedAtOnce returns which request of parallel captures what, and reports captures that would
// depend on which response comes first.
func (t *traffic) capturedAtOnce(step *TrafficStep) map[string]*TrafficStep {
	by := map[string]*TrafficStep{}
	for i := range step.Parallel {
		one := &step.Parallel[i]
		if one.Request == nil || t.bad[one.path] {
			continue
		}
		for _, e := range one.Request.Capture {
			at := join(join(one.path, "capture"), e.Name)
			first, taken := by[e.Name]
			switch {
			case len(step.Each) > 0:
				t.fail(at, "found a capture in a request that is sent at once with each element, expected none: write repeat: all for one after the other")
			case taken:
				t.fail(at, "found the name %s, which another request of this parallel captures already (%s): choose another", e.Name, first.path)
			default:
				by[e.Name] = one
			}
		}
	}
	return by
}

func (t *traffic) declareEach(path, name string, sym symbol, sc *scope) {
	if other, taken := sc.lookup(name); taken {
		t.fail(path, "found the name %s, which %s already", name, other.what)
		return
	}
	if _, captured := t.captures[name]; captured {
		t.fail(path, "found the name %s, which is that of a capture of this journey: choose another", name)
		return
	}
	sym.what = "is one of each"
	sc.names[name] = sym
}

// eachOf checks what the elements of each are of.
func (t *traffic) eachOf(path string, e Each, sc *scope) symbol {
	if t.bad[path] {
		return symbol{}
	}
	_, isData := t.c.Data.Get(e.From)
	sym, isVariable := sc.lookup(e.From)
	_, captured := t.captures[e.From]
	switch {
	case isData && (isVariable || captured):
		t.fail(path, "found %s, which is both data and a name of this journey: rename one of them", t.found(path))
	case isData:
		return t.row(path, e.From)
	case isVariable && (sym.data != "" || sym.variable != nil && single(*sym.variable)):
		t.fail(path, "found %s, which is no list, expected data, a capture or a variable that is one", t.found(path))
	case isVariable, sc.certain[e.From]:
	case captured:
		t.fail(path, "found %s, which may not be captured yet here, expected a step before this one that captures it whatever way is taken", t.found(path))
	default:
		names := append(sc.all(), t.c.Data.Names()...)
		t.fail(path, "found %s, which is neither data nor a capture: %s", t.found(path), there(e.From, names, "there are none"))
	}
	return symbol{}
}

// collect notes the captures of a journey.
func (t *traffic) collect(path string, r *Request) {
	t.captures = map[string]string{}
	note := func(path, name string) {
		if _, known := t.captures[name]; !known {
			t.captures[name] = path
		}
	}
	r.captures(path, note)
	eachStep(r.Steps, func(step *TrafficStep) {
		if step.Request != nil {
			step.Request.captures(step.path, note)
		}
	})
}

// eachStep calls visit for all steps and the steps within them.
func eachStep(steps []TrafficStep, visit func(*TrafficStep)) {
	for i := range steps {
		visit(&steps[i])
		eachStep(steps[i].Steps, visit)
		eachStep(steps[i].Parallel, visit)
		for j := range steps[i].Choose {
			eachStep(steps[i].Choose[j].Steps, visit)
		}
	}
}

// canonical leaves out what a journey cannot have.
func (r Request) canonical() string {
	fields := fieldsOf(reflect.TypeFor[Request]())
	if r.Steps != nil {
		fields = only(fields, "name", "weight", "variables", "cookies", "steps")
	}
	return canonicalStruct(reflect.ValueOf(r), fields)
}
