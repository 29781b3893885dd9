package httpreq

import "bytes"

// maxDigits is how many digits a number may have: fewer than overflow an int64.
const maxDigits = 18

// ContentLength reads the value of a Content-Length field: a number, or a list of the same number,
// as proxies make of several fields (RFC 9110, section 8.6). It reports false for anything else.
func ContentLength(value []byte) (n int64, ok bool) {
	n = -1
	for text := range bytes.SplitSeq(value, []byte{','}) {
		m, ok := Decimal(Trim(text))
		if !ok || n >= 0 && m != n {
			return 0, false
		}
		n = m
	}
	return n, true
}

// Decimal reads a number of at most 18 digits, without a sign.
func Decimal(text []byte) (n int64, ok bool) {
	if len(text) == 0 || len(text) > maxDigits {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// Trim returns the text without blanks around it. It is several times as fast as bytes.Trim, which
// makes a set of them first.
func Trim(text []byte) []byte {
	for len(text) > 0 && isBlank(text[0]) {
		text = text[1:]
	}
	return TrimRight(text)
}

// TrimRight returns the text without the blanks at its end.
func TrimRight(text []byte) []byte {
	for len(text) > 0 && isBlank(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return text
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
