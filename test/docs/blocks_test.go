package docs

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// block is a fenced block of a page, or a script that the page hides from its readers.
type block struct {
	line     int
	language string // that of the fence, or hidden
	title    string // the name of the file to save it as
	text     string
	notes    []note
}

// hidden is the language of a script in a comment `<!-- test: run ... -->`, which stands for what readers do by hand.
const hidden = "hidden"

// note is a comment before a block that says how to test it: `<!-- test: verb rest -->`.
type note struct{ verb, rest string }

// note returns the rest of the first note with the verb.
func (b *block) note(verb string) (string, bool) {
	for _, n := range b.notes {
		if n.verb == verb {
			return n.rest, true
		}
	}
	return "", false
}

// languages are those that a fence may name.
var languages = regexp.MustCompile("^(sh|console|yaml|promql|text|ini|csv|python|javascript)$")

// verbs are those of notes.
var verbs = regexp.MustCompile("^(run|needs|fails|prints|printed|as)$")

var fence = regexp.MustCompile("^( *)```([a-z]*)(?: title=\"([^\"]+)\")?$")

// parse returns the blocks of a page from top to bottom.
func parse(page string) ([]block, error) {
	var found []block
	var notes []note
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		begin := i
		switch m := fence.FindStringSubmatch(lines[i]); {
		case m != nil:
			b := block{line: begin + 1, language: m[2], title: m[3], notes: notes}
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "```"; i++ {
				b.text += strings.TrimPrefix(lines[i], m[1]) + "\n"
			}
			if i == len(lines) {
				return nil, fmt.Errorf("line %d: the block does not end", b.line)
			}
			if !languages.MatchString(b.language) {
				return nil, fmt.Errorf("line %d: found the language %q, expected one of %s", b.line, b.language, languages)
			}
			found, notes = append(found, b), nil
		case strings.HasPrefix(strings.TrimSpace(lines[i]), "<!-- test:"):
			text := strings.TrimSpace(lines[i])
			for ; !strings.HasSuffix(text, "-->"); text += "\n" + lines[i] {
				if i++; i == len(lines) {
					return nil, fmt.Errorf("line %d: the comment does not end", begin+1)
				}
			}
			text = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(text, "<!-- test:"), "-->"))
			verb := strings.Fields(text + " -")[0]
			n := note{verb: verb, rest: strings.TrimSpace(strings.TrimPrefix(text, verb))}
			if !verbs.MatchString(verb) {
				return nil, fmt.Errorf("line %d: found the verb %q, expected one of %s", begin+1, verb, verbs)
			}
			if verb == "run" {
				found = append(found, block{line: begin + 1, language: hidden, text: n.rest + "\n"})
			} else {
				notes = append(notes, n)
			}
		case strings.TrimSpace(lines[i]) != "" && notes != nil:
			return nil, fmt.Errorf("line %d: expected a block after the comment", i+1)
		}
	}
	return found, nil
}

// statements splits a block of PromQL into its expressions: a comment, an empty line, and a line that nothing
// connects with the one before begin another one.
func statements(text string) []string {
	begins := regexp.MustCompile(`^(\s|[-+*/<>=)]|(and|or|unless)\b)`)
	ends := regexp.MustCompile(`[-+*/<>=(]$`)
	comment := regexp.MustCompile(`(^|\s+)#.*`)
	var found []string
	depth, before := 0, ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(comment.ReplaceAllString(line, ""), " \n")
		switch {
		case line == "":
		case before != "" && (depth > 0 || begins.MatchString(line) || ends.MatchString(before)):
			found[len(found)-1] += "\n" + line
		default:
			found = append(found, line)
		}
		depth += strings.Count(line, "(") - strings.Count(line, ")")
		before = line
	}
	return found
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
