package script

import (
	"strings"

	"github.com/tidwall/gjson"
)

// maxDepth bounds how deep JSON is nested, as encoding/json does. gjson takes stack for each
// level, and a process that has none left does not survive.
const maxDepth = 10_000

// ValidJSON reports whether a string is JSON of at most 10,000 levels. It does not allocate.
func ValidJSON(text string) bool { return shallow(text) && gjson.Valid(text) }

// shallow reports whether JSON has at most maxDepth levels. For text that is no JSON the result is
// arbitrary.
func shallow(text string) bool {
	if strings.Count(text, "[")+strings.Count(text, "{") <= maxDepth {
		return true
	}
	depth, quoted := 0, false
	for i := 0; i < len(text) && depth <= maxDepth; i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		}
	}
	return depth <= maxDepth
}
