//go:build linux

package main

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The inks of all drawings.
const (
	ink   = "#24292f"
	faint = "#6e7781"
	grid  = "#e6e8eb"
)

// svg is a drawing that grows. Its size is in pixels, from the top left.
type svg struct {
	width, height float64
	body          strings.Builder
}

func newSVG(width, height float64) *svg { return &svg{width: width, height: height} }

// textStyle is the style of a piece of text.
type textStyle struct {
	size   float64
	color  string
	anchor string // start, middle or end
	bold   bool
}

func (s *svg) text(x, y float64, t textStyle, words string) {
	weight := ""
	if t.bold {
		weight = ` font-weight="600"`
	}
	fmt.Fprintf(&s.body, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.0f\" fill=\"%s\" text-anchor=\"%s\"%s>%s</text>\n",
		x, y, t.size, t.color, t.anchor, weight, escape(words))
}

func (s *svg) line(x1, y1, x2, y2 float64, color string, width float64) {
	fmt.Fprintf(&s.body, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%.1f\" stroke-linecap=\"round\"/>\n",
		x1, y1, x2, y2, color, width)
}

// dots is a line that leads the eye and means nothing.
func (s *svg) dots(x1, y1, x2, y2 float64, color string) {
	fmt.Fprintf(&s.body, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"0.8\" stroke-dasharray=\"1 4\" stroke-linecap=\"round\"/>\n",
		x1, y1, x2, y2, color)
}

func (s *svg) rect(x, y, width, height float64, color string) {
	fmt.Fprintf(&s.body, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" fill=\"%s\"/>\n", x, y, width, height, color)
}

func (s *svg) circle(x, y, radius float64, color string) {
	fmt.Fprintf(&s.body, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\"/>\n", x, y, radius, color)
}

// ring is a circle that is not filled.
func (s *svg) ring(x, y, radius float64, color string) {
	fmt.Fprintf(&s.body, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"#ffffff\" stroke=\"%s\" stroke-width=\"1.6\"/>\n", x, y, radius, color)
}

// document returns the whole drawing, on white, with its title for those who cannot see it.
func (s *svg) document(title string) string {
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "+
		"font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\" role=\"img\">\n"+
		"<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n%s</svg>\n",
		s.width, s.height, s.width, s.height, escape(title), s.body.String())
}

func escape(words string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(words)) // A builder takes everything.
	return b.String()
}
