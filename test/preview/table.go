package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

// table draws a row for each value of the label that all queries share.
func (v *view) table(b box, p grafana.Panel) {
	rename := p.Transformations[1].Options["renameByName"].(map[string]any)
	label := ""
	for from := range rename {
		if !strings.HasPrefix(from, "Value") {
			label = from
		}
	}
	rows := map[string]map[string]float64{}
	titles := []string{}
	for _, t := range p.Targets {
		title := rename["Value #"+t.RefID].(string)
		titles = append(titles, title)
		answer, err := v.ask(t.Expr, true)
		if err != nil {
			v.problem(p.Title, err.Error())
		}
		if len(answer) == 0 {
			v.problem(p.Title, "the column "+title+" is empty")
		}
		for _, s := range answer {
			if rows[s.labels[label]] == nil {
				rows[s.labels[label]] = map[string]float64{}
			}
			if len(s.points) > 0 {
				rows[s.labels[label]][title] = s.points[0].value
			}
		}
	}
	v.rows(b, p, rename[label].(string), titles, rows)
}

// rows draws the head and the cells.
func (v *view) rows(b box, p grafana.Panel, head string, titles []string, rows map[string]map[string]float64) {
	const rowHeight = 30
	left := places(b, p, titles)
	v.canvas.text(b.x, b.y+16, 12, linkInk, "start", head+" ↑")
	for i, t := range titles {
		v.canvas.text(left[i+1]-8, b.y+16, 12, linkInk, "end", t)
		if wide(t, 12) > left[i+1]-left[i]-8 {
			v.problem(p.Title, "the head "+t+" is cut off")
		}
	}
	for i, name := range slices.Sorted(maps.Keys(rows)) {
		y := b.y + float64(i+1)*rowHeight
		if y+rowHeight > b.y+b.h+6 {
			v.problem(p.Title, "rows have to be scrolled to")
			break
		}
		v.canvas.line(b.x, y-4, b.x+b.w, y-4, gridLine, "")
		v.canvas.text(b.x, y+16, 12, linkInk, "start", name)
		for j, t := range titles {
			cell := box{left[j], y, left[j+1] - left[j] - 8, rowHeight}
			if value, ok := rows[name][t]; ok {
				v.cell(cell, field(p.FieldConfig, t), value)
			} else {
				v.canvas.text(cell.x+cell.w, y+16, 12, faint, "end", "-")
			}
		}
	}
}

// places returns where each column begins and the last one ends: those without a width
// share the room.
func places(b box, p grafana.Panel, titles []string) []float64 {
	const first = 150
	room, without := b.w-first, 0
	for _, t := range titles {
		if w := field(p.FieldConfig, t).Custom.Width; w > 0 {
			room -= float64(w)
		} else {
			without++
		}
	}
	left := []float64{b.x + first}
	for i, t := range titles {
		w := float64(field(p.FieldConfig, t).Custom.Width)
		if w == 0 {
			w = room / float64(without)
		}
		left = append(left, left[i]+w)
	}
	return left
}

// cell draws a value, with a bar if it is a gauge.
func (v *view) cell(b box, f grafana.Field, value float64) {
	text, color := shown(f, value)
	if o := f.Custom.CellOptions; o != nil && o.Type == "gauge" {
		room := b.w - 70
		v.canvas.rect(b.x+12, b.y+4, room, 16, gridLine, "")
		v.canvas.rect(b.x+12, b.y+4, room*min(max(value, 0), 1), 16, color, `opacity="0.8"`)
	}
	v.canvas.text(b.x+b.w, b.y+16, 12, color, "end", text)
}
