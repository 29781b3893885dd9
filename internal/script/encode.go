package script

import (
	"errors"
	"unicode/utf8"
)

// The ways in which a value cannot stand in its place.
var (
	errNoField   = errors.New("its value has no such field")
	errControl   = errors.New("its value holds a line break or another control character")
	errRawSpaces = errors.New("its value holds what cannot stand in a URL")
)

const hexDigits = "0123456789ABCDEF"

// AppendEncoded appends a string encoded for a path, a query, a form or a JSON string.
func AppendEncoded(dst []byte, place Place, text string) []byte {
	dst, _ = appendEncoded(dst, place, text) // Only headers refuse anything.
	return dst
}

// appendEncoded appends a string encoded for a place.
func appendEncoded(dst []byte, place Place, text string) ([]byte, error) {
	switch place {
	case PlacePath, PlaceQuery:
		return appendPercent(dst, text), nil
	case PlaceForm:
		return appendForm(dst, text), nil
	case PlaceJSON:
		return appendJSONText(dst, text), nil
	case PlaceText:
	case PlaceHeader:
		for _, c := range []byte(text) {
			if c < ' ' && c != '\t' || c == 0x7f {
				return dst, errControl
			}
		}
	}
	return append(dst, text...), nil
}

// appendRaw appends a string that stands in a path or a query without encoding. It refuses
// characters that no URL can have, as they would end the URL or the request's line.
func appendRaw(dst []byte, place Place, text string) ([]byte, error) {
	if place != PlacePath && place != PlaceQuery {
		return appendEncoded(dst, place, text)
	}
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f || c == '#' || place == PlacePath && c == '?' {
			return dst, errRawSpaces
		}
	}
	return append(dst, text...), nil
}

// unreserved reports whether a byte stands for itself everywhere in a URL (RFC 3986, section
// 2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// appendPercent appends a string with all bytes but the unreserved ones percent-encoded.
func appendPercent(dst []byte, text string) []byte {
	for _, c := range []byte(text) {
		if unreserved(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return dst
}

// appendForm appends a string as application/x-www-form-urlencoded has it (WHATWG URL,
// section 5.2).
func appendForm(dst []byte, text string) []byte {
	for _, c := range []byte(text) {
		switch {
		case c == ' ':
			dst = append(dst, '+')
		case unreserved(c) && c != '~' || c == '*':
			dst = append(dst, c)
		default:
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return dst
}

// appendJSONString appends a string as a JSON string.
func appendJSONString(dst []byte, text string) []byte {
	dst = append(dst, '"')
	dst = appendJSONText(dst, text)
	return append(dst, '"')
}

// appendJSONText appends a string as it stands between the quotes of a JSON string (RFC
// 8259, section 7). Bytes that are not UTF-8 become U+FFFD.
func appendJSONText(dst []byte, text string) []byte {
	plain := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(text[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			dst = append(append(dst, text[plain:i]...), "\uFFFD"...)
			i++
			plain = i
			continue
		}
		dst = append(dst, text[plain:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		plain = i
	}
	return append(dst, text[plain:]...)
}
