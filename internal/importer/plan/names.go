package plan

import (
	"strconv"
	"strings"
)

// names gives out names of variables, captures and data, each once.
type names struct {
	used map[string]bool
}

func newNames() *names {
	// What the writer may need itself.
	return &names{used: map[string]bool{"open_brace": true, "dollar_sign": true}}
}

// identifier returns a new name for a placeholder, made of a word.
func (n *names) identifier(word, otherwise string) string {
	return n.unique(strings.NewReplacer(".", "_", "-", "_").Replace(snake(cleanName(word, otherwise))))
}

// unique returns a name with a number behind it if it was given out before.
func (n *names) unique(name string) string {
	name = strings.TrimRight(name[:min(len(name), maxName-4)], "_.-")
	for i := 1; ; i++ {
		candidate := name
		if i > 1 {
			candidate += "_" + strconv.Itoa(i)
		}
		if !n.used[candidate] {
			n.used[candidate] = true
			return candidate
		}
	}
}

// maxName bounds names, in bytes.
const maxName = 64

// cleanName returns a string as a name: letters, digits, _ and -, beginning with a letter. If nothing is
// left it is the other one.
func cleanName(text, otherwise string) string {
	var b strings.Builder
	gap := false
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9' && b.Len() > 0:
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			gap = false
			b.WriteByte(c)
		case c == '-' && b.Len() > 0:
			b.WriteByte(c)
		default:
			gap = true
		}
		if b.Len() >= maxName-4 {
			break
		}
	}
	if name := strings.TrimRight(b.String(), "-_"); name != "" {
		return name
	}
	return otherwise
}

// snake returns camelCase as snake_case.
func snake(s string) string {
	var b strings.Builder
	for i := range len(s) {
		upper := 'A' <= s[i] && s[i] <= 'Z'
		if upper && i > 0 && 'a' <= s[i-1] && s[i-1] <= 'z' {
			b.WriteByte('_')
		}
		b.WriteByte(s[i])
	}
	return strings.ToLower(b.String())
}

// CleanName returns a string as a name of the configuration: letters, digits, _ and -, beginning with a letter.
// If nothing is left it is the other one.
func CleanName(text, otherwise string) string { return cleanName(text, otherwise) }

// Identifier returns a word as a name that placeholders may use.
func Identifier(word string) string { return newNames().identifier(word, "value") }
