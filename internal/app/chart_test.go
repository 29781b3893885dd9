package app

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

func axis(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) + "/s" }

func hours(column int) string {
	if column%12 != 0 {
		return ""
	}
	return fmt.Sprintf("%02d:00", column)
}

// bars are columns in which the rate does not change.
func bars(rates ...float64) []timeline.Extremes {
	var all []timeline.Extremes
	for _, r := range rates {
		all = append(all, timeline.Extremes{Low: r, High: r})
	}
	return all
}

func TestChartDrawsEighthsOfARow(t *testing.T) {
	got := chart(bars(0, 0.001, 1, 4, 4.5, 8), axis, hours)
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
	got := chart(bars(make([]float64, 24)...), axis, hours)
	if strings.ContainsAny(got, "▁▂▃▄▅▆▇█") {
		t.Errorf("bars without a rate:\n%s", got)
	}
	if !strings.Contains(got, "00:00       12:00") {
		t.Errorf("labels are missing:\n%s", got)
	}
}

func TestChartShadesWhatAColumnReachesForAWhile(t *testing.T) {
	got := chart([]timeline.Extremes{{Low: 1, High: 1}, {Low: 1, High: 8}, {Low: 0, High: 4}, {Low: 7.9, High: 8}}, axis, hours)
	lines := strings.Split(got, "\n")
	want := []string{" ░ █", " ░ █", " ░ █", " ░ █", " ░░█", " ░░█", " ░░█", "██░█"}
	for i, w := range want {
		if row := string([]rune(lines[i])[5:]); row != strings.TrimRight(w, " ") {
			t.Errorf("row %d is %q, want %q", i, row, w)
		}
	}
	if !strings.Contains(got, "░ from the lowest to the highest rate of a column") {
		t.Errorf("no legend:\n%s", got)
	}
}

func TestLabelsStandAtRoundTimes(t *testing.T) {
	for name, c := range map[string]struct {
		from  string
		step  time.Duration
		n     int
		zone  string
		first string // the labels in their order
	}{
		"a day from midnight":              {"2026-06-15T00:00:00+02:00", 20 * time.Minute, 72, "Europe/Berlin", "00:00 03:00 06:00 09:00 12:00 15:00 18:00 21:00"},
		"a day from an odd time":           {"2026-06-15T10:40:00+02:00", 20 * time.Minute, 72, "Europe/Berlin", "12:00 15:00 18:00 21:00 00:00 03:00 06:00 09:00"},
		"a day that is an hour short":      {"2026-03-29T00:00:00+01:00", 20 * time.Minute, 72, "Europe/Berlin", "00:00 03:00 06:00 09:00 12:00 15:00 18:00 21:00 00:00"},
		"a week":                           {"2026-06-15T00:00:00+02:00", 3 * time.Hour, 56, "Europe/Berlin", "Mon 15 Tue 16 Wed 17 Thu 18 Fri 19 Sat 20 Sun 21"},
		"a week with a day an hour longer": {"2026-10-23T00:00:00+02:00", 3 * time.Hour, 56, "Europe/Berlin", "Fri 23 Sat 24 Sun 25 Mon 26 Tue 27 Wed 28 Thu 29"},
		"a minute":                         {"2026-06-15T00:00:00Z", time.Second, 60, "UTC", "00:00:00 00:00:10 00:00:20 00:00:30 00:00:40 00:00:50"},
		"an hour":                          {"2026-06-15T00:00:00Z", time.Minute, 60, "UTC", "00:00 00:10 00:20 00:30 00:40 00:50"},
	} {
		loc, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		from, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(strings.Fields(labelRow(c.n, labels(from.In(loc), c.step, c.n))), " "); got != c.first {
			t.Errorf("%s: %q, want %q", name, got, c.first)
		}
	}
}

func TestAChartFitsItsWidth(t *testing.T) {
	for _, length := range []time.Duration{time.Minute, time.Hour, 5 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, maxPreview} {
		for _, width := range []int{40, 80, 81, 119, 200, 500} {
			step := chartStep(length, width)
			if n := int((length + step - 1) / step); n > width-chartMargin || n < 1 {
				t.Errorf("%s in %d: %d columns of %s", length, width, n, step)
			}
		}
	}
}
