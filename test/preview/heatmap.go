package main

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

// heatmap draws how many requests took how long, over time.
func (v *view) heatmap(b box, p grafana.Panel, lines []line) {
	spreads := classicSpreads(lines)
	for _, l := range lines {
		spreads = append(spreads, l.spreads...)
	}
	a := axis{log: true, low: math.Inf(1), high: 0}
	most := 0.0
	for _, s := range spreads {
		for _, k := range s.buckets {
			if k.count > 0 && k.low > 0 {
				a.low, a.high, most = min(a.low, k.low), max(a.high, k.high), max(most, k.count)
			}
		}
	}
	a.box = box{b.x + 62, b.y + 4, b.w - 62, b.h - 52}
	v.frame(a, p.FieldConfig.Defaults)
	v.cells(a, spreads, most)
	v.exemplars(a, p)
	v.colorScale(box{b.x + 62, b.y + b.h - 22, 220, 10}, most)
}

// classicSpreads makes histograms of the series of classic buckets, which count all
// below their bound.
func classicSpreads(lines []line) []spread {
	type bound struct {
		le     float64
		values map[float64]float64
	}
	var bounds []bound
	for _, l := range lines {
		le, err := strconv.ParseFloat(l.labels["le"], 64)
		if err != nil || math.IsInf(le, 0) {
			continue
		}
		k := bound{le: le, values: map[float64]float64{}}
		for _, p := range l.points {
			k.values[p.at] = p.value
		}
		bounds = append(bounds, k)
	}
	slices.SortFunc(bounds, func(a, b bound) int { return cmp.Compare(a.le, b.le) })
	if len(bounds) == 0 {
		return nil
	}
	var all []spread
	for at := range bounds[0].values {
		s := spread{at: at}
		low, below := bounds[0].le/2, 0.0
		for _, k := range bounds {
			s.buckets = append(s.buckets, bucket{low: low, high: k.le, count: k.values[at] - below})
			low, below = k.le, k.values[at]
		}
		all = append(all, s)
	}
	return all
}

// cells draws the histograms into an image, which is much smaller than as many
// rectangles.
func (v *view) cells(a axis, spreads []spread, most float64) {
	img := image.NewRGBA(image.Rect(0, 0, int(a.w), int(a.h)))
	half := v.step.Seconds() / 2
	for _, s := range spreads {
		left, right := v.at(a.box, s.at-half)-a.x, v.at(a.box, s.at+half)-a.x
		for _, k := range s.buckets {
			if k.count <= 0 || k.low <= 0 {
				continue
			}
			r, g, b := turbo(math.Sqrt(k.count / most))
			for y := int(math.Round(a.y(k.high) - a.box.y)); y < int(math.Round(a.y(k.low)-a.box.y)); y++ {
				for x := int(math.Round(left)); x < int(math.Round(right)); x++ {
					img.Set(x, y, color.RGBA{r, g, b, 255})
				}
			}
		}
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		v.problem("heatmap", err.Error())
	}
	v.canvas.add(`<image x="%.1f" y="%.1f" width="%d" height="%d" href="data:image/png;base64,%s"/>`,
		a.x, a.box.y, int(a.w), int(a.h), base64.StdEncoding.EncodeToString(buf.Bytes()))
}

// exemplars draws single requests as dots.
func (v *view) exemplars(a axis, p grafana.Panel) {
	for _, t := range p.Targets {
		if !t.Exemplar {
			continue
		}
		for _, e := range v.slowest(v.exemplarsOf(t.Expr)) {
			if x := v.at(a.box, e.at); x >= a.x {
				v.canvas.add(`<circle cx="%.1f" cy="%.1f" r="2.2" fill="white" stroke="black" stroke-width="0.6"/>`, x, a.y(e.value))
			}
		}
	}
}

// slowest keeps the largest of each fortieth of the time: Grafana draws few as well.
func (v *view) slowest(all []point) []point {
	every := v.end.Sub(v.start).Seconds() / 40
	kept := map[float64]point{}
	for _, p := range all {
		if slot := math.Floor(p.at / every); p.value > kept[slot].value {
			kept[slot] = p
		}
	}
	return slices.Collect(maps.Values(kept))
}

// colorScale draws the legend of the colours.
func (v *view) colorScale(b box, most float64) {
	const n = 44
	for i := range n {
		r, g, bl := turbo(math.Sqrt((float64(i) + 0.5) / n))
		fill := "#" + hex(r) + hex(g) + hex(bl)
		v.canvas.rect(b.x+b.w*float64(i)/n, b.y, b.w/n+0.5, b.h, fill, "")
	}
	v.canvas.text(b.x, b.y+22, 11, faint, "start", "0 req/s")
	v.canvas.text(b.x+b.w, b.y+22, 11, faint, "end", format(most, "reqps", nil))
}

func hex(v uint8) string { return strconv.FormatUint(uint64(v)+256, 16)[1:] }
