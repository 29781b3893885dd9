package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

// path is the course of a line, each place relative to the last one: shorter so.
type path struct {
	strings.Builder
	// x and y are the last place, in tenths of a pixel.
	x, y int
}

// to goes on to a place.
func (p *path) to(x, y float64) {
	command := "l"
	if p.Len() == 0 {
		command = "M"
	}
	newX, newY := int(math.Round(x*10)), int(math.Round(y*10))
	p.WriteString(command + tenths(newX-p.x) + " " + tenths(newY-p.y))
	p.x, p.y = newX, newY
}

// tenths writes a number of tenths.
func tenths(n int) string { return strconv.FormatFloat(float64(n)/10, 'f', -1, 64) }

// axis maps values to places.
type axis struct {
	box
	low, high float64
	log       bool
	// binary is for bytes, whose round values are powers of two.
	binary bool
}

func (a axis) y(value float64) float64 {
	low, high := a.low, a.high
	if a.log {
		value, low, high = math.Log(max(value, low)), math.Log(low), math.Log(high)
	}
	part := (value - low) / (high - low)
	return a.box.y + a.h*(1-min(max(part, -0.02), 1.02))
}

// ticks returns round values on the axis.
func (a axis) ticks() []float64 {
	if a.log {
		return a.logTicks()
	}
	step := (a.high - a.low) / max(2, math.Floor(a.h/34))
	if a.binary && step > 1 {
		step = math.Pow(2, math.Ceil(math.Log2(step)))
	} else {
		step = round125(step)
	}
	var all []float64
	for n := math.Ceil(a.low/step - 1e-9); n*step <= a.high+step*1e-6; n++ {
		all = append(all, n*step)
	}
	return all
}

// logTicks are the powers of ten, and 2 and 5 times them where there is room.
func (a axis) logTicks() []float64 {
	factors := []float64{1, 2, 5}
	if math.Log10(a.high/a.low)*3 > a.h/24 {
		factors = []float64{1}
	}
	var all []float64
	for p := math.Floor(math.Log10(a.low)); p <= math.Log10(a.high); p++ {
		for _, f := range factors {
			if t := f * math.Pow(10, p); t >= a.low*0.999 && t <= a.high*1.001 {
				all = append(all, t)
			}
		}
	}
	return all
}

// round125 rounds up to 1, 2 or 5 times a power of ten.
func round125(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*p >= v*0.999 {
			return f * p
		}
	}
	return 10 * p
}

// chart draws lines, with a legend below.
func (v *view) chart(b box, p grafana.Panel, lines []line) {
	var o grafana.TimeSeriesOptions
	reread(p.Options, &o)
	plot := v.legend(b, p, o.Legend, lines)
	stacks := stack(lines)
	d := p.FieldConfig.Defaults
	a := scaleOf(d, lines, stacks)
	a.box = box{plot.x, plot.y + 4, plot.w, plot.h - 20}
	label := 0.0
	for _, t := range a.ticks() {
		label = max(label, wide(format(t, d.Unit, d.Decimals), 11))
	}
	a.x, a.w = a.x+label+8, a.w-label-8
	v.frame(a, d)
	v.canvas.add(`<clipPath id="c%d"><rect x="%.1f" y="%.1f" width="%.1f" height="%.1f"/></clipPath><g clip-path="url(#c%d)">`, p.ID, a.x, a.box.y-2, a.w, a.h+4, p.ID)
	v.thresholds(a, d)
	for i, l := range lines {
		v.draw1(a, l, stacks[i])
	}
	for _, e := range v.events {
		x := v.at(a.box, e.from)
		v.canvas.line(x, a.box.y, x, a.box.y+a.h, e.color, `stroke-dasharray="3 3" opacity="0.8"`)
		if w := v.at(a.box, e.to) - x; w > 1 {
			v.canvas.rect(x, a.box.y, w, a.h, e.color, `opacity="0.08"`)
		}
	}
	v.canvas.add("</g>")
}

// base is what lies below a stacked line, by time.
type base map[float64]float64

// stack returns for each line what lies below it; nil where it is not stacked.
func stack(lines []line) []base {
	all, sum := make([]base, len(lines)), base{}
	for i, l := range lines {
		if s := l.field.Custom.Stacking; s == nil || s.Mode != "normal" {
			continue
		}
		all[i] = base{}
		for _, p := range l.points {
			all[i][p.at] = sum[p.at]
			sum[p.at] += p.value
		}
	}
	return all
}

// scaleOf finds an axis that holds all.
func scaleOf(d grafana.Field, lines []line, stacks []base) axis {
	a := axis{low: math.Inf(1), high: math.Inf(-1)}
	a.binary = d.Unit == "bytes"
	a.log = d.Custom.ScaleDistribution != nil && d.Custom.ScaleDistribution.Type == "log"
	for i, l := range lines {
		for _, p := range l.points {
			if a.log && p.value <= 0 {
				continue
			}
			a.low, a.high = min(a.low, p.value), max(a.high, p.value+stacks[i][p.at])
		}
	}
	if m := d.Custom.AxisSoftMax; m != nil {
		a.high = max(a.high, *m)
	}
	if a.log {
		a.low, a.high = a.low*0.8, a.high*1.25
		return a
	}
	if d.Min != nil {
		a.low = min(*d.Min, a.low)
	}
	if a.high <= a.low {
		a.high = a.low + 1
	}
	room := (a.high - a.low) * 0.06
	if d.Min == nil {
		a.low -= room
	}
	if a.high += room; d.Max != nil {
		a.high = *d.Max + (*d.Max-a.low)*0.02
	}
	return a
}

// frame draws the grid, the values and the times.
func (v *view) frame(a axis, d grafana.Field) {
	for _, t := range a.ticks() {
		v.canvas.line(a.x, a.y(t), a.x+a.w, a.y(t), gridLine, "")
		v.canvas.text(a.x-6, a.y(t)+4, 11, faint, "end", format(t, d.Unit, d.Decimals))
	}
	v.times(a.box)
}

// times draws the axis of time below a box.
func (v *view) times(b box) {
	start, end := float64(v.start.Unix()), float64(v.end.Unix())
	every := 60.0
	for (end-start)/every > b.w/80 {
		every *= 2
	}
	for t := math.Ceil(start/every) * every; t <= end; t += every {
		x := v.at(b, t)
		v.canvas.line(x, b.y, x, b.y+b.h, gridLine, "")
		if x > b.x+14 && x < b.x+b.w-14 {
			v.canvas.text(x, b.y+b.h+15, 11, faint, "middle", clock(t))
		}
	}
}

// thresholds draws a panel's thresholds, if it shows them.
func (v *view) thresholds(a axis, d grafana.Field) {
	if d.Custom.ThresholdsStyle == nil || d.Custom.ThresholdsStyle.Mode != "dashed" {
		return
	}
	for _, s := range d.Thresholds.Steps {
		if s.Value != nil && *s.Value >= a.low && *s.Value <= a.high {
			v.canvas.line(a.x, a.y(*s.Value), a.x+a.w, a.y(*s.Value), named(s.Color), `stroke-dasharray="8 6" opacity="0.7"`)
		}
	}
}

// draw1 draws one line. A gap in time is a gap in the line.
func (v *view) draw1(a axis, l line, below base) {
	var pieces [][]point
	for i, p := range l.points {
		if i == 0 || p.at-l.points[i-1].at > 1.5*v.step.Seconds() {
			pieces = append(pieces, nil)
		}
		pieces[len(pieces)-1] = append(pieces[len(pieces)-1], p)
	}
	c := l.field.Custom
	for _, piece := range pieces {
		top, area := &path{}, &path{}
		for _, p := range piece {
			top.to(v.at(a.box, p.at), a.y(p.value+below[p.at]))
			area.to(v.at(a.box, p.at), a.y(p.value+below[p.at]))
		}
		for _, p := range slices.Backward(piece) {
			area.to(v.at(a.box, p.at), a.y(max(below[p.at], a.low)))
		}
		if c.FillOpacity != nil && *c.FillOpacity > 0 {
			v.canvas.add(`<path d="%sZ" fill="%s" opacity="%.2f"/>`, area, l.color, float64(*c.FillOpacity)/100)
		}
		dash := ""
		if c.LineStyle != nil && c.LineStyle.Fill == "dash" {
			dash = `stroke-dasharray="8 6"`
		}
		if c.ShowPoints == "auto" && len(piece) == 1 {
			v.canvas.add(`<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"/>`, v.at(a.box, piece[0].at), a.y(piece[0].value), l.color)
		}
		if c.LineWidth != nil && *c.LineWidth > 0 {
			v.canvas.add(`<path d="%s" fill="none" stroke="%s" stroke-width="%.1f" stroke-linejoin="round" %s/>`, top, l.color, float64(*c.LineWidth)*1.2, dash)
		}
	}
}

// legend draws the legend and returns what it leaves of the box: like Grafana, it takes
// at most a third or so.
func (v *view) legend(b box, p grafana.Panel, o grafana.Legend, lines []line) box {
	const rowHeight, columnWidth = 20, 82
	if o.SortBy == "Max" {
		lines = slices.Clone(lines)
		slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(calc("max", b.points), calc("max", a.points)) })
	}
	rows := 1 + len(lines)
	if most := int(b.h * 0.38 / rowHeight); rows > most {
		// That those at 0 are out of sight is what sorting is for.
		if o.SortBy == "" || calc("max", lines[most-1].points) > 0 {
			v.problem(p.Title, fmt.Sprintf("%d of %d rows of the legend have to be scrolled to", rows-most, rows))
		}
		rows = most
	}
	y := b.y + b.h - float64(rows*rowHeight) + 14
	right := func(i int) float64 { return b.x + b.w - float64(len(o.Calcs)-1-i)*columnWidth }
	v.canvas.text(b.x, y, 11, faint, "start", "Name")
	for i, c := range o.Calcs {
		v.canvas.text(right(i), y, 11, faint, "end", map[string]string{"mean": "Mean", "max": "Max", "lastNotNull": "Last *"}[c])
	}
	for _, l := range lines[:rows-1] {
		y += rowHeight
		v.canvas.line(b.x, y-14, b.x+b.w, y-14, gridLine, "")
		v.canvas.rect(b.x, y-6, 14, 4, l.color, `rx="2"`)
		name, shortened := cut(l.name, 12, right(0)-b.x-20-60)
		if shortened {
			v.problem(p.Title, "the name "+l.name+" is cut off")
		}
		v.canvas.text(b.x+20, y, 12, ink, "start", name)
		if len(l.points) == 0 {
			continue
		}
		for j, c := range o.Calcs {
			v.canvas.text(right(j), y, 12, ink, "end", format(calc(c, l.points), l.field.Unit, l.field.Decimals))
		}
	}
	return box{b.x, b.y, b.w, b.h - float64(rows*rowHeight) - 4}
}

// calc makes one value of many.
func calc(name string, points []point) float64 {
	sum, most := 0.0, math.Inf(-1)
	for _, p := range points {
		sum, most = sum+p.value, max(most, p.value)
	}
	switch name {
	case "mean":
		return sum / float64(len(points))
	case "max":
		return most
	default:
		return points[len(points)-1].value
	}
}
