package config

import "strings"

// checkFormat checks a string against the syntax that its format tag names.
func checkFormat(format, text string) error {
	switch format {
	case "name":
		if !goodName(text) {
			return expectedError("a name of 1 to 64 letters, digits, _, . and -, that begins with a letter or digit")
		}
	case "token":
		if !token(text) {
			return expectedError("a word of letters, digits and -")
		}
	case "cluster":
		if !clusterName(text) {
			return expectedError("1 to 255 letters, digits, _, ., - and /, with a letter or digit at the start and after each /")
		}
	case "listen", "advertise", "host:port", "member", "endpoint":
		return checkAddress(format, text)
	case "file", "content":
		if text == "" {
			return expectedError("the name of a file")
		}
	case "folder":
		if text == "" {
			return expectedError("the name of a folder")
		}
	case "header":
		if !headerValue(text) {
			return expectedError("a header value: no line breaks or other control characters, no spaces around it")
		}
	}
	return nil
}

func goodName(name string) bool {
	return name != "" && len(name) <= 64 && !strings.ContainsFunc(name, notInNames) && letterOrDigit(rune(name[0]))
}

func notInNames(c rune) bool { return !letterOrDigit(c) && c != '_' && c != '.' && c != '-' }

func letterOrDigit(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// token reports whether the text is a token of RFC 9110.
func token(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(c rune) bool {
		return !letterOrDigit(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}

// headerValue reports whether the text can be sent as the value of a header.
func headerValue(text string) bool {
	return strings.Trim(text, " \t") == text &&
		!strings.ContainsFunc(text, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}
