package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

var (
	// errTooLarge says that variables make a string grow by more than it may.
	errTooLarge = errors.New("too large")
	// errNotSet is an environment variable that is missing.
	errNotSet = errors.New("is not set")
)

// expand replaces ${NAME} by the variable's value, ${NAME:-default} by the default if the
// variable is not set or empty, and $${ by ${. The values are strings whatever they
// hold: the structure of the file stands already. They may have room bytes in all.
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
		inner, after, closed := strings.Cut(rest, "}")
		name, otherwise, hasDefault := strings.Cut(inner, ":-")
		if !closed || !variableName(name) {
			return "", fmt.Errorf("expected the name of an environment variable as in ${NAME} or ${NAME:-default}, or $${ for a literal ${")
		}
		value, err := lookup(name, getenv)
		switch {
		case hasDefault && (value == "" || errors.Is(err, errNotSet)):
			value = otherwise
		case err != nil:
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
		return "", fmt.Errorf("environment variable %q %w", name, errNotSet)
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

// holdsVariable reports whether a string for expand has a variable in it.
func holdsVariable(text string) bool {
	return strings.Contains(strings.ReplaceAll(text, "$${", ""), "${")
}
