package app

import (
	"strings"
	"testing"
)

func TestRowsAreBounded(t *testing.T) {
	wide := strings.TrimSuffix(strings.Repeat("x,", 1000), ",") + "\n"
	for name, tc := range map[string]struct{ path, content, want string }{
		"a huge field":             {"a.csv", "a\n" + strings.Repeat("x", maxRow+1), "line 2 has more than 1048576 bytes"},
		"a huge header":            {"a.csv", strings.Repeat("x,", maxRow), "line 1 has more than 1048576 bytes"},
		"a quote that never ends":  {"a.csv", "a\n\"" + strings.Repeat("x", maxRow), "line 2 has more than 1048576 bytes"},
		"a huge field of lines":    {"a.csv", "a\n\"" + strings.Repeat("x\n", maxRow) + "\"", "row 1 has more than 1048576 bytes"},
		"a field of escapes":       {"a.csv", "a\n" + strings.Repeat("\x01", maxRow/2), "row 1 has more than 1048576 bytes"},
		"rows of CSV":              {"a.csv", "a\n" + strings.Repeat("1\n", maxRows+1), "it has more than 1000000 rows"},
		"rows of a list":           {"a.json", "[" + strings.Repeat("1,", maxRows) + "1]", "it has more than 1000000 rows"},
		"rows of JSON Lines":       {"a.jsonl", strings.Repeat("1\n", maxRows+1), "it has more than 1000000 rows"},
		"a huge element of a list": {"a.json", "[\"" + strings.Repeat("x", maxRow+1) + "\"]", "row 1 has more than 1048576 bytes"},
		"names that rows repeat":   {"a.csv", strings.Repeat(strings.Repeat("n", 500)+",", 999) + "n\n" + strings.Repeat(wide, 1000), "its rows as JSON have more than 268435456 bytes"},
		"a list that is deep":      {"a.json", strings.Repeat("[", 20_000_000) + strings.Repeat("]", 20_000_000), "it is no JSON"},
		"a line that is deep":      {"a.jsonl", "1\n" + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), "line 2: it is no JSON"},
	} {
		if values, err := readRows(tc.path, tc.content); err == nil || err.Error() != tc.want {
			t.Errorf("%s: %d rows, error %v, want %s", name, len(values), err, tc.want)
		}
	}
	for path, content := range map[string]string{"a.csv": "a\n" + strings.Repeat("1\n", maxRows), "a.jsonl": "\"" + strings.Repeat("x", maxRow-1) + "\""} {
		if values, err := readRows(path, content); err != nil || len(values) == 0 {
			t.Errorf("%s: %d rows, error %v", path, len(values), err)
		}
	}
}
