package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

// The measures of Grafana's grid, in pixels.
const (
	width   = 1600
	gap     = 8
	column  = float64(width-gap) / grafana.Columns
	rowUnit = 38
	header  = 44
	// maxPoints is how many points a chart has.
	maxPoints = 300
)

// view draws a dashboard.
type view struct {
	*server
	dashboard grafana.Dashboard
	canvas    canvas
	height    int
	// events are the annotations, the same in all charts.
	events []event
	// problems are what a reader would not like; empty is the panels without data.
	problems []string
	empty    error
}

// event is an annotation from a time to a time.
type event struct {
	from, to float64
	color    string
}

// box is the inside of a panel.
type box struct{ x, y, w, h float64 }

// draw returns the picture.
func (v *view) draw() string {
	for _, p := range v.dashboard.Panels {
		v.height = max(v.height, header+(p.GridPos.Y+p.GridPos.H)*rowUnit+gap)
	}
	v.canvas.add(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="Inter, Roboto, 'DejaVu Sans', sans-serif">`, width, v.height)
	v.canvas.rect(0, 0, width, float64(v.height), background, "")
	v.top()
	for _, a := range v.dashboard.Annotations.List {
		v.annotate(a)
	}
	for _, p := range v.dashboard.Panels {
		v.panel(p)
	}
	v.canvas.add("</svg>")
	return v.canvas.String()
}

// top draws the title and the variables.
func (v *view) top() {
	v.canvas.text(gap+2, 28, 17, ink, "start", v.dashboard.Title)
	x := gap + wide(v.dashboard.Title, 17) + 40
	for _, variable := range v.dashboard.Templating.List {
		if variable.Hide == grafana.Hidden || variable.Type == "datasource" {
			continue
		}
		value := v.values[variable.Name]
		if value == variable.AllValue {
			value = "All"
		}
		if variable.Name == "latency_metrics" {
			value = map[string]string{"-1": "native", "1": "classic"}[value]
		}
		label := variable.Label + "  " + strings.Trim(value, "()")
		w := wide(label, 12) + 20
		v.canvas.rect(x, 12, w, 24, surface, `rx="3" stroke="`+border+`"`)
		v.canvas.text(x+w/2, 28, 12, ink, "middle", label)
		x += w + gap
	}
	v.canvas.text(width-gap, 28, 12, faint, "end", fmt.Sprintf("%s to %s UTC", clock(float64(v.start.Unix())), clock(float64(v.end.Unix()))))
}

// annotate finds the events of an annotation.
func (v *view) annotate(a grafana.Annotation) {
	answer, err := v.ask(a.Expr, false)
	if err != nil {
		v.problem(a.Name, err.Error())
		return
	}
	step := v.step.Seconds()
	for _, s := range answer {
		var last *event
		for _, p := range s.points {
			at := p.at
			if a.UseValueForTime {
				at = p.value / 1000
			} else if p.value == 0 {
				continue
			}
			if last != nil && at <= last.to+step {
				last.to = at
				continue
			}
			v.events = append(v.events, event{from: at, to: at, color: named(a.IconColor)})
			last = &v.events[len(v.events)-1]
		}
	}
}

func (v *view) problem(panel, text string) {
	v.problems = append(v.problems, fmt.Sprintf("%q: %s", panel, text))
}

// line is a series of a panel with its style.
type line struct {
	series
	name  string
	color string
	field grafana.Field
}

// panel draws a panel.
func (v *view) panel(p grafana.Panel) {
	g := p.GridPos
	x, y := gap+float64(g.X)*column, float64(header+g.Y*rowUnit)
	w, h := float64(g.W)*column-gap, float64(g.H*rowUnit-gap)
	if p.Type == "row" {
		v.canvas.text(x, y+20, 14, ink, "start", "⌄ "+p.Title)
		return
	}
	v.canvas.rect(x, y, w, h, surface, `rx="3" stroke="`+border+`"`)
	title, shortened := cut(p.Title, 13, w-16)
	if shortened {
		v.problem(p.Title, "the title is cut off")
	}
	v.canvas.text(x+10, y+20, 13, ink, "start", title)
	b := box{x + 10, y + 32, w - 20, h - 40}
	lines := v.lines(p)
	if !slices.ContainsFunc(lines, func(l line) bool { return len(l.points)+len(l.spreads) > 0 }) {
		v.empty = errors.Join(v.empty, fmt.Errorf("no data in %q", p.Title))
		v.canvas.text(x+w/2, y+h/2, 14, faint, "middle", "No data")
		return
	}
	switch p.Type {
	case "stat":
		v.stat(b, lines)
	case "timeseries":
		v.chart(b, p, lines)
	case "heatmap":
		v.heatmap(b, p, lines)
	case "table":
		v.table(b, p)
	}
}

// lines asks the queries of a panel and finds how to draw the responses.
func (v *view) lines(p grafana.Panel) []line {
	var all []line
	for _, t := range p.Targets {
		answer, err := v.ask(t.Expr, t.Instant)
		if err != nil {
			v.problem(p.Title, err.Error())
		}
		slices.SortFunc(answer, func(a, b series) int {
			return strings.Compare(legend(t.LegendFormat, a.labels), legend(t.LegendFormat, b.labels))
		})
		for _, s := range answer {
			l := line{series: s, name: legend(t.LegendFormat, s.labels), color: classic(len(all)), field: field(p.FieldConfig, legend(t.LegendFormat, s.labels))}
			if c := l.field.Color; c != nil && c.Mode == "fixed" {
				l.color = named(c.FixedColor)
			}
			all = append(all, l)
		}
	}
	return all
}

// legend puts labels into the name of a series.
func legend(format string, labels map[string]string) string {
	return regexp.MustCompile(`{{\s*(\w+)\s*}}`).ReplaceAllStringFunc(format, func(m string) string {
		return labels[strings.Trim(m, "{} ")]
	})
}

// field returns how the field of a name is shown: the defaults and what overrides them.
// Both are JSON, and an override names the way to a part.
func field(c *grafana.FieldConfig, name string) grafana.Field {
	tree := map[string]any{}
	reread(c.Defaults, &tree)
	for _, o := range c.Overrides {
		if o.Matcher.ID == "byName" && o.Matcher.Options != name ||
			o.Matcher.ID == "byRegexp" && !regexp.MustCompile(strings.Trim(o.Matcher.Options, "/")).MatchString(name) {
			continue
		}
		for _, p := range o.Properties {
			at, path := tree, strings.Split(p.ID, ".")
			for _, key := range path[:len(path)-1] {
				at, _ = at[key].(map[string]any)
			}
			at[path[len(path)-1]] = p.Value
		}
	}
	var f grafana.Field
	reread(tree, &f)
	return f
}

// reread converts by way of JSON. A value read from JSON fits.
func reread(from, to any) {
	b, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(b, to)
	}
	if err != nil {
		panic(err)
	}
}
