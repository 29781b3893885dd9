package app

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func axis(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) + "/s" }

func hours(column int) string { return fmt.Sprintf("%02d:00", column) }

func TestChartDrawsEighthsOfARow(t *testing.T) {
	got := chart([]float64{0, 0.001, 1, 4, 4.5, 8}, axis, hours)
	lines := strings.Split(got, "\n")
	if len(lines) != chartHeight+3 {
		t.Fatalf("%d lines:\n%s", len(lines), got)
	}
	for i, line := range lines[:chartHeight] {
		if n := utf8.RuneCountInString(line); n > 5+6 {
			t.Errorf("line %d is %d columns wide: %q", i, n, line)
		}
	}
	bottom := []rune(lines[chartHeight-1])
	if string(bottom[5:]) != " ▁████" {
		t.Errorf("bottom row %q, want nothing, one eighth, and full blocks", string(bottom[5:]))
	}
	if row := []rune(lines[chartHeight-5]); string(row[5:]) != "    ▄█" {
		t.Errorf("fifth row %q, want half a block for 4.5 of 8", string(row[5:]))
	}
	if top := []rune(lines[0]); string(top[5:]) != "     █" {
		t.Errorf("top row %q, want only the highest", string(top[5:]))
	}
}

func TestChartOfNothingIsEmpty(t *testing.T) {
	got := chart(make([]float64, 24), axis, hours)
	if strings.ContainsAny(got, "▁▂▃▄▅▆▇█") {
		t.Errorf("bars without a rate:\n%s", got)
	}
	if !strings.Contains(got, "00:00       12:00") {
		t.Errorf("labels are missing:\n%s", got)
	}
}
