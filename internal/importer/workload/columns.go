package workload

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/fold"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/sensitive"
)

// column is a segment of a path or a parameter of a query.
type column struct {
	// name is what the value is called: the parameter, or the word before the segment.
	name string
	// segment is the number of a segment of the path, -1 for a parameter.
	segment int
	kind    sensitive.Kind
	// varies says that values differ. sample is one of them.
	varies bool
	sample string
}

// values are the values at all places of one route, and how often they were together.
type values struct {
	at    []string
	count uint64
}

// table is what stands at the places of a route.
type table struct {
	columns []column
	rows    []values
	// rare counts the targets that are not among the rows.
	rare uint64
}

// newTable takes the targets of a route apart.
func newTable(r fold.Route, d *sensitive.Detector) table {
	t := table{columns: columns(r, d), rare: r.Others}
	for _, target := range r.Targets {
		at, ok := t.read(target.Text)
		if !ok {
			t.rare += target.Count
			continue
		}
		t.rows = append(t.rows, values{at, target.Count})
	}
	for i := range t.columns {
		t.columns[i].judge(t.rows, i, d)
	}
	return t
}

// columns returns the places of a route: all segments of its path, and those of its parameters whose names can be
// written and give nothing away.
func columns(r fold.Route, d *sensitive.Detector) []column {
	var all []column
	word := ""
	for i, segment := range r.Segments {
		all = append(all, column{name: word, segment: i})
		if !r.Varies[i] && segment != "" {
			word = singular(segment)
		}
	}
	for _, name := range r.Parameters {
		if plain := parameterName(name); plain != "<<" && writable(plain) && d.Value(plain) == sensitive.None {
			all = append(all, column{name: name, segment: -1})
		}
	}
	return all
}

// read returns the values of a target; ok is false if they cannot be written.
func (t *table) read(target string) (at []string, ok bool) {
	path, query, _ := strings.Cut(target, "?")
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	parameters := map[string]string{}
	for parameter := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		if _, again := parameters[name]; !again {
			parameters[name] = value
		}
	}
	for _, p := range t.columns {
		if p.segment >= len(segments) {
			return nil, false
		}
		value, err := "", error(nil)
		if p.segment >= 0 {
			value, err = url.PathUnescape(segments[p.segment])
		} else {
			value, err = url.QueryUnescape(parameters[p.name])
		}
		if err != nil || !writable(value) {
			return nil, false
		}
		at = append(at, value)
	}
	return at, true
}

// writable reports whether a value can stand in a configuration as it is.
func writable(s string) bool {
	return utf8.ValidString(s) && !strings.Contains(s, "{{") && !strings.Contains(s, "${") && !strings.ContainsFunc(s, unicode.IsControl)
}

// judge decides whether a place varies, and whether what stands there is secret or personal.
func (p *column) judge(rows []values, column int, d *sensitive.Detector) {
	if p.segment < 0 {
		p.kind = sensitive.Name(p.name)
	}
	for _, row := range rows {
		value := row.at[column]
		p.varies = p.varies || value != rows[0].at[column]
		if kind := d.Value(value); p.kind == sensitive.None && kind != sensitive.None {
			p.kind, p.sample = kind, value
		}
	}
	if p.sample == "" && len(rows) > 0 {
		p.sample = rows[0].at[column]
	}
}

// combined returns the values at some places and how often they were together, the most frequent
// first.
func (t *table) combined(columns []int) []values {
	byText := map[string]*values{}
	for _, row := range t.rows {
		at := make([]string, 0, len(columns))
		for _, c := range columns {
			at = append(at, row.at[c])
		}
		key := strings.Join(at, "\x00")
		if byText[key] == nil {
			byText[key] = &values{at: at}
		}
		byText[key].count += row.count
	}
	all := make([]values, 0, len(byText))
	for _, key := range slices.Sorted(maps.Keys(byText)) {
		all = append(all, *byText[key])
	}
	slices.SortStableFunc(all, func(a, b values) int { return cmp.Compare(b.count, a.count) })
	return all
}
