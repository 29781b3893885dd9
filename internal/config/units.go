package config

import (
	"math"
	"strconv"
	"strings"
)

// Percent is a part of a whole, written in percent: 99.9% is 0.999.
type Percent float64

func (Percent) expectation() string { return "a percentage such as 99.9%" }

// UnmarshalText sets the percentage from its text. An error names the expected syntax.
func (p *Percent) UnmarshalText(text []byte) error {
	n, ok := strings.CutSuffix(string(text), "%")
	if !ok || !plainNumber(n) || strings.ContainsAny(n, "eE") {
		return expectedError(p.expectation())
	}
	// Reading the number with its point moved gives the float nearest to the number
	// written; a division would not always.
	part, err := strconv.ParseFloat(n+"e-2", 64)
	if err != nil {
		return expectedError(p.expectation())
	}
	*p = Percent(part)
	return nil
}

// String returns the shortest text that UnmarshalText reads as exactly this part.
func (p Percent) String() string {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(float64(p), 'e', -1, 64), "e")
	digits := strings.Replace(mantissa, ".", "", 1)
	e, _ := strconv.Atoi(exponent) // FormatFloat writes an exponent of digits.
	switch point := e + 3; {
	case p == 0:
		return "0%"
	case point <= 0:
		return "0." + strings.Repeat("0", -point) + digits + "%"
	case point >= len(digits):
		return digits + strings.Repeat("0", point-len(digits)) + "%"
	default:
		return digits[:point] + "." + digits[point:] + "%"
	}
}

// MarshalText returns the text of String.
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Bytes is a number of bytes, written as a whole number with an optional unit of
// KiB, MiB or GiB: 512, 64KiB, 10MiB.
type Bytes int64

type bytesUnit struct {
	name string
	size int64
}

func bytesUnits() []bytesUnit {
	return []bytesUnit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}
}

func (Bytes) expectation() string { return "a number of bytes such as 512, 64KiB, 10MiB or 1GiB" }

// UnmarshalText sets the number from its text. An error names the expected syntax.
func (b *Bytes) UnmarshalText(text []byte) error {
	for _, unit := range bytesUnits() {
		count, ok := strings.CutSuffix(string(text), unit.name)
		if !ok || !digits(count) {
			continue
		}
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil || n > math.MaxInt64/unit.size {
			return expectedError("at most 64GiB")
		}
		*b = Bytes(n * unit.size)
		return nil
	}
	return expectedError(b.expectation())
}

// String returns the shortest text that UnmarshalText reads as exactly this number.
func (b Bytes) String() string {
	for _, unit := range bytesUnits() {
		if b != 0 && int64(b)%unit.size == 0 {
			return strconv.FormatInt(int64(b)/unit.size, 10) + unit.name
		}
	}
	return "0"
}

// MarshalText returns the text of String.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }
