package app

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strings"
	"time"
)

// outlookJSON is a scenario in a preview as JSON. Rates are in slots per second.
type outlookJSON struct {
	Name        string       `json:"name"`
	TimeZone    string       `json:"time_zone"`
	From        time.Time    `json:"from"`
	StepSeconds float64      `json:"step_seconds"`
	Columns     []columnJSON `json:"columns"`
	Peak        float64      `json:"peak"`
	PeakAt      time.Time    `json:"peak_at"`
	Slots       uint64       `json:"slots"`
	Series      int          `json:"series"`
}

type columnJSON struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

func writeOutlooksJSON(w io.Writer, all []outlook) error {
	out := struct {
		Scenarios []outlookJSON `json:"scenarios"`
	}{}
	for _, l := range all {
		one := outlookJSON{
			Name: l.scenario.Name, TimeZone: l.from.Location().String(), From: l.from, StepSeconds: l.step.Seconds(),
			Peak: l.peak, PeakAt: l.peakAt, Slots: l.slots, Series: l.series.Plain + l.series.Native + l.series.Classic,
		}
		for i, e := range l.extremes {
			one.Columns = append(one.Columns, columnJSON{Mean: l.means[i], Low: e.Low, High: e.High})
		}
		out.Scenarios = append(out.Scenarios, one)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

// The measures of a chart in SVG, in pixels.
const (
	svgWidth, svgHeight = 900, 220
	svgLeft, svgTop     = 70, 30
	svgRight, svgBottom = svgWidth - 20, svgHeight - 30
)

// writeOutlooksSVG draws one chart below the other: the mean of each column as a line, and a band from the lowest to the
// highest rate.
func writeOutlooksSVG(w io.Writer, all []outlook) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", svgWidth, svgHeight*len(all))
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	for i, l := range all {
		fmt.Fprintf(&b, `<g transform="translate(0 %d)">`+"\n", i*svgHeight)
		l.draw(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// draw writes one chart.
func (l outlook) draw(b *strings.Builder) {
	top := 0.0
	for _, e := range l.extremes {
		top = max(top, e.High)
	}
	n := len(l.extremes)
	x := func(column int) float64 { return svgLeft + float64(column)*float64(svgRight-svgLeft)/float64(n) }
	y := func(rate float64) float64 {
		if top == 0 {
			return svgBottom
		}
		return svgBottom - rate/top*(svgBottom-svgTop)
	}
	fmt.Fprintf(b, `<text x="%d" y="18" font-weight="bold">%s</text>`+"\n", svgLeft, html.EscapeString(l.scenario.Name))
	for _, rate := range []float64{0, top / 2, top} {
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			svgLeft, svgRight, y(rate), y(rate), svgLeft-6, y(rate)+4, perSecond(rate))
	}
	var band, back, line strings.Builder
	for i, e := range l.extremes {
		fmt.Fprintf(&band, "%.1f,%.1f %.1f,%.1f ", x(i), y(e.High), x(i+1), y(e.High))
		j := n - 1 - i
		fmt.Fprintf(&back, "%.1f,%.1f %.1f,%.1f ", x(j+1), y(l.extremes[j].Low), x(j), y(l.extremes[j].Low))
		fmt.Fprintf(&line, "%.1f,%.1f %.1f,%.1f ", x(i), y(l.means[i]), x(i+1), y(l.means[i]))
	}
	fmt.Fprintf(b, `<polygon points="%s%s" fill="#2a9d8f" fill-opacity="0.3"/>`+"\n", band.String(), back.String())
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="#2a9d8f" stroke-width="1.5"/>`+"\n", line.String())
	label := labels(l.from, l.step, n)
	for i := range n {
		if text := label(i); text != "" {
			fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(i), svgBottom+16, text)
		}
	}
}
