package fold

// IsValue reports whether a segment of a path looks like a value and not like a word: a number, a
// UUID, a hash, a date, an identifier in which digits stand among letters. Versions such as v2 are words.
func IsValue(segment string) bool {
	digits, letters, changes, escapes := 0, 0, 0, 0
	var last byte
	for _, c := range []byte(segment) {
		class := classOf(c)
		switch class {
		case 'd':
			digits++
		case 'l':
			letters++
		case '%':
			escapes++
		}
		if last != 0 && class != last && class != '-' && last != '-' {
			changes++
		}
		last = class
	}
	switch {
	case digits == 0:
		return escapes > 0 || hasAt(segment)
	case letters == 0:
		return true
	case isVersion(segment):
		return false
	default:
		// photo-2 and iphone15 have few digits at their end; a3f8 and 0PUK6V6EV0 have them among letters.
		return changes > 1 || digits >= 4 || digits >= letters
	}
}

func hasAt(s string) bool {
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '@' {
			return true
		}
	}
	return false
}

// isVersion reports whether a segment is v and a number, such as v1, v2.1 or v1beta1.
func isVersion(s string) bool {
	if len(s) < 2 || s[0] != 'v' && s[0] != 'V' || s[1] < '0' || '9' < s[1] {
		return false
	}
	digits := 0
	for i := 1; i < len(s); i++ {
		if '0' <= s[i] && s[i] <= '9' {
			digits++
		}
	}
	return digits <= 4 && len(s) <= 10
}

// classOf returns d for a digit, l for a letter, % for an escape, - for the others.
func classOf(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return 'd'
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		return 'l'
	case c == '%':
		return '%'
	default:
		return '-'
	}
}
