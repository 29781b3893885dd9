package config

import (
	"slices"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// declare adds variables to a scope, which they see, and checks them. what says whose they are.
func (t *traffic) declare(path string, variables Named[Variable], sc *scope, what string) {
	for i := range variables {
		e := &variables[i]
		at := join(path, e.Name)
		if other, taken := sc.lookup(e.Name); taken {
			t.fail(at, "found the name %s, which %s already", e.Name, other.what)
			continue
		}
		if _, captured := t.captures[e.Name]; captured {
			t.fail(at, "found the name %s, which is that of a capture of this journey: choose another", e.Name)
			continue
		}
		sym := symbol{what: what, variable: &e.Value}
		if e.Value.Row != "" {
			sym.data = e.Value.Row
		}
		sc.names[e.Name] = sym
	}
	for _, e := range variables {
		t.variable(join(path, e.Name), e.Value, sc)
	}
	t.circles(path, variables, sc)
}

func (t *traffic) variable(path string, x Variable, sc *scope) {
	if !t.given(path) || t.bad[path] || x.word != "" {
		return
	}
	switch kinds := x.kinds(); {
	case len(kinds) > 1:
		t.fail(path, "found %s, expected only one kind", list(kinds, "and"))
		return
	case len(kinds) == 0 && t.given(join(path, "row")):
		t.fail(join(path, "row"), "found an empty string, expected the name of data")
		return
	case len(kinds) == 0:
		if t.complete(path) {
			t.fail(path, "found no kind, expected one of one_of, int, decimal, random_text, row, text, time, many, file or jwt, or uuid or sequence without a mapping")
		}
		return
	}
	switch {
	case x.OneOf != nil:
		for _, value := range x.OneOf.Values {
			t.templates(value.templates(), sc)
		}
	case x.Int != nil:
		atMost(t.validator, join(path, "int"), x.Int.From, x.Int.To)
	case x.Decimal != nil:
		atMost(t.validator, join(path, "decimal"), x.Decimal.From, x.Decimal.To)
	case x.Row != "":
		t.row(join(path, "row"), x.Row)
	case x.Text != nil:
		t.templates([]located{{path: join(path, "text"), t: x.Text.Template}}, sc)
	case x.Time != nil:
		t.time(join(path, "time"), *x.Time)
	case x.Many != nil:
		t.many(join(path, "many"), x.Many, sc)
	case x.JWT != nil:
		t.jwt(join(path, "jwt"), x.JWT, sc)
	}
}

// atMost reports a from that is above its to.
func atMost[T int | float64 | Duration](v validator, path string, from, to T) {
	low, high := join(path, "from"), join(path, "to")
	if v.ok(low, high) && from > to {
		v.fail(low, "found %s, expected at most to, which is %v", v.found(low), v.location(high).text)
	}
}

func (t *traffic) time(path string, x TimeValue) {
	if at := join(path, "minus"); t.given(at) && t.given(join(path, "plus")) {
		t.fail(at, "found together with plus, expected only one of them")
	}
	at := join(path, "format")
	if slices.Contains([]string{"unix", "unix_ms", "rfc3339"}, x.Format) || !t.ok(at) {
		return
	}
	// A layout writes two times that have nothing in common differently.
	one, other := time.Date(2031, 12, 23, 21, 43, 55, 111_222_333, time.UTC), time.Date(1977, 6, 14, 8, 37, 39, 0, time.UTC)
	if one.Format(x.Format) == other.Format(x.Format) {
		t.fail(at, "found %s, expected unix, unix_ms, rfc3339, or how to write Go's time 2006-01-02 15:04:05", t.found(at))
	}
}

func (t *traffic) many(path string, m *Many, sc *scope) {
	atMost(t.validator, path, m.From, m.To)
	inner := sc.inner()
	for _, e := range m.Variables {
		if e.Value.Many != nil {
			t.fail(join(join(join(path, "variables"), e.Name), "many"), "found many within many, expected another kind")
			return
		}
	}
	t.declare(join(path, "variables"), m.Variables, inner, "is a variable of many")
	if m.Each == nil {
		return
	}
	if m.Each.Many != nil {
		t.fail(below(path, "each.many"), "found many within many, expected another kind")
		return
	}
	t.variable(join(path, "each"), *m.Each, inner)
}

// maxMade bounds how many values one is made of, each counted as often as it is used: a few lines
// can double a string sixty times, which a slot would be late by.
const maxMade = 100_000

// circles reports variables that are made of each other, or of too many.
func (t *traffic) circles(path string, variables Named[Variable], sc *scope) {
	uses := map[string][]string{}
	for _, e := range variables {
		uses[e.Name] = e.Value.refs()
	}
	done := map[string]bool{}
	var way []string
	var visit func(name string) bool
	visit = func(name string) bool {
		if i := slices.Index(way, name); i >= 0 {
			circle := append(slices.Clone(way[i:]), name)
			t.fail(join(path, name), "found a circle of variables that are made of each other: %s", circleText(circle))
			return false
		}
		if done[name] {
			return true
		}
		done[name] = true
		way = append(way, name)
		defer func() { way = way[:len(way)-1] }()
		made := 1
		for _, used := range uses[name] {
			if !visit(used) {
				return false
			}
			other, _ := sc.lookup(used)
			made += max(1, other.made)
		}
		if made > maxMade {
			t.fail(join(path, name), "found a variable that is made of more than %d values, expected fewer", maxMade)
			return false
		}
		if own, declared := sc.names[name]; declared {
			own.made = made
			sc.names[name] = own
		}
		return true
	}
	for _, e := range variables {
		if !visit(e.Name) {
			return
		}
	}
}

// circleText describes a circle: a uses b, which uses a.
func circleText(names []string) string {
	first := names[0] + " uses " + names[1]
	if len(names) == 2 {
		return first
	}
	return first + ", which uses " + strings.Join(names[2:], ", which uses ")
}

// refs returns the names that a variable is made of, but for those that it has itself.
func (x Variable) refs() []string {
	var names []string
	add := func(all ...script.Ref) {
		for _, ref := range all {
			names = append(names, ref.Name)
		}
	}
	switch {
	case x.Text != nil:
		add(x.Text.Refs()...)
	case x.OneOf != nil:
		for _, value := range x.OneOf.Values {
			for _, s := range value.strings {
				add(s.t.Refs()...)
			}
		}
	case x.JWT != nil:
		for _, l := range x.JWT.templates() {
			add(l.t.Refs()...)
		}
	case x.Many != nil:
		own := x.Many.Variables.Names()
		for _, inner := range append(slices.Clone(x.Many.Variables), Entry[Variable]{Value: deref(x.Many.Each)}) {
			for _, name := range inner.Value.refs() {
				if !slices.Contains(own, name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// deref returns what a pointer points to, or the zero value.
func deref[T any](p *T) (value T) {
	if p != nil {
		value = *p
	}
	return value
}
