package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/correlate"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/document"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/fold"
)

// group are drafts that become one request.
type group struct {
	drafts  []*draft
	request *document.Request
	// columns are the numbers of the leaves that vary.
	columns []int
	// inTurn says that the rows are sent one after the other, as they were recorded; otherwise they are drawn.
	inTurn bool
	// name is what stands for a row.
	name, data string
}

// merge finds the requests that are the same but for values.
func (p *planner) merge() {
	routes := p.routes()
	bySignature := map[string][]*draft{}
	var order []string
	for _, d := range p.drafts {
		s := d.signature(routes)
		if bySignature[s] == nil {
			order = append(order, s)
		}
		bySignature[s] = append(bySignature[s], d)
	}
	changed := p.changed()
	for _, s := range order {
		p.groups = append(p.groups, p.split(bySignature[s], changed)...)
	}
	slices.SortStableFunc(p.groups, func(a, b *group) int { return a.drafts[0].n - b.drafts[0].n })
	for _, g := range p.groups {
		p.write(g, routes)
	}
}

// routes returns the segments that vary, by path.
func (p *planner) routes() map[string]fold.Route {
	tree := fold.NewTree(fold.Options{Targets: exchange.MaxCount, AllTargets: exchange.MaxCount})
	for _, d := range p.drafts {
		tree.Add(d.e.Request.URL.EscapedPath())
	}
	all := map[string]fold.Route{}
	for _, r := range tree.Routes() {
		for _, target := range r.Targets {
			all[target.Text] = r
		}
	}
	return all
}

// signature returns the parts that are the same in requests that are folded.
func (d *draft) signature(routes map[string]fold.Route) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s|%v|%s|%d|%d|", d.e.Request.Method, d.e.Request.FollowRedirects, d.origin, d.status(), d.body.kind)
	if len(d.captures) > 0 || len(d.variables) > 0 {
		fmt.Fprintf(&b, "alone %d|", d.n)
	}
	route := routes[d.e.Request.URL.EscapedPath()]
	for i, l := range d.path {
		if l.literal() && i < len(route.Varies) && route.Varies[i] {
			b.WriteString("/{}")
			continue
		}
		b.WriteString("/" + l.text().String())
	}
	for _, l := range d.leaves()[len(d.path):] {
		fmt.Fprintf(&b, "|%d %q %q %v", l.place, l.name, l.path, l.number)
		if !l.literal() || !l.mayVary() {
			fmt.Fprintf(&b, "=%q", l.text().String())
		}
	}
	if d.body.kind == bodyRandom {
		fmt.Fprintf(&b, "|%d", len(d.body.data))
	}
	return b.String()
}

// mayVary reports whether requests that differ in a value like this one may be folded.
func (l *leaf) mayVary() bool {
	return l.place == inQuery || l.place == inForm || l.place == inPath || l.place == inJSON && l.path != "query"
}

// status returns the status that is expected; 0 if there was no response. What a browser had already is
// there in full for others.
func (d *draft) status() int {
	if d.e.Response.Status == 304 {
		return 200
	}
	return d.e.Response.Status
}

// changed returns the values that requests sent which may change something.
func (p *planner) changed() map[string]bool {
	all := map[string]bool{}
	for _, d := range p.drafts {
		if !unsafeMethod(d.e.Request.Method) {
			continue
		}
		for _, l := range d.leaves() {
			if l.literal() && l.mayVary() {
				all[l.value] = true
			}
		}
	}
	return all
}

// split divides drafts of one signature into those that are sent as one request. Values of requests that
// only read are drawn, unless one of them is about a changed thing: a user who looks at one item and then
// buys it does not buy another. Others are sent as they were recorded: in turn where they follow each other, by a request of their own elsewhere.
func (p *planner) split(all []*draft, changed map[string]bool) []*group {
	columns := varying(all)
	g := &group{drafts: all, columns: columns}
	if len(columns) == 0 || p.o.Mix {
		return []*group{g}
	}
	if !unsafeMethod(all[0].e.Request.Method) && !slices.ContainsFunc(all, func(d *draft) bool { return d.about(columns, changed) }) {
		return []*group{g}
	}
	var groups []*group
	for len(all) > 0 {
		run := 1
		for run < len(all) && all[run].n == all[run-1].n+1 {
			run++
		}
		g := &group{drafts: all[:run], columns: varying(all[:run])}
		g.inTurn = len(g.columns) > 0
		all = all[run:]
		if same := slices.IndexFunc(groups, func(o *group) bool {
			return !o.inTurn && !g.inTurn && len(varying([]*draft{o.drafts[0], g.drafts[0]})) == 0
		}); same >= 0 {
			groups[same].drafts = append(slices.Clip(groups[same].drafts), g.drafts...)
			continue
		}
		groups = append(groups, g)
	}
	return groups
}

// about reports whether a value that varies was sent by a request that may change something, too.
func (d *draft) about(columns []int, changed map[string]bool) bool {
	leaves := d.leaves()
	return slices.ContainsFunc(columns, func(c int) bool { return changed[leaves[c].value] })
}

// varying returns the numbers of the leaves in which drafts differ.
func varying(all []*draft) []int {
	var rows [][]string
	for _, d := range all {
		var row []string
		for _, l := range d.leaves() {
			row = append(row, l.value)
		}
		rows = append(rows, row)
	}
	columns := fold.Varying(rows)
	// What stands for a secret or comes from a response is the same in all of them.
	return slices.DeleteFunc(columns, func(c int) bool { return !all[0].leaves()[c].literal() })
}

// write makes the request of a group.
func (p *planner) write(g *group, routes map[string]fold.Route) {
	d := g.drafts[0]
	r := &document.Request{Method: d.e.Request.Method, FollowRedirects: d.e.Request.FollowRedirects, Comment: d.comments, Capture: d.captures, Variables: d.variables}
	r.Name = p.requestName(g, routes[d.e.Request.URL.EscapedPath()])
	if len(g.columns) > 0 {
		p.rows(g, r)
	}
	if status := d.status(); status != 0 {
		r.Status = []int{status}
	}
	r.URL, r.Query = d.writeTarget()
	for _, l := range d.headers {
		r.Headers = append(r.Headers, document.Field{Name: l.name, Value: l.text()})
	}
	if d.basic != nil {
		r.BasicAuth = &document.BasicAuth{User: d.basic[0].text(), Password: d.basic[1].text()}
	}
	var err error
	if r.Body, err = d.body.write(); err != nil {
		r.Body = document.Body{Random: len(d.body.data)}
		r.Comment = append(r.Comment, "The body cannot be written: random bytes stand for it.")
	}
	g.request = r
}

// rows makes data of the values that vary, and puts placeholders in their places.
func (p *planner) rows(g *group, r *document.Request) {
	leaves := g.drafts[0].leaves()
	g.name = p.names.identifier(correlate.Singular(g.word()), "value")
	g.data = g.name
	var columns []string
	unique := newNames()
	for _, c := range g.columns {
		word := leaves[c].name
		if leaves[c].place == inPath {
			word = correlate.Singular(word)
		}
		columns = append(columns, unique.identifier(word, "value"))
	}
	var rows []*yaml.Node
	for _, d := range g.drafts {
		rows = append(rows, d.row(g.columns, columns, g.inTurn))
	}
	if g.inTurn {
		p.data = append(p.data, document.Data{Name: g.data, Rows: rows})
	} else {
		r.Variables = append(r.Variables, document.Variable{Name: g.name, Value: document.One("one_of", document.List(rows...))})
		r.Comment = append(r.Comment, fmt.Sprintf("%s that differed in values: each slot has those of one of them.", count(len(g.drafts), "request")))
	}
	for i, c := range g.columns {
		name := g.name
		if len(columns) > 1 {
			name += "." + columns[i]
		}
		leaves[c].set(document.Placeholder(name))
	}
}

// word returns what a group's values are about.
func (g *group) word() string {
	leaves := g.drafts[0].leaves()
	for _, c := range g.columns {
		if l := leaves[c]; l.name != "" && (l.place == inPath || len(g.columns) == 1) {
			return l.name
		}
	}
	return g.subject()
}

// subject returns the last word of the path.
func (g *group) subject() string {
	for _, l := range slices.Backward(g.drafts[0].path) {
		if l.literal() && l.value != "" && !fold.IsValue(l.value) {
			return l.value
		}
	}
	return "row"
}

// row returns a draft's values of the columns: by name if there are several. In data, braces are as they
// are.
func (d *draft) row(columns []int, names []string, data bool) *yaml.Node {
	leaves := d.leaves()
	value := func(c int) *yaml.Node {
		l := leaves[c]
		if _, err := strconv.ParseFloat(l.value, 64); l.number && err == nil {
			return document.Number(l.value)
		}
		if data {
			return document.String(strings.ReplaceAll(l.value, "${", "$${"))
		}
		return document.String(document.Literal(l.value).String())
	}
	if len(columns) == 1 {
		return value(columns[0])
	}
	m := document.NewMap()
	for i, c := range columns {
		m.Set(names[i], value(c))
	}
	return m.Node()
}

// writeTarget returns the URL, and the parameters of the query that are not as they were recorded.
func (d *draft) writeTarget() (document.Text, []document.Field) {
	texts := []document.Text{document.Literal(d.origin)}
	for _, l := range d.path {
		texts = append(texts, document.Literal("/"), l.text())
	}
	var fields []document.Field
	if !slices.ContainsFunc(d.query, func(l *leaf) bool { return !l.literal() }) && d.whole() {
		if raw := d.e.Request.URL.RawQuery; raw != "" {
			texts = append(texts, document.Literal("?"+escapeURL(raw)))
		}
		return document.Join(texts...), nil
	}
	for _, l := range d.query {
		fields = append(fields, document.Field{Name: l.name, Value: l.text()})
	}
	return document.Join(texts...), fields
}

// whole reports whether all parameters of the query are taken over.
func (d *draft) whole() bool {
	n := 0
	for pair := range strings.SplitSeq(d.e.Request.URL.RawQuery, "&") {
		if pair != "" {
			n++
		}
	}
	return n == len(d.query)
}
