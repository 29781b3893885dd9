package workload

import (
	"strconv"
	"strings"
)

// names gives out names of one kind, each once.
type names map[string]bool

// maxName bounds names, in bytes; a number may be put behind them.
const maxName = 56

// unique returns a name made of a string: its letters, digits and underscores in lower case. If nothing is left of it, it
// is the other one.
func (n names) unique(text, otherwise string) string {
	name := clean(text)
	if name == "" || '0' <= name[0] && name[0] <= '9' {
		name = strings.TrimRight(otherwise+"_"+name, "_")
	}
	candidate := name
	for i := 2; n[candidate]; i++ {
		candidate = name + "_" + strconv.Itoa(i)
	}
	n[candidate] = true
	return candidate
}

// clean returns a string as a name.
func clean(text string) string {
	mapped := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		default:
			return '_'
		}
	}, text)
	words := strings.FieldsFunc(mapped, func(r rune) bool { return r == '_' })
	name := strings.Join(words, "_")
	return strings.TrimRight(name[:min(len(name), maxName)], "_")
}

// singular returns what one of many is called, as far as it follows from the letters.
func singular(word string) string {
	switch {
	case strings.HasSuffix(word, "ies") && len(word) > 4:
		return word[:len(word)-3] + "y"
	case strings.HasSuffix(word, "ss"), strings.HasSuffix(word, "us"), strings.HasSuffix(word, "is"), len(word) < 4:
		return word
	default:
		return strings.TrimSuffix(word, "s")
	}
}
