package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// passage is a piece of prose, and the file and line where it begins.
type passage struct {
	file string
	line int
	text string
}

// style is a rule of the style guide, in the format of Vale.
type style struct {
	name   string
	tokens []string
	match  *regexp.Regexp
	// message is the advice, and swap that for single tokens.
	message string
	swap    map[string]string
}

// TestTheProseFollowsTheStyleGuide checks what Vale checks, without a C compiler, and the
// strings of the code in addition.
func TestTheProseFollowsTheStyleGuide(t *testing.T) {
	all := styles(t)
	texts := passages(t)
	if len(texts) < 10_000 {
		t.Fatalf("found only %d passages", len(texts))
	}
	for _, p := range texts {
		for _, s := range all {
			if at := s.match.FindStringIndex(p.text); at != nil {
				line := p.line + strings.Count(p.text[:at[0]], "\n")
				t.Errorf("%s:%d: %q: %s", p.file, line, p.text[at[0]:at[1]], s.advice(t, p.text[at[0]:at[1]]))
			}
		}
	}
}

// TestEachRuleOfTheStyleGuideFires has a sentence in testdata/prose that breaks each token
// of each rule, and sentences that break none.
func TestEachRuleOfTheStyleGuideFires(t *testing.T) {
	all := styles(t)
	good := lines(t, "testdata/prose/good.txt")
	for _, s := range all {
		bad := lines(t, filepath.Join("testdata/prose", s.name+".txt"))
		for _, token := range s.tokens {
			if !slices.ContainsFunc(bad, matcher(t, []string{token}).MatchString) {
				t.Errorf("%s: no sentence breaks %q", s.name, token)
			}
		}
		for _, sentence := range bad {
			if !s.match.MatchString(sentence) {
				t.Errorf("%s: not reported: %s", s.name, sentence)
			}
		}
		for _, sentence := range good {
			if found := s.match.FindString(sentence); found != "" {
				t.Errorf("%s: reports %q in: %s", s.name, found, sentence)
			}
		}
	}
}

// styles reads the rules from the folder that Vale reads them from.
func styles(t *testing.T) []style {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, ".vale/styles/traffic_exporter/*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found no rules: %v", err)
	}
	var all []style
	for _, file := range files {
		var rule struct {
			Message string
			Tokens  []string
			Swap    map[string]string
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, &rule); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		s := style{name: strings.TrimSuffix(filepath.Base(file), ".yml"), tokens: rule.Tokens, message: rule.Message, swap: rule.Swap}
		s.tokens = slices.AppendSeq(s.tokens, maps.Keys(rule.Swap))
		s.match = matcher(t, s.tokens)
		all = append(all, s)
	}
	return all
}

// advice returns what to write instead.
func (s style) advice(t *testing.T, found string) string {
	t.Helper()
	for token, better := range s.swap {
		if matcher(t, []string{token}).MatchString(found) {
			return "write " + better
		}
	}
	_, advice, _ := strings.Cut(s.message, ": ")
	return advice
}

// matcher matches each of the tokens as whole words, across ends of lines.
func matcher(t *testing.T, tokens []string) *regexp.Regexp {
	t.Helper()
	m, err := regexp.Compile(`(?i)\b(?:` + strings.ReplaceAll(strings.Join(tokens, "|"), " ", `\s+`) + `)\b`)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// lines are the lines of a file that are not empty.
func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return line == "" })
}

// passages are all pieces of prose of the repository.
func passages(t *testing.T) []passage {
	t.Helper()
	code := regexp.MustCompile("`[^`\n]*`")
	var all []passage
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if slices.Contains([]string{".git", ".tools", ".vale", "node_modules", "dist", "testdata"}, d.Name()) {
				return filepath.SkipDir
			}
		case filepath.Ext(path) == ".go":
			all = append(all, ofGo(t, path)...)
		case filepath.Ext(path) == ".md":
			all = append(all, passage{path, 1, code.ReplaceAllString(withoutBlocks(t, path), "CODE")})
		default:
			all = append(all, ofComments(t, path)...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ofGo returns the comments of a Go file, and those of its strings that are sentences: the
// help of metrics and flags, and errors.
func ofGo(t *testing.T, path string) []passage {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var all []passage
	for _, c := range file.Comments {
		all = append(all, passage{path, files.Position(c.Pos()).Line, c.Text()})
	}
	if strings.HasSuffix(path, "_test.go") {
		return all
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if text, err := strconv.Unquote(literal.Value); err == nil && strings.Count(text, " ") > 2 {
				all = append(all, passage{path, files.Position(literal.Pos()).Line, text})
			}
		}
		return true
	})
	return all
}

// ofComments returns the comments of a file in one of the other languages.
func ofComments(t *testing.T, path string) []passage {
	t.Helper()
	mark, ok := map[string]string{
		".yaml": "#", ".yml": "#", ".sh": "#", ".py": "#", ".tpl": "#", ".js": "//", ".mjs": "//", ".cc": "//",
	}[filepath.Ext(path)]
	if filepath.Base(path) == "Makefile" || filepath.Base(path) == "Dockerfile" {
		mark, ok = "#", true
	}
	if !ok {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []passage
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if before, comment, found := strings.Cut(line, mark); found && (strings.TrimSpace(before) == "" || strings.HasSuffix(before, " ")) {
			all = append(all, passage{path, number, comment})
		}
	}
	return all
}
