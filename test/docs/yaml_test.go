//go:build e2e

package docs

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// yaml appends what checks a block of YAML: a whole configuration by itself, anything else as its note says.
func (s *session) yaml(t *testing.T, b *block) {
	t.Helper()
	if reference.MatchString(b.text) {
		return // keys and the types of their values, which are generated
	}
	s.outcomes[yamlChecked]++
	kind, noted := b.note("as")
	file := b.title
	switch {
	case kind == "" && !noted && topLevel(b.text, "scenarios"):
		if file == "" {
			file = "config.yaml"
		}
		s.save(file, b.text)
		s.script.WriteString("traffic_exporter check " + file + "\n")
	case kind == "part": // of a configuration, beside its scenarios
		s.check(b.text + "scenarios:\n  - name: part\n    rate: 1/s\n    requests: [{name: get, url: \"http://10.0.0.1/\"}]\n")
	case kind == "scenario":
		s.check("scenarios:\n" + scenario(b.text, 0))
	case kind == "scenarios": // each line a part of another one
		text := "scenarios:\n"
		for i, line := range strings.Split(strings.TrimSpace(b.text), "\n") {
			text += scenario(line+"\n", i)
		}
		s.check(text)
	case kind == "request":
		s.check("scenarios:\n" + scenario("requests:\n  - name: get\n    url: http://10.0.0.1/\n"+indent(b.text, 4), 0))
	case kind == "prometheus":
		s.save("prometheus.yml", b.text)
		s.script.WriteString("promtool check config prometheus.yml\n")
	case kind == "values":
		if file == "" {
			file = "values.yaml"
		}
		s.save(file, b.text)
		s.script.WriteString("helm template traffic deploy/helm/traffic-exporter -f " + file + " >/dev/null\n")
	default:
		t.Fatalf("line %d: a note has to say what the YAML is; found %q", b.line, kind)
	}
}

// reference matches a block of the reference, which is no YAML.
var reference = regexp.MustCompile(`(?m)^[^#"]*[ \[|]<[a-z0-9_:|A-Z]+>`)

// check appends the check of a configuration that only the test needs.
func (s *session) check(text string) {
	s.save("part.yaml", text)
	s.script.WriteString("traffic_exporter check part.yaml\n")
}

// scenario is an element of scenarios with the keys of text, and those that every one needs.
func scenario(text string, number int) string {
	for key, value := range map[string]string{"rate": "1/s", "requests": "[{name: get, url: \"http://10.0.0.1/\"}]"} {
		if !topLevel(text, key) {
			text += key + ": " + value + "\n"
		}
	}
	return fmt.Sprintf("  - name: part%d\n", number) + indent(text, 4)
}

func topLevel(text, key string) bool {
	return regexp.MustCompile(`(?m)^` + key + `:`).MatchString(text)
}

func indent(text string, by int) string {
	return regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(text, strings.Repeat(" ", by)+"$1")
}

// syntax fails the test if a block is no YAML.
func (s *session) syntax(t *testing.T, b *block) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(b.text))
	for {
		var document map[string]any
		if err := decoder.Decode(&document); err != nil {
			if err.Error() != "EOF" {
				t.Errorf("line %d: %v", b.line, err)
			}
			return
		}
	}
}

// promql appends what parses each expression of a block, as a rule.
func (s *session) promql(b *block) {
	rules := "groups:\n  - name: page\n    rules:\n"
	for i, query := range statements(b.text) {
		rules += fmt.Sprintf("      - record: page:query:%d\n        expr: |2\n%s\n", i, indent(query, 10))
		s.outcomes[queriesChecked]++
	}
	s.save("queries.yaml", rules)
	s.script.WriteString("promtool check rules queries.yaml\n")
}
