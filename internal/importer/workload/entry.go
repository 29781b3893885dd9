package workload

import (
	"fmt"
	"net/url"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/document"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/fold"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/sensitive"
)

// route is a route of a method.
type route struct {
	method string
	fold.Route
}

// maxRows bounds the values that are written of a request.
const maxRows = 50

// writer writes the entries of a scenario.
type writer struct {
	o        Options
	detector *sensitive.Detector
	requests names
	data     names
	all      []document.Data
	// kept is how many requests the entries stand for.
	kept uint64
}

// entry returns the entry of a route; ok is false if none of its targets can be written.
func (w *writer) entry(r route) (e document.Entry, ok bool) {
	t := newTable(r.Route, w.detector)
	if len(t.rows) == 0 {
		return e, false
	}
	request := &document.Request{Method: r.method, Name: w.requests.unique(w.title(r, t), "home")}
	v := &variables{writer: w, request: request, used: names{}}
	texts := v.texts(t)
	request.URL, request.Query = address(t, texts)
	request.Status, request.Comment = w.expectation(r)
	if r.method == "POST" || r.method == "PUT" || r.method == "PATCH" {
		request.Comment = append(request.Comment, "The log has no bodies: write the one that the server expects.")
	}
	request.Comment = append(request.Comment, v.notes...)
	return document.Entry{Request: request}, true
}

// title returns what a request may be called.
func (w *writer) title(r route, t table) string {
	var words []string
	if r.method != "GET" {
		words = append(words, r.method)
	}
	for _, p := range t.columns {
		switch {
		case p.segment < 0:
			words = append(words, p.name)
		case !p.varies && p.kind == sensitive.None:
			words = append(words, p.sample)
		case p.name == "":
			words = append(words, "value")
		default:
			// The product of /products/17 stands for the word before it, too.
			words[len(words)-1] = p.name
		}
	}
	return strings.Join(words, "_")
}

// address returns the URL and the query of a table with texts in its places.
func address(t table, texts []document.Text) (document.Text, []document.Field) {
	var path []document.Text
	var query []document.Field
	for i, p := range t.columns {
		if p.segment >= 0 {
			path = append(path, document.Literal("/"), texts[i])
		} else {
			query = append(query, document.Field{Name: parameterName(p.name), Value: texts[i]})
		}
	}
	return document.Join(path...), query
}

// parameterName returns the name of a parameter as people read it.
func parameterName(name string) string {
	if plain, err := url.QueryUnescape(name); err == nil {
		return plain
	}
	return name
}

// expectation returns the statuses to expect of a route, and lines that say what came.
func (w *writer) expectation(r route) (expected []int, comment []string) {
	counts := map[int]uint64{}
	var sum uint64
	for _, l := range r.Labels {
		status := l.Value
		switch {
		case status == 304: // To a condition, which is not sent.
			status = 200
		case status < 200 || status == 499 || status >= 500: // There was no response, or it was a failure.
			continue
		}
		counts[status] += l.Count
		sum += l.Count
	}
	for status, n := range counts {
		if n*100 >= sum*95 {
			return []int{status}, nil
		}
	}
	if len(r.Labels) == 0 {
		return nil, nil
	}
	var seen []string
	for _, l := range r.Labels[:min(len(r.Labels), 5)] {
		seen = append(seen, fmt.Sprintf("%d %s", l.Value, percent(l.Count, r.Count)))
	}
	return nil, []string{"Statuses: " + strings.Join(seen, ", ") + "."}
}

// variables makes the variables of a request.
type variables struct {
	*writer
	request *document.Request
	used    names
	notes   []string
}

// texts returns what stands at each place of a table: the value that is always there, or a variable.
func (v *variables) texts(t table) []document.Text {
	all := make([]document.Text, len(t.columns))
	var columns []int
	for i, p := range t.columns {
		switch {
		case p.kind == sensitive.Secret && !v.o.Secrets, p.kind == sensitive.Personal && !v.o.Personal:
			all[i] = v.random(p)
		case p.varies:
			columns = append(columns, i)
		case p.segment >= 0:
			all[i] = document.Literal(escapeSegment(p.sample))
		default:
			all[i] = document.Literal(p.sample)
		}
	}
	switch len(columns) {
	case 0:
	case 1:
		v.oneOf(t, columns[0], all)
	default:
		v.row(t, columns, all)
	}
	return all
}

// escapeSegment returns a segment of a path as a URL has it.
func escapeSegment(s string) string {
	if strings.Contains(s, "/") {
		return url.PathEscape(s)
	}
	u := url.URL{Path: "/" + s}
	return u.EscapedPath()[1:]
}

// random adds a variable for a value that is not to be written, of the same kind and length.
func (v *variables) random(p column) document.Text {
	name := v.used.unique(p.name, "value")
	of := "alphanumeric"
	if strings.Trim(p.sample, "0123456789 -+") == "" && p.sample != "" {
		of = "digits"
	}
	length := int64(min(max(len(p.sample), 8), 64))
	value := document.One("random_text", document.NewMap().Set("length", document.Int(length)).Set("of", document.String(of)).Node())
	v.add(name, value)
	what := "secret"
	if p.kind == sensitive.Personal {
		what = "personal data"
	}
	v.notes = append(v.notes, fmt.Sprintf("%s is %s: random text stands for it.", name, what))
	if strings.Contains(p.sample, "@") {
		return document.Join(document.Placeholder(name), document.Literal("@example.com"))
	}
	return document.Placeholder(name)
}

func (v *variables) add(name string, value *yaml.Node) {
	v.request.Variables = append(v.request.Variables, document.Variable{Name: name, Value: value})
}

// oneOf adds a variable for the only place that varies.
func (v *variables) oneOf(t table, column int, texts []document.Text) {
	all := t.combined([]int{column})
	name := v.used.unique(t.columns[column].name, "value")
	v.add(name, document.One("one_of", weighted(v.keep(t, all))))
	texts[column] = document.Placeholder(name)
}

// weighted returns values with their weights, or a list of them if these are alike.
func weighted(all []values) *yaml.Node {
	list, weights := document.List(), document.NewMap()
	for _, row := range all {
		list.Content = append(list.Content, document.String(row.at[0]))
		weights.Set(row.at[0], document.Int(int64(row.count)))
	}
	if all[0].count == all[len(all)-1].count {
		return list
	}
	return weights.Node()
}

// row adds a variable with a row of data for places that vary together.
func (v *variables) row(t table, columns []int, texts []document.Text) {
	fields := names{"weight": true}
	var keys []string
	for _, c := range columns {
		key := fields.unique(t.columns[c].name, "value")
		keys = append(keys, key)
		texts[c] = document.Placeholder("row." + key)
	}
	d := document.Data{Name: v.data.unique(v.request.Name, "rows"), Random: true, Weight: "weight"}
	for _, row := range v.keep(t, t.combined(columns)) {
		m := document.NewMap()
		for i, key := range keys {
			m.Set(key, document.String(row.at[i]))
		}
		d.Rows = append(d.Rows, m.Set("weight", document.Int(int64(row.count))).Node())
	}
	v.all = append(v.all, d)
	v.used["row"] = true
	v.add("row", document.One("row", document.String(d.Name)))
}

// keep returns the most frequent of all values, and notes what share of the requests they had.
func (v *variables) keep(t table, all []values) []values {
	kept := all[:min(len(all), maxRows)]
	left := t.rare
	for _, row := range all[len(kept):] {
		left += row.count
	}
	var sum uint64
	for i := range kept {
		sum += kept[i].count
		kept[i].count = min(kept[i].count, maxWeight)
	}
	if left > 0 {
		v.notes = append(v.notes, fmt.Sprintf("%d of the values, which %s of the requests had; the rest are left out.", len(kept), percent(sum, sum+left)))
	}
	return kept
}

// maxWeight is the largest weight that the configuration takes.
const maxWeight = 1_000_000
