package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// symbol is what a name stands for: a variable, an element of each, or a capture.
type symbol struct {
	variable *Variable
	// data is what a row is of; empty if it is none.
	data string
	// made is how many values it is made of, with itself; 0 where that is not known.
	made int
	// what says what it is in messages.
	what string
}

// scope are the names that placeholders may use at a place of the file.
type scope struct {
	outer *scope
	names map[string]symbol
	// certain are the captures that have been made before, whatever way was taken.
	certain map[string]bool
	// others are the names that requests capture that are sent at once with the present one.
	others map[string]bool
}

// inner returns a scope within s.
func (s *scope) inner() *scope {
	return &scope{outer: s, names: map[string]symbol{}, certain: s.certain, others: s.others}
}

// after returns the scope with other captures.
func (s *scope) after(certain map[string]bool) *scope {
	return &scope{outer: s, names: map[string]symbol{}, certain: certain}
}

// apart returns the scope of a request that is sent at once with those that capture names.
func (s *scope) apart(by map[string]*TrafficStep, request *TrafficStep) *scope {
	own := s.inner()
	own.certain, own.others = maps.Clone(s.certain), map[string]bool{}
	for name, other := range by {
		if other != request {
			own.others[name] = true
			delete(own.certain, name)
		}
	}
	return own
}

func (s *scope) lookup(name string) (symbol, bool) {
	for ; s != nil; s = s.outer {
		if found, ok := s.names[name]; ok {
			return found, true
		}
	}
	return symbol{}, false
}

// all returns all names that can be used, sorted.
func (s *scope) all() []string {
	known := maps.Clone(s.certain)
	if known == nil {
		known = map[string]bool{}
	}
	for ; s != nil; s = s.outer {
		for name := range s.names {
			known[name] = true
		}
	}
	return slices.Sorted(maps.Keys(known))
}

// traffic checks the variables, journeys and names of one scenario.
type traffic struct {
	validator
	s *Scenario
	// used are the data that the scenario uses.
	used map[string]bool
	// captures are those of the journey that is looked at, and where the first of each is.
	captures map[string]string
	// requests are those of the journey by name, and where.
	requests map[string]*TrafficStep
	// count is how many they are.
	count int
	// follows says that there is a URL that comes from a response.
	follows bool
}

// templates checks the names that templates use.
func (t *traffic) templates(all []located, sc *scope) {
	for _, l := range all {
		if raw, ok := l.t.Raw(); ok && !l.raw {
			t.misuse(l, "found the filter raw in {{ %s }}, expected it in paths and queries only", raw)
		}
		for _, ref := range l.t.Refs() {
			if t.stopped || t.bad[l.path] {
				break // One mistake is reported of each, and advice takes time.
			}
			t.ref(l, ref, sc)
		}
	}
}

// misuse reports a placeholder that cannot be used where it is. Those in secrets are not shown,
// as what looks like a placeholder may be a part of a password.
func (t *traffic) misuse(l located, format string, ref script.Ref, args ...any) {
	if l.secret {
		t.fail(l.path, "found a placeholder that cannot be used here, expected the name of a variable or of a capture of a step before this one")
		return
	}
	t.fail(l.path, format, append([]any{ref}, args...)...)
}

// ref checks a name that a template uses.
func (t *traffic) ref(l located, ref script.Ref, sc *scope) {
	sym, known := sc.lookup(ref.Name)
	_, captured := t.captures[ref.Name]
	switch {
	case known:
		t.field(l, ref, sym)
	case sc.certain[ref.Name]:
		// What a response holds is not known beforehand.
	case sc.others[ref.Name]:
		t.misuse(l, "found {{ %s }}, which is captured by a request that is sent at once with this one, expected a step before parallel that captures it under another name", ref)
	case captured:
		t.misuse(l, "found {{ %s }}, which may not be captured yet here, expected a step before this one that captures it whatever way is taken", ref)
	default:
		t.misuse(l, "found {{ %s }}, whose name is not known here: %s", ref, t.suggest(ref.Name, sc))
	}
}

// suggest says which names there are.
func (t *traffic) suggest(name string, sc *scope) string {
	all := sc.all()
	_, isData := t.c.Data.Get(name)
	if isData {
		return "it is data, for which a variable such as {row: " + name + "} is needed"
	}
	return there(name, all, "there are no variables")
}

// there says which names there are, or the one that is meant.
func there(name string, all []string, none string) string {
	if best := nearest(name, all); best != "" && len(name) > 1 {
		return "did you mean " + best + "?"
	}
	const most = 12
	switch {
	case len(all) == 0:
		return none
	case len(all) == 1:
		return "there is only " + all[0]
	case len(all) > most:
		return "there are " + strings.Join(all[:most], ", ") + " and others"
	}
	return "there are " + list(all, "and")
}

// field checks the path into a value.
func (t *traffic) field(l located, ref script.Ref, sym symbol) {
	if ref.Path == "" {
		return
	}
	if sym.data != "" {
		t.column(l, ref, sym.data)
		return
	}
	if sym.variable != nil && single(*sym.variable) {
		t.misuse(l, "found {{ %s }}, but %s is a single value without fields", ref, ref.Name)
	}
}

// single reports whether a variable is a string or a number, whichever value is drawn.
func single(v Variable) bool {
	switch {
	case v.OneOf != nil:
		return !slices.ContainsFunc(v.OneOf.Values, func(j JSON) bool {
			return j.Varies() || strings.HasPrefix(j.Text, "{") || strings.HasPrefix(j.Text, "[")
		})
	case v.Many != nil:
		return v.Many.Join != nil
	case v.Text != nil:
		_, other := v.Text.Single()
		return !other
	}
	return true
}

// column checks that data have the column with which a path begins.
func (t *traffic) column(l located, ref script.Ref, data string) {
	column, _, _ := strings.Cut(ref.Path, ".")
	if strings.ContainsAny(column, `\#*?@!{}[]()|`) {
		return // A path of gjson that says more.
	}
	set, ok := t.c.Data.Get(data)
	if !ok || !t.ok(join("data", data)) {
		return
	}
	if set.File != "" {
		t.uses(data, column, l.path)
		return
	}
	columns, isMapping := set.columns()
	switch {
	case !isMapping:
		t.misuse(l, "found {{ %s }}, but the rows of %s are values without columns: write {{ %s }}", ref, data, ref.Name)
	case !slices.Contains(columns, column):
		t.misuse(l, "found {{ %s }}, but %s has no column %s: %s", ref, data, column, there(column, columns, ""))
	}
}

// uses notes a column of data in a file.
func (v validator) uses(data, column, path string) {
	if !slices.ContainsFunc(v.c.columns, func(c Column) bool { return c.Data == data && c.Name == column }) {
		v.c.columns = append(v.c.columns, Column{Data: data, Name: column, file: v.file, path: path, location: v.location(path)})
	}
}

// columns returns the columns of rows that are in the file; ok is false if they are values.
func (s Dataset) columns() (columns []string, ok bool) {
	if len(s.Rows) == 0 {
		return nil, false
	}
	first := gjson.Parse(s.Rows[0].Text)
	if !first.IsObject() {
		return nil, false
	}
	first.ForEach(func(key, _ gjson.Result) bool {
		columns = append(columns, key.Str)
		return true
	})
	return columns, true
}

// row checks a name of data and returns what it stands for.
func (t *traffic) row(path, name string) symbol {
	if _, ok := t.c.Data.Get(name); !ok {
		t.fail(path, "found %s, which is no data: %s", t.found(path), there(name, t.c.Data.Names(), "there are none, write data: {"+plainOr(name, "name")+": {file: ...}} beside scenarios"))
		return symbol{}
	}
	t.used[name] = true
	return symbol{data: name}
}

// plainOr returns a name that can stand in a message as it is, or another.
func plainOr(name, other string) string {
	if script.ValidName(name) {
		return name
	}
	return other
}
