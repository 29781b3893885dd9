package main

import (
	"fmt"
	"strings"
)

// canvas collects the parts of a picture.
type canvas struct{ strings.Builder }

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

func (c *canvas) rect(x, y, w, h float64, fill, more string) {
	c.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" %s/>`, x, y, w, h, fill, more)
}

func (c *canvas) line(x1, y1, x2, y2 float64, stroke, more string) {
	c.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" %s/>`, x1, y1, x2, y2, stroke, more)
}

// text writes text; anchor is start, middle or end.
func (c *canvas) text(x, y, size float64, color, anchor, text string) {
	c.add(`<text x="%.1f" y="%.1f" font-size="%.0f" fill="%s" text-anchor="%s">%s</text>`, x, y, size, color, anchor, escape(text))
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}

// wide estimates the width of text, from the width of letters in the usual sans-serif
// fonts.
func wide(text string, size float64) float64 { return 0.56 * size * float64(len([]rune(text))) }

// cut shortens text to a width and reports whether it had to.
func cut(text string, size, width float64) (string, bool) {
	runes := []rune(text)
	if fits := int(width / (0.56 * size)); len(runes) > fits {
		return string(runes[:max(fits-1, 0)]) + "…", true
	}
	return text, false
}
