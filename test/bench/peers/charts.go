//go:build linux

package main

import (
	"math"
	"slices"
)

// chartWidth is that of every chart, in pixels; it fits a page without being scaled.
const chartWidth = 860

// appearance is how a tool is drawn, the same in all charts.
type appearance struct {
	color string
	// strong is for what the page is about.
	strong bool
}

func appearanceOf(tool string) appearance {
	switch tool {
	case "traffic_exporter":
		return appearance{"#d1372b", true}
	case "traffic_exporter, bare":
		return appearance{"#e0705e", false}
	case "traffic_exporter, exact":
		return appearance{"#8f1d16", false}
	case "traffic_exporter, coarse":
		return appearance{"#eaa396", false}
	case "wrk2":
		return appearance{"#1f5fa8", false}
	case "wrk":
		return appearance{"#4d8fd1", false}
	case "vegeta":
		return appearance{"#2f8f5b", false}
	case "hey":
		return appearance{"#a97f00", false}
	case "fortio":
		return appearance{"#8058b5", false}
	case "k6":
		return appearance{"#7a7f87", false}
	}
	return appearance{"#149aa6", false}
}

// heading writes what a chart shows.
func (s *svg) heading(title, subtitle string) {
	s.text(16, 26, textStyle{size: 16, color: ink, anchor: "start", bold: true}, title)
	s.text(16, 45, textStyle{size: 12, color: faint, anchor: "start"}, subtitle)
}

// series is one tool's line: a value for each place, NaN where there is none, and which
// of them are marked as hollow.
type series struct {
	tool   string
	values []float64
	hollow []bool
}

// lineChart draws a line for each tool over the places, by name at its right end, on a
// logarithmic scale.
func lineChart(title, subtitle string, places []string, lines []series, format func(float64) string) string {
	const top, bottom, left, right, height = 66, 34, 64, 190, 430
	s := newSVG(chartWidth, height)
	s.heading(title, subtitle)
	var all []float64
	for _, l := range lines {
		all = append(all, l.values...)
	}
	y := newAxis(all, height-bottom, top)
	for _, v := range y.ticks() {
		s.line(left, y.at(v), chartWidth-right, y.at(v), grid, 1)
		s.text(left-8, y.at(v)+4, textStyle{size: 11, color: faint, anchor: "end"}, format(v))
	}
	x := func(i int) float64 {
		return left + 20 + (chartWidth-right-left-40)*float64(i)/float64(max(1, len(places)-1))
	}
	for i, p := range places {
		s.text(x(i), height-12, textStyle{size: 12, color: ink, anchor: "middle"}, p)
	}
	// The strong ones on top.
	slices.SortStableFunc(lines, func(a, b series) int {
		return int(weight(a.tool)) - int(weight(b.tool))
	})
	var labels []label
	for _, l := range lines {
		if last := s.curve(l, x, y); last >= 0 {
			labels = append(labels, label{tool: l.tool, y: y.at(l.values[last]), from: x(last)})
		}
	}
	s.labels(labels, chartWidth-right+14, top, height-bottom)
	return s.document(title)
}

func weight(tool string) float64 {
	if appearanceOf(tool).strong {
		return 3
	}
	return 1.6
}

// curve draws a line and returns the last place that it reaches; -1 if it has none.
func (s *svg) curve(l series, x func(int) float64, y axis) int {
	color, last := appearanceOf(l.tool).color, -1
	for i, v := range l.values {
		if math.IsNaN(v) {
			continue
		}
		if last >= 0 {
			s.line(x(last), y.at(l.values[last]), x(i), y.at(v), color, weight(l.tool))
		}
		last = i
	}
	for i, v := range l.values {
		switch {
		case math.IsNaN(v):
		case i < len(l.hollow) && l.hollow[i]:
			s.ring(x(i), y.at(v), 2.4+weight(l.tool)/2, color)
		default:
			s.circle(x(i), y.at(v), 2+weight(l.tool)/2, color)
		}
	}
	return last
}

// label names a line at its right end.
type label struct {
	tool    string
	y, from float64
}

// labels writes the names one below the other, each as near to its line as there is room.
func (s *svg) labels(all []label, x, top, bottom float64) {
	const room = 15
	slices.SortFunc(all, func(a, b label) int { return int(math.Copysign(1, a.y-b.y)) })
	at := make([]float64, len(all))
	for i, l := range all {
		at[i] = l.y
		if i > 0 {
			at[i] = max(at[i], at[i-1]+room)
		}
	}
	for i := len(all) - 1; i >= 0; i-- {
		limit := bottom
		if i < len(all)-1 {
			limit = at[i+1] - room
		}
		at[i] = max(min(at[i], limit), top)
	}
	for i, l := range all {
		a := appearanceOf(l.tool)
		s.dots(l.from+8, l.y, x-4, at[i], a.color)
		s.text(x, at[i]+4, textStyle{size: 12, color: a.color, anchor: "start", bold: a.strong}, l.tool)
	}
}

// bar is one tool's value.
type bar struct {
	tool  string
	value float64
	note  string
}

// panel is a part of a chart, with a title of its own, and a note below if there is one.
type panel[T any] struct {
	title string
	rows  []T
	note  string
}

// height returns that of the panel, in pixels.
func (p panel[T]) height() float64 {
	h := panelHeight + rowHeight*float64(len(p.rows))
	if p.note != "" {
		h += rowHeight
	}
	return h
}

const (
	rowHeight   = 22
	panelHeight = 30
	namesWidth  = 190
)

// rowsChart draws panels of rows one below the other: names at the left, and what draw
// draws at the right.
func rowsChart[T any](title, subtitle string, panels []panel[T], name func(T) string, ground func(s *svg, top, bottom float64), draw func(s *svg, row T, y float64)) string {
	const top, foot = 62, 34
	height := float64(top + foot)
	for _, p := range panels {
		height += p.height()
	}
	s := newSVG(chartWidth, height)
	s.heading(title, subtitle)
	begin := float64(top)
	for _, p := range panels {
		y := begin
		begin += p.height()
		s.text(16, y+19, textStyle{size: 12, color: ink, anchor: "start", bold: true}, p.title)
		y += panelHeight
		ground(s, y-4, y+rowHeight*float64(len(p.rows))-4)
		for _, row := range p.rows {
			a := appearanceOf(name(row))
			s.text(namesWidth-10, y+12, textStyle{size: 12, color: a.color, anchor: "end", bold: a.strong}, name(row))
			draw(s, row, y+8)
			y += rowHeight
		}
		s.text(namesWidth, y+12, textStyle{size: 11, color: faint, anchor: "start"}, p.note)
	}
	return s.document(title)
}

// barChart draws a bar for each tool, on a scale from 0.
func barChart(title, subtitle string, panels []panel[bar], format func(float64) string) string {
	most := 0.0
	for _, p := range panels {
		for _, b := range p.rows {
			most = max(most, b.value)
		}
	}
	scale := (chartWidth - namesWidth - 150) / max(most, 1e-9)
	return rowsChart(title, subtitle, panels,
		func(b bar) string { return b.tool },
		func(s *svg, top, bottom float64) { s.line(namesWidth, top, namesWidth, bottom, grid, 1) },
		func(s *svg, b bar, y float64) {
			s.rect(namesWidth, y-7, b.value*scale, 14, appearanceOf(b.tool).color)
			s.text(namesWidth+b.value*scale+8, y+4, textStyle{size: 12, color: ink, anchor: "start"}, format(b.value)+b.note)
		})
}

// span is the quantiles of one tool: the median, the 99th percentile and the most.
type span struct {
	tool          string
	p50, p99, max float64
}

// spanChart draws for each tool a dot at the median, a thick line to the 99th percentile
// and a thin one to the most, on a logarithmic scale. Values below floor are at it.
func spanChart(title, subtitle string, panels []panel[span], floor float64, format func(float64) string) string {
	all := []float64{floor}
	for _, p := range panels {
		for _, r := range p.rows {
			all = append(all, max(floor, r.p50), max(floor, r.p99), max(floor, r.max))
		}
	}
	x := newAxis(all, namesWidth+10, chartWidth-40)
	return rowsChart(title, subtitle, panels,
		func(r span) string { return r.tool },
		func(s *svg, top, bottom float64) {
			for _, v := range x.ticks() {
				s.line(x.at(v), top, x.at(v), bottom, grid, 1)
				s.text(x.at(v), top-4, textStyle{size: 10, color: faint, anchor: "middle"}, format(v))
			}
		},
		func(s *svg, r span, y float64) {
			color := appearanceOf(r.tool).color
			s.line(x.at(r.p99), y, x.at(r.max), y, color, 1)
			s.line(x.at(r.p50), y, x.at(r.p99), y, color, 5)
			s.ring(x.at(r.max), y, 2.5, color)
			s.circle(x.at(r.p50), y, 5, color)
		})
}
