package config

import (
	"math"
	"strconv"
	"strings"
)

// Rate is a number of requests per second, written as a number and a unit of time:
// 200/s, 90/m, 10/h or 1/d. Fractions (0.5/s) and exponents (2e3/s) are numbers too,
// and 0/s is a pause.
type Rate float64

// maxRate bounds the rates in the file. Scale, min and max may bring them down to
// what a timeline can have.
const maxRate = 1e12

type rateUnit struct {
	name    string
	seconds float64
}

func rateUnits() []rateUnit {
	return []rateUnit{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}}
}

func (Rate) expectation() string { return "a rate such as 200/s, 90/m, 10/h or 0.5/s" }

// UnmarshalText sets the rate from its text. An error names the expected syntax.
func (r *Rate) UnmarshalText(text []byte) error {
	number, name, _ := strings.Cut(string(text), "/")
	if !plainNumber(number) {
		return expectedError(r.expectation())
	}
	for _, unit := range rateUnits() {
		if unit.name != name {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || n/unit.seconds > maxRate {
			return expectedError("a rate of at most 1e12/s")
		}
		*r = Rate(n / unit.seconds)
		return nil
	}
	return expectedError(r.expectation())
}

// plainNumber reports whether the text is digits, perhaps with a fraction and an exponent.
func plainNumber(text string) bool {
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(text), "e")
	whole, fraction, hasFraction := strings.Cut(mantissa, ".")
	if hasExponent {
		exponent = strings.TrimPrefix(exponent, "+")
		exponent = strings.TrimPrefix(exponent, "-")
	}
	return digits(whole) && (!hasFraction || digits(fraction)) && (!hasExponent || digits(exponent))
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// String returns the shortest text that UnmarshalText reads as exactly this rate, per
// second where it makes no difference.
func (r Rate) String() string {
	best := ""
	for _, unit := range rateUnits() {
		text := number(float64(r)*unit.seconds) + "/" + unit.name
		var back Rate
		if back.UnmarshalText([]byte(text)) != nil || back != r {
			continue
		}
		if best == "" || len(text) < len(best) {
			best = text
		}
	}
	if best == "" { // Not a rate that a file can have: negative, infinite or not a number.
		return number(float64(r)) + "/s"
	}
	return best
}

// number formats a float as people write it, exactly.
func number(f float64) string {
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e15) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// MarshalText returns the text of String.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
