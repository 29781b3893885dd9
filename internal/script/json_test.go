package script

import (
	"strings"
	"testing"
)

func TestJSONIsNestedAtMostTenThousandLevels(t *testing.T) {
	nested := func(levels int, opening, closing string) string {
		return strings.Repeat(opening, levels) + "1" + strings.Repeat(closing, levels)
	}
	for name, tc := range map[string]struct {
		text string
		want bool
	}{
		"lists of the greatest depth":   {nested(10_000, "[", "]"), true},
		"lists too deep":                {nested(10_001, "[", "]"), false},
		"objects too deep":              {nested(10_001, `{"a":`, "}"), false},
		"both together":                 {nested(5_001, `[{"a":`, "}]"), false},
		"a depth that takes all stack":  {nested(20_000_000, "[", "]"), false},
		"one that is not even closed":   {strings.Repeat("[", 20_000_000), false},
		"many lists beside each other":  {"[" + strings.Repeat("[],", 20_000) + "[]]", true},
		"brackets in strings":           {`["` + strings.Repeat("[", 20_000) + `"]`, true},
		"brackets after an escape":      {`["\"` + strings.Repeat("[", 20_000) + `"]`, true},
		"depth after an escaped escape": {`["\\",` + nested(10_000, "[", "]") + `]`, false},
		"no JSON with as many brackets": {strings.Repeat("]", 20_000), false},
		"something else":                {"{", false},
	} {
		if got := ValidJSON(tc.text); got != tc.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
