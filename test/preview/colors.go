package main

import (
	"math"
	"slices"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

// Colours of Grafana's dark theme.
const (
	background = "#111217"
	surface    = "#181b1f"
	border     = "#25282e"
	ink        = "#ccccdc"
	faint      = "#8e8e9a"
	gridLine   = "#26292f"
	linkInk    = "#6e9fff"
)

// named returns the value of a colour that Grafana has a name for.
func named(name string) string {
	if value, ok := map[string]string{
		"super-light-red": "#FFA6B0", "light-red": "#FF7383", "red": "#F2495C", "semi-dark-red": "#E02F44", "dark-red": "#C4162A",
		"light-orange": "#FFB357", "orange": "#FF9830", "semi-dark-orange": "#FF780A", "dark-orange": "#FA6400",
		"light-yellow": "#FFEE52", "yellow": "#FADE2A", "semi-dark-yellow": "#F2CC0C", "dark-yellow": "#E0B400",
		"light-green": "#96D98D", "green": "#73BF69", "semi-dark-green": "#56A64B", "dark-green": "#37872D",
		"light-blue": "#8AB8FF", "blue": "#5794F2", "semi-dark-blue": "#3274D9", "dark-blue": "#1F60C4",
		"light-purple": "#CA95E5", "purple": "#B877D9", "semi-dark-purple": "#A352CC", "dark-purple": "#8F3BB8",
		"text": ink, "white": "#ffffff",
	}[name]; ok {
		return value
	}
	return "magenta" // Not to be overlooked.
}

// classic returns a colour of the classic palette.
func classic(i int) string {
	palette := []string{
		"#73BF69", "#F2CC0C", "#8AB8FF", "#FF780A", "#F2495C", "#5794F2", "#B877D9", "#705DA0", "#37872D", "#FADE2A", "#447EBC", "#C15C17",
	}
	return palette[i%len(palette)]
}

// threshold returns the colour of a value.
func threshold(t *grafana.Thresholds, v float64) string {
	color := ink
	if t == nil {
		return color
	}
	for _, s := range t.Steps {
		if s.Value == nil || v >= *s.Value {
			color = named(s.Color)
		}
	}
	return color
}

// turbo is the colour scheme of that name, by Google's polynomial approximation
// (Apache-2.0), for x from 0 to 1.
func turbo(x float64) (r, g, b uint8) {
	poly := func(c ...float64) uint8 {
		sum := 0.0
		for _, k := range slices.Backward(c) {
			sum = sum*x + k
		}
		return uint8(255 * math.Min(math.Max(sum, 0), 1))
	}
	return poly(0.13572138, 4.61539260, -42.66032258, 132.13108234, -152.94239396, 59.28637943),
		poly(0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604),
		poly(0.10667330, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973)
}
