package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// errTooLarge says that variables make a text grow by more than it may.
var errTooLarge = errors.New("too large")

// expand replaces ${NAME} by the variable's value and $${ by ${. Whatever the values
// hold, it is text: the structure of the file stands already. The values may have room
// bytes in all.
func expand(text string, getenv func(string) (string, bool), room int) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			out.WriteString(text)
			return out.String(), nil
		}
		if literal, ok := strings.CutSuffix(before, "$"); ok {
			out.WriteString(literal + "${")
			text = rest
			continue
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || !variableName(name) {
			return "", fmt.Errorf("expected the name of an environment variable as in ${NAME}, or $${ for a literal ${")
		}
		value, err := lookup(name, getenv)
		if err != nil {
			return "", err
		}
		if room -= len(value); room < 0 {
			return "", errTooLarge
		}
		out.WriteString(before + value)
		text = after
	}
}

func lookup(name string, getenv func(string) (string, bool)) (string, error) {
	value, ok := "", false
	if getenv != nil {
		value, ok = getenv(name)
	}
	switch {
	case !ok:
		return "", fmt.Errorf("environment variable %q is not set", name)
	case !utf8.ValidString(value):
		return "", fmt.Errorf("environment variable %q is not UTF-8 text", name)
	}
	return value, nil
}

func variableName(name string) bool {
	for i, c := range name {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// holdsVariable reports whether a text that expand takes has a variable in it.
func holdsVariable(text string) bool {
	return strings.Contains(strings.ReplaceAll(text, "$${", ""), "${")
}
