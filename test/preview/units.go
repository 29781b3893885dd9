package main

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// scale is a unit of a family: values from at on are shown in it.
type scale struct {
	at     float64
	suffix string
}

// format shows a value in one of Grafana's units; without a number of decimals it has
// three digits.
func format(v float64, unit string, decimals *int) string {
	switch {
	case unit == "percentunit":
		return number(v*100, decimals, 100) + "%"
	case unit == "bool_yes_no":
		if v == 0 {
			return "No"
		}
		return "Yes"
	case strings.HasPrefix(unit, "suffix:"):
		return number(v, decimals, 1000) + strings.TrimPrefix(unit, "suffix:")
	case unit == "s":
		if v == 0 {
			return "0 s"
		}
		return scaled(v, decimals, []scale{{86400, " days"}, {3600, " hours"}, {60, " mins"}, {1, " s"}, {1e-3, " ms"}, {1e-6, " µs"}, {0, " ns"}}, 1e-9)
	case unit == "reqps":
		return scaled(v, decimals, []scale{{1e6, "M req/s"}, {1e3, "K req/s"}, {0, " req/s"}}, 1)
	case unit == "ops":
		return scaled(v, decimals, []scale{{1e6, "M ops/s"}, {1e3, "K ops/s"}, {0, " ops/s"}}, 1)
	case unit == "bytes":
		return scaled(v, decimals, []scale{{1 << 30, " GiB"}, {1 << 20, " MiB"}, {1 << 10, " KiB"}, {0, " B"}}, 1)
	case unit == "Bps":
		return scaled(v, decimals, []scale{{1e9, " GB/s"}, {1e6, " MB/s"}, {1e3, " kB/s"}, {0, " B/s"}}, 1)
	}
	return scaled(v, decimals, []scale{{1e6, " Mil"}, {1e3, " K"}, {0, ""}}, 1)
}

// scaled shows a value in the largest unit that it reaches, the smallest being worth
// least.
func scaled(v float64, decimals *int, scales []scale, least float64) string {
	for _, s := range scales {
		// What rounds up to a unit is shown in it.
		if math.Abs(v) >= s.at*0.9995 {
			return number(v/max(s.at, least), decimals, 1000) + s.suffix
		}
	}
	return ""
}

// number shows a number with decimals, or with about three digits; whole from limit on.
func number(v float64, decimals *int, limit float64) string {
	if v == 0 {
		v = 0 // Not -0.
	}
	if decimals != nil {
		return strconv.FormatFloat(v, 'f', *decimals, 64)
	}
	digits := 2
	switch a := math.Abs(v); {
	case a >= min(limit, 100):
		digits = 0
	case a >= 10:
		digits = 1
	case a > 0 && a < 0.1:
		digits = 3 - int(math.Floor(math.Log10(a))) - 1
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// clock shows the time of day.
func clock(unix float64) string { return time.Unix(int64(unix), 0).UTC().Format("15:04") }
