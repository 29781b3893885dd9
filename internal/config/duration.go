package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time, written as Prometheus writes it: whole numbers with
// the units y (365 days), w, d, h, m, s and ms, from the largest to the smallest, each
// at most once, such as 90s, 1h30m or 1d; or 0.
type Duration time.Duration

const (
	durationDay  = 24 * time.Hour
	durationWeek = 7 * durationDay
	durationYear = 365 * durationDay
)

type durationUnit struct {
	name string
	size time.Duration
	// rounds means that the unit is only used to write multiples of it.
	rounds bool
}

func durationUnits() []durationUnit {
	return []durationUnit{
		{"y", durationYear, true},
		{"w", durationWeek, true},
		{"d", durationDay, true},
		{"h", time.Hour, false},
		{"m", time.Minute, false},
		{"s", time.Second, false},
		{"ms", time.Millisecond, false},
	}
}

func (Duration) expectation() string { return "a duration such as 90s, 5m or 1d" }

// UnmarshalText sets the duration from its text. An error names the expected syntax.
func (d *Duration) UnmarshalText(text []byte) error {
	bad := expectedError(d.expectation())
	rest := string(text)
	if rest == "0" {
		*d = 0
		return nil
	}
	if rest == "" {
		return bad
	}
	var sum time.Duration
	for _, unit := range durationUnits() {
		n, after, ok := leading(rest, unit.name)
		if !ok {
			continue
		}
		if n > int64((math.MaxInt64-sum)/unit.size) {
			return expectedError("a duration of less than 292y")
		}
		sum += time.Duration(n) * unit.size
		rest = after
	}
	if rest != "" {
		return bad
	}
	*d = Duration(sum)
	return nil
}

// leading cuts a whole number and the name of its unit off the text.
func leading(text, unit string) (n int64, rest string, ok bool) {
	digits := 0
	for digits < len(text) && '0' <= text[digits] && text[digits] <= '9' {
		digits++
	}
	rest, ok = strings.CutPrefix(text[digits:], unit)
	if !ok || digits == 0 || unit == "m" && strings.HasPrefix(rest, "s") {
		return 0, text, false
	}
	n, err := strconv.ParseInt(text[:digits], 10, 64)
	if err != nil {
		n = math.MaxInt64 // Too long a number: the caller finds it too large.
	}
	return n, rest, true
}

// String returns the duration in its shortest usual form, which UnmarshalText reads.
// Parts of a millisecond are cut.
func (d Duration) String() string {
	rest := time.Duration(d)
	if rest < time.Millisecond {
		return "0s"
	}
	var text strings.Builder
	for _, unit := range durationUnits() {
		if n := rest / unit.size; n > 0 && (!unit.rounds || rest%unit.size == 0) {
			text.WriteString(strconv.FormatInt(int64(n), 10) + unit.name)
			rest %= unit.size
		}
	}
	return text.String()
}

// MarshalText returns the text of String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
