package docs

import (
	"slices"
	"strings"
	"testing"
)

func TestBlocksAreFoundWithTheirNotes(t *testing.T) {
	t.Parallel()
	page := strings.ReplaceAll("Text.\n\n<!-- test: run\nmkdir a\n-->\n<!-- test: needs docker -->\n\n'''sh\nls a\n'''\n\n- item\n\n  '''yaml title=\"b.yaml\"\n  c:\n    d: 1\n  '''\n", "'''", "```")
	found, err := parse(page)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 3 || found[0].language != hidden || found[0].text != "mkdir a\n" || found[1].text != "ls a\n" || found[1].line != 8 {
		t.Errorf("found %+v", found)
	}
	if reason, ok := found[1].note("needs"); !ok || reason != "docker" {
		t.Errorf("found the notes %+v", found[1].notes)
	}
	if found[2].title != "b.yaml" || found[2].text != "c:\n  d: 1\n" || found[2].notes != nil {
		t.Errorf("found %+v", found[2])
	}
}

func TestPagesWithMistakesAreRefused(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{
		"the block does not end":             "'''sh\nls\n",
		"the comment does not end":           "<!-- test: run\nls\n",
		`found the language ""`:              "'''\nls\n'''\n",
		`found the language "bash"`:          "'''bash\nls\n'''\n",
		`found the verb "skip"`:              "<!-- test: skip -->\n'''sh\nls\n'''\n",
		"expected a block after the comment": "<!-- test: needs docker -->\nText.\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(strings.ReplaceAll(page, "'''", "```")); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got the error %v", err)
			}
		})
	}
}

func TestQueriesAreSplit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"one a line":                      {"a\nb > 0 # why\n", []string{"a", "b > 0"}},
		"an operator at the start":        {"a\n  / b\nand c\n", []string{"a\n  / b\nand c"}},
		"an operator of its own":          {"  a\n-\n  b\n\n# next\n  c\n", []string{"  a\n-\n  b", "  c"}},
		"brackets that are open":          {"(\n a\n/ b\n) / (1 - c)\n", []string{"(\n a\n/ b\n) / (1 - c)"}},
		"a comment separates":             {"# one\na\n# two\nb\n", []string{"a", "b"}},
		"a function's name with an or in": {"a\norders\n", []string{"a", "orders"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := statements(tt.text); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
