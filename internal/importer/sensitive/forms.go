package sensitive

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
)

// apart sorts spans and joins those that overlap. A partly secret span is secret.
func apart(all []Span) []Span {
	slices.SortFunc(all, func(a, b Span) int { return cmp.Or(a.Start-b.Start, b.End-a.End) })
	var out []Span
	for _, s := range all {
		last := len(out) - 1
		if last < 0 || s.Start >= out[last].End {
			out = append(out, s)
			continue
		}
		out[last].End = max(out[last].End, s.End)
		if s.Kind == Secret {
			out[last].Kind = Secret
		}
	}
	return out
}

// luhn reports whether the digits of a string are a card number's: 13 to 19 with a right check digit
// (ISO/IEC 7812-1, annex B).
func luhn(text string) bool {
	sum, n := 0, 0
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] < '0' || '9' < text[i] {
			continue
		}
		digit := int(text[i] - '0')
		if n++; n%2 == 0 {
			digit *= 2
		}
		sum += digit/10 + digit%10
	}
	return 13 <= n && n <= 19 && sum%10 == 0
}

// iban reports whether a string is an account number with right check digits (ISO 13616).
func iban(text string) bool {
	text = strings.ReplaceAll(text, " ", "")
	if len(text) < 15 || len(text) > 34 {
		return false
	}
	var digits strings.Builder
	for _, c := range text[4:] + text[:4] {
		if 'A' <= c && c <= 'Z' {
			digits.WriteString(big.NewInt(int64(c-'A') + 10).String())
			continue
		}
		digits.WriteRune(c)
	}
	n, ok := new(big.Int).SetString(digits.String(), 10)
	return ok && n.Mod(n, big.NewInt(97)).Int64() == 1
}

// random reports whether a string of at least 20 characters looks drawn at random, as tokens are, and
// not made of words or numbers. UUIDs, which name things, are not counted.
func random(text string) bool {
	if IsUUID(text) {
		return false
	}
	digits, letters, changes, longest := 0, 0, 0, 0
	run, last := 0, byte(0)
	for _, c := range []byte(text) {
		class := classOf(c)
		switch class {
		case 'd':
			digits++
		case 'l', 'u':
			letters++
		}
		if class != '-' && last != '-' && last != 0 && class != last {
			changes++
		}
		if run++; class == '-' {
			run = 0
		}
		longest = max(longest, run)
		last = class
	}
	switch {
	case digits == 0:
		// CamelCase of words has a small letter after each capital one, chance has not.
		return longest >= 20 && letters >= 20 && changes > longest/2
	case letters == 0:
		return false
	default:
		return longest >= 16 && changes >= 3 || longest >= 24 || changes >= 8
	}
}

// classOf returns d for a digit, l and u for lower and upper case, - for the others.
func classOf(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return 'd'
	case 'a' <= c && c <= 'z':
		return 'l'
	case 'A' <= c && c <= 'Z':
		return 'u'
	default:
		return '-'
	}
}

// IsUUID reports whether a string is a UUID as RFC 9562 writes it, in section 4.
func IsUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i, c := range []byte(text) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !isHex(c) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
