package app

import (
	"fmt"
	"math"
	"strings"
	"time"
)

const (
	chartHeight = 8
	// A column is 20 minutes, so that a day fits a terminal of 80 columns.
	chartColumns = 72
	chartColumn  = 24 * time.Hour / chartColumns
	// chartTick is the distance of the labels on the time axis, in columns.
	chartTick = 12
)

// chart draws non-negative values as bars of eighth blocks, with the highest value
// on the axis, and labels under every chartTick'th column.
func chart(values []float64, axis func(float64) string, label func(column int) string) string {
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	margin := max(len(axis(top)), len(axis(top/2)), len(axis(0)))

	var b strings.Builder
	for row := chartHeight; row > 0; row-- {
		name := ""
		switch row {
		case chartHeight:
			name = axis(top)
		case chartHeight / 2:
			name = axis(top / 2)
		}
		line := fmt.Sprintf("%*s ┤%s", margin, name, chartRow(values, top, row))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	fmt.Fprintf(&b, "%*s ┼%s\n", margin, axis(0), strings.Repeat("─", len(values)))
	var labels strings.Builder
	for column := 0; column < len(values); column += chartTick {
		fmt.Fprintf(&labels, "%-*s", chartTick, label(column))
	}
	fmt.Fprintf(&b, "%*s  %s\n", margin, "", strings.TrimRight(labels.String(), " "))
	return b.String()
}

// chartRow draws one row; rows are numbered from the bottom, from 1.
func chartRow(values []float64, top float64, row int) string {
	blocks := []rune(" ▁▂▃▄▅▆▇█")
	line := make([]rune, len(values))
	for i, v := range values {
		eighths := 0.0
		if top > 0 {
			eighths = math.Round(v/top*chartHeight*8) - float64(row-1)*8
		}
		if v > 0 && row == 1 {
			eighths = max(eighths, 1) // Little is not nothing.
		}
		line[i] = blocks[int(min(max(eighths, 0), 8))]
	}
	return string(line)
}
