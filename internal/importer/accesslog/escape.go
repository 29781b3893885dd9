package accesslog

import "bytes"

// unescape undoes how servers write characters that would end a value: \x22 by nginx, \" by Apache.
// A value without them is returned as it is; another one is appended to scratch, which is returned
// for the next time.
func unescape(b, scratch []byte) (value, newScratch []byte) {
	if bytes.IndexByte(b, '\\') < 0 {
		return b, scratch
	}
	start := len(scratch)
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			scratch = append(scratch, b[i])
			continue
		}
		i++
		if b[i] == 'x' && i+2 < len(b) && hex(b[i+1]) >= 0 && hex(b[i+2]) >= 0 {
			scratch = append(scratch, byte(hex(b[i+1])<<4|hex(b[i+2])))
			i += 2
			continue
		}
		scratch = append(scratch, unescaped(b[i]))
	}
	return scratch[start:], scratch
}

// unescaped returns what a character behind a backslash stands for.
func unescaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default:
		return c
	}
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}
