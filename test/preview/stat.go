package main

import (
	"strconv"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

// stat draws one large value above its course.
func (v *view) stat(b box, lines []line) {
	l := lines[0]
	if len(l.points) == 0 {
		return
	}
	last := l.points[len(l.points)-1].value
	text, color := shown(l.field, last)
	if len(l.points) > 1 {
		v.sparkline(box{b.x - 9, b.y + b.h*0.55, b.w + 18, b.h*0.45 + 7}, l.points, color)
	}
	size := min(34, 1.6*b.w/float64(len([]rune(text))))
	v.canvas.add(`<text x="%.1f" y="%.1f" font-size="%.0f" font-weight="500" fill="%s" text-anchor="middle">%s</text>`,
		b.x+b.w/2, b.y+b.h*0.5, size, color, escape(text))
}

// shown returns the text and the colour of a value.
func shown(f grafana.Field, value float64) (text, color string) {
	text, color = format(value, f.Unit, f.Decimals), ink
	if f.Color != nil && f.Color.Mode == "thresholds" {
		color = threshold(f.Thresholds, value)
	}
	for _, m := range f.Mappings {
		if to, ok := m.Options[strconv.FormatFloat(value, 'f', -1, 64)]; ok {
			text, color = to.Text, named(to.Color)
		}
	}
	return text, color
}

// sparkline draws the course of a value.
func (v *view) sparkline(b box, points []point, color string) {
	low, high := points[0].value, points[0].value
	for _, p := range points {
		low, high = min(low, p.value), max(high, p.value)
	}
	if high == low {
		low, high = low-1, high+1
	}
	path := &path{}
	for _, p := range points {
		path.to(v.at(b, p.at), b.y+b.h*0.9-(p.value-low)/(high-low)*b.h*0.8)
	}
	v.canvas.add(`<path d="%s" fill="none" stroke="%s" stroke-width="1" opacity="0.7"/>`, path, color)
	v.canvas.add(`<path d="%s L%.1f %.1f L%.1f %.1f Z" fill="%s" opacity="0.14"/>`, path,
		v.at(b, points[len(points)-1].at), b.y+b.h, v.at(b, points[0].at), b.y+b.h, color)
}

// at is the place of a time on the axis.
func (v *view) at(b box, unix float64) float64 {
	start, end := float64(v.start.Unix()), float64(v.end.Unix())
	return b.x + (unix-start)/(end-start)*b.w
}
