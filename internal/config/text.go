package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
)

// StatusRange is a range of HTTP status codes or of close codes of WebSockets, both ends included, written as a
// code (301, 1000), a range (200-204, 4000-4999) or a class (2xx), or a status of gRPC, written as its name (NOT_FOUND).
type StatusRange struct {
	Low, High int
	// Name is that of a status of gRPC; the range is empty then.
	Name string
}

func (StatusRange) expectation() string {
	return "a status such as 200, 200-204 or 2xx, from 100 to 599, or, of gRPC, such as OK or NOT_FOUND, or, of WebSockets, a close code from 1000 to 4999"
}

// UnmarshalText sets the range from its text. An error names the expected syntax.
func (s *StatusRange) UnmarshalText(text []byte) error {
	if slices.Contains(spec.Names(), string(text)) {
		*s = StatusRange{Name: string(text)}
		return nil
	}
	low, high, isRange := strings.Cut(string(text), "-")
	if class, ok := strings.CutSuffix(low, "xx"); ok && !isRange {
		low, high = class+"00", class+"99"
	} else if !isRange {
		high = low
	}
	r := StatusRange{Low: statusCode(low), High: statusCode(high)}
	if r.Low == 0 || r.High == 0 || (r.Low < firstCloseCode) != (r.High < firstCloseCode) {
		return expectedError(s.expectation())
	}
	if r.Low > r.High {
		return expectedError("the lower status first")
	}
	*s = r
	return nil
}

// statusCode returns the code, or 0 if the text is none.
func statusCode(text string) int {
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return 0
	case len(text) == 3 && 100 <= n && n <= 599, len(text) == 4 && firstCloseCode <= n && n <= lastCloseCode:
		return n
	default:
		return 0
	}
}

// The codes with which WebSockets are closed (RFC 6455, section 7.4.2).
const firstCloseCode, lastCloseCode = 1000, 4999

// String returns the shortest text that UnmarshalText reads as this range.
func (s StatusRange) String() string {
	switch {
	case s.Name != "":
		return s.Name
	case s.Low == s.High:
		return strconv.Itoa(s.Low)
	case s.Low < firstCloseCode && s.Low%100 == 0 && s.High == s.Low+99:
		return strconv.Itoa(s.Low/100) + "xx"
	default:
		return strconv.Itoa(s.Low) + "-" + strconv.Itoa(s.High)
	}
}

// MarshalText returns the text of String.
func (s StatusRange) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// TimeOfDay is a reading of the clock, written as HH:MM or HH:MM:SS. YAML readers
// differ on what 09:00 is without quotes: put it in quotes.
type TimeOfDay time.Duration

func (TimeOfDay) expectation() string { return `a time of day such as "09:00"` }

// UnmarshalText sets the time from its text. An error names the expected syntax.
func (t *TimeOfDay) UnmarshalText(text []byte) error {
	if s := string(text); s == "24:00" || s == "24:00:00" {
		return expectedError(`"00:00", as a day ends where the next begins`)
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if at, err := time.Parse(layout, string(text)); err == nil && len(text) == len(layout) {
			*t = TimeOfDay(at.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)))
			return nil
		}
	}
	return expectedError(t.expectation())
}

// String returns the time as UnmarshalText reads it.
func (t TimeOfDay) String() string {
	text := time.Time{}.Add(time.Duration(t)).Format("15:04:05")
	return strings.TrimSuffix(text, ":00")
}

// MarshalText returns the text of String.
func (t TimeOfDay) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// TimeOfWeek is a day of the week and a time, such as mon 09:00. Weeks begin on Monday.
type TimeOfWeek struct {
	Day time.Weekday
	At  TimeOfDay
}

func (TimeOfWeek) expectation() string { return "a day and a time such as mon 09:00" }

func weekdays() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// UnmarshalText sets the time from its text. An error names the expected syntax.
func (t *TimeOfWeek) UnmarshalText(text []byte) error {
	name, at, _ := strings.Cut(string(text), " ")
	for day, short := range weekdays() {
		if name != short {
			continue
		}
		var clock TimeOfDay
		if strings.HasPrefix(at, "24:") {
			return expectedError("00:00 of the next day, as a day ends where the next begins")
		}
		if clock.UnmarshalText([]byte(at)) != nil {
			break
		}
		*t = TimeOfWeek{Day: time.Weekday(day), At: clock}
		return nil
	}
	return expectedError(t.expectation())
}

// offset returns the time since Monday, 00:00.
func (t TimeOfWeek) offset() time.Duration {
	return time.Duration((t.Day+6)%7)*durationDay + time.Duration(t.At)
}

// String returns the time as UnmarshalText reads it.
func (t TimeOfWeek) String() string { return weekdays()[t.Day%7] + " " + t.At.String() }

// MarshalText returns the text of String.
func (t TimeOfWeek) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
