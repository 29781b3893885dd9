package app

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

const (
	chartHeight = 8
	// chartMargin is how many columns of text the labels of the rate take.
	chartMargin = 8
	// fewestColumns are drawn however narrow the terminal is.
	fewestColumns = 24
	// maxPreview is the longest preview.
	maxPreview = 366 * 24 * time.Hour
)

// chartSteps returns the times that a column may stand for.
func chartSteps() []time.Duration {
	const day = 24 * time.Hour
	return []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 20 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour, 6 * time.Hour, 8 * time.Hour, 12 * time.Hour,
		day, 2 * day, 7 * day, 14 * day, 28 * day,
	}
}

// chartStep returns the time that a column stands for, so that a chart of some length has a width.
func chartStep(length time.Duration, width int) time.Duration {
	most := max(fewestColumns, width-chartMargin)
	steps := chartSteps()
	for _, s := range steps {
		if length <= time.Duration(most)*s {
			return s
		}
	}
	return steps[len(steps)-1]
}

// columnStart returns the start of the column that an instant is in. Columns begin at midnight.
func columnStart(at time.Time, step time.Duration) time.Time {
	midnight := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, at.Location())
	return midnight.Add(at.Sub(midnight).Truncate(step))
}

// labels returns the labels of a time axis: a column's label, or nothing.
func labels(from time.Time, step time.Duration, n int) func(column int) string {
	const day = 24 * time.Hour
	distance := step // between two labels
	for _, s := range chartSteps() {
		if s%step == 0 && s >= 9*step || s >= day && s%step == 0 && s >= 8*step {
			distance = s
			break
		}
	}
	format := "15:04"
	switch {
	case distance < time.Minute:
		format = "15:04:05"
	case distance >= day && time.Duration(n)*step > 60*day:
		format = "02 Jan"
	case distance >= day:
		format = "Mon 02"
	}
	return func(column int) string {
		at := from.Add(time.Duration(column) * step)
		clock := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second
		since := at.Sub(from)
		if distance < day {
			since = clock
		} else if clock >= step { // On the day on which clocks change, midnight is within a column.
			return ""
		} else {
			since = since.Round(day)
		}
		if since%distance >= step {
			return ""
		}
		return at.Format(format)
	}
}

// chart draws the extremes of rates as bars of eighth blocks up to the lowest, shaded up to the highest, with the
// highest of all on the axis, and labels under their columns.
func chart(columns []timeline.Extremes, axis func(float64) string, label func(column int) string) string {
	top, shaded := 0.0, false
	for _, c := range columns {
		top = max(top, c.High)
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
		drawn := chartRow(columns, top, row)
		shaded = shaded || strings.ContainsRune(drawn, shade)
		line := fmt.Sprintf("%*s ┤%s", margin, name, drawn)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	fmt.Fprintf(&b, "%*s ┼%s\n", margin, axis(0), strings.Repeat("─", len(columns)))
	fmt.Fprintf(&b, "%*s  %s\n", margin, "", labelRow(len(columns), label))
	if shaded {
		fmt.Fprintf(&b, "%*s  %c from the lowest to the highest rate of a column\n", margin, "", shade)
	}
	return b.String()
}

// labelRow writes each label from its column on, unless the one before is in its way.
func labelRow(columns int, label func(column int) string) string {
	var b strings.Builder
	free := 0
	for i := range columns {
		if text := label(i); text != "" && i >= free {
			b.WriteString(strings.Repeat(" ", i-utf8.RuneCountInString(b.String())) + text)
			free = i + utf8.RuneCountInString(text) + 1
		}
	}
	return b.String()
}

// shade fills a cell that some rates of its column reach.
const shade = '░'

// chartRow draws one row; rows are numbered from the bottom, from 1.
func chartRow(columns []timeline.Extremes, top float64, row int) string {
	line := make([]rune, len(columns))
	for i, c := range columns {
		line[i] = chartCell(eighths(c.Low, top), eighths(c.High, top), row)
	}
	return string(line)
}

// eighths returns how many eighths of a row a rate takes.
func eighths(rate, top float64) int {
	if top == 0 || rate == 0 {
		return 0
	}
	return max(int(math.Round(rate/top*chartHeight*8)), 1) // Little is not nothing.
}

// chartCell returns the cell of a row in a column that goes from low to high, in eighths of a row.
func chartCell(low, high, row int) rune {
	blocks := []rune(" ▁▂▃▄▅▆▇█")
	low, high = low-(row-1)*8, high-(row-1)*8
	switch {
	case low >= 8:
		return blocks[8]
	case high <= 0:
		return blocks[0]
	case high-low < 8: // They are not a row apart: a bar up to the highest says enough.
		return blocks[min(high, 8)]
	case low >= 4:
		return blocks[8]
	default:
		return shade
	}
}
