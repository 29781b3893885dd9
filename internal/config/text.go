package config

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// URL is an absolute http or https URL with a host, without user info and fragment.
type URL struct {
	uri.URI
}

func (URL) expectation() string { return "an absolute URL such as http://example.org/path" }

// UnmarshalText sets the URL from its text. The error says what was expected.
func (u *URL) UnmarshalText(text []byte) error {
	s := string(text)
	scheme, rest, absolute := strings.Cut(s, "://")
	switch {
	case strings.Contains(s, "{{"):
		return maskedError("found a template, which is not supported by this version: write braces as %7B and %7D")
	case absolute && strings.Contains(authorityOf(rest), "@"):
		return maskedError("found user info in the URL, write it as http_config.basic_auth instead")
	case !absolute || authorityOf(rest) == "":
		return expectedError(u.expectation())
	case !slices.Contains(schemes(), strings.ToLower(scheme)):
		return expectedError("one of the schemes " + list(schemes(), "and"))
	case strings.Contains(s, "#"):
		return expectedError("no fragment, as it is never sent: write # as %23")
	case strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f }):
		return expectedError("no spaces in the URL: write them as %20")
	}
	read, err := uri.Parse(s)
	if host, ok := errors.AsType[*uri.HostError](err); ok {
		return expectedError("a host that IDNA can convert: " + host.Err.Error())
	}
	switch {
	case errors.Is(err, uri.ErrPort):
		return expectedError("a port of 1 to 65535")
	case errors.Is(err, uri.ErrEscape):
		return expectedError("two hexadecimal digits after each %: write % itself as %25")
	case err != nil:
		return expectedError(u.expectation())
	}
	*u = URL{URI: read}
	return nil
}

// schemes are those of URLs that can be sent to.
func schemes() []string { return []string{"http", "https"} }

// authorityOf returns what stands between the scheme and the path.
func authorityOf(rest string) string {
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		return rest[:end]
	}
	return rest
}

// MarshalText returns the text of String.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// StatusRange is a range of HTTP status codes, both ends included, written as a code
// (301), a range (200-204) or a class (2xx).
type StatusRange struct {
	Low, High int
}

func (StatusRange) expectation() string {
	return "a status such as 200, 200-204 or 2xx, from 100 to 599"
}

// UnmarshalText sets the range from its text. The error says what was expected.
func (s *StatusRange) UnmarshalText(text []byte) error {
	low, high, isRange := strings.Cut(string(text), "-")
	if class, ok := strings.CutSuffix(low, "xx"); ok && !isRange {
		low, high = class+"00", class+"99"
	} else if !isRange {
		high = low
	}
	r := StatusRange{Low: statusCode(low), High: statusCode(high)}
	if r.Low == 0 || r.High == 0 {
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
	if err != nil || len(text) != 3 || n < 100 || n > 599 {
		return 0
	}
	return n
}

// String returns the shortest text that UnmarshalText reads as this range.
func (s StatusRange) String() string {
	switch {
	case s.Low == s.High:
		return strconv.Itoa(s.Low)
	case s.Low%100 == 0 && s.High == s.Low+99:
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

// UnmarshalText sets the time from its text. The error says what was expected.
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

// UnmarshalText sets the time from its text. The error says what was expected.
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

// ProxyURL is the URL of a proxy, which may have user info. It is printed without it.
type ProxyURL struct {
	*url.URL
}

func (ProxyURL) expectation() string {
	return "the URL of a proxy such as http://proxy.example.org:3128"
}

// UnmarshalText sets the URL from its text. The error says what was expected.
func (p *ProxyURL) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	switch {
	case err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return maskedError("expected " + p.expectation())
	case !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme):
		return maskedError("expected one of the schemes http, https, socks5 and socks5h")
	case !goodPort(u.Port()):
		return maskedError("expected a port of 1 to 65535")
	}
	*p = ProxyURL{u}
	return nil
}

// String returns the URL without user info.
func (p ProxyURL) String() string {
	if p.URL == nil {
		return ""
	}
	return p.Redacted()
}

// MarshalText returns the whole text, user info included, which fingerprints need.
func (p ProxyURL) MarshalText() ([]byte, error) {
	if p.URL == nil {
		return nil, nil
	}
	return []byte(p.URL.String()), nil
}
