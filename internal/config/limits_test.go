package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

// problems parses a file that has to be refused and returns its mistakes.
func problems(t *testing.T, text string, getenv func(string) (string, bool)) config.Errors {
	t.Helper()
	_, err := config.Parse("x.yaml", []byte(text), getenv, nil)
	var all config.Errors
	if !errors.As(err, &all) {
		t.Fatalf("error %v", err)
	}
	return all
}

// nested is a mapping of keys a0 to a(levels-1), each with width times the one before.
func nested(levels, width int, open, leaf, separator, shut string) string {
	var text strings.Builder
	for level := range levels {
		item := leaf
		if level > 0 {
			item = fmt.Sprintf("*a%d", level-1)
		}
		fmt.Fprintf(&text, "a%d: &a%d %s%s%s\n", level, level, open, strings.TrimSuffix(strings.Repeat(item+separator, width), separator), shut)
	}
	return text.String()
}

func TestWhatAFileCostsIsBounded(t *testing.T) {
	scenario := func(name, rate string) string {
		return fmt.Sprintf("  - {name: %s, requests: [{name: r, url: 'http://127.0.0.1/'}], rate: %s}\n", name, rate)
	}
	var curves strings.Builder
	for i := range 1000 {
		curves.WriteString(scenario(fmt.Sprintf("s%d", i), "{sum: [{daily: [{at: '00:00', rate: 1/s}]}, {sine: {mean: 1/s, amplitude: 1/s, period: 2m}}]}"))
	}
	var merged strings.Builder
	merged.WriteString("<<: {k: 1}\n" + nested(10, 20, "{<<: [", "{k: 1}", ", ", "]}"))
	var doubled strings.Builder
	doubled.WriteString("v0: {text: a}")
	for i := range 60 {
		fmt.Fprintf(&doubled, ", v%d: {text: '{{ v%d }}{{ v%d }}'}", i+1, i, i)
	}
	// As many elements as there may be, of as many names as there may be: without a bound 100 GB.
	var elements strings.Builder
	for i := range 8 {
		fmt.Fprintf(&elements, "e%d: 100000, ", i)
	}
	series := strings.TrimSuffix(strings.Repeat("{name: up, each: {"+elements.String()+"}, value: 1}, ", 1000), ", ")
	long := strings.Repeat("x", 1<<17)
	variable := func(string) (string, bool) { return long, true }
	for name, tc := range map[string]struct{ text, want string }{
		"a large file":             {strings.Repeat("#", config.MaxSize) + "\n", "found more than 1048576 bytes, expected fewer in a configuration file"},
		"keys by merges":           {"scenarios:\n" + scenario("s", "1/s") + merged.String() + "<<: *a9\n", "aliases make the file larger than 50000 values"},
		"bytes by aliases":         {"scenarios:\n  - {name: s, rate: 1/s, requests: [{name: r, url: 'http://127.0.0.1/', body: &b '" + long + "'}" + strings.Repeat(", {name: r, url: 'http://127.0.0.1/', body: *b}", 40) + "]}\n", "aliases and environment variables make the file larger by more than 4194304 bytes"},
		"bytes by variables":       {"scenarios:\n  - {name: s, rate: 1/s, requests: [{name: r, url: 'http://127.0.0.1/', body: '" + strings.Repeat("${A}", 40) + "'}]}\n", "aliases and environment variables make the file larger by more than 4194304 bytes"},
		"bytes by more variables":  {"scenarios:\n  - {name: s, rate: 1/s, requests: [{name: r, url: 'http://127.0.0.1/'}" + strings.Repeat(", {name: r, url: 'http://127.0.0.1/', body: '${A}'}", 40) + "]}\n", "aliases and environment variables make the file larger by more than 4194304 bytes"},
		"values of variables":      {"scenarios:\n  - {name: s, rate: 1/s, variables: {" + doubled.String() + "}, requests: [{name: r, url: 'http://127.0.0.1/'}]}\n", "found a variable that is made of more than 100000 values, expected fewer"},
		"values of more variables": {"scenarios:\n  - {name: s, rate: 1/s, variables: {a: {text: x}, b: {text: '" + strings.Repeat("{{ a }}", 400) + "'}}, requests: [{name: r, url: 'http://127.0.0.1/{{ c }}', variables: {c: {text: '" + strings.Repeat("{{ b }}", 400) + "'}}}]}\n", "found a variable that is made of more than 100000 values, expected fewer"},
		"elements of a series":     {"scenarios:\n  - {name: s, rate: 1/s, requests: [{name: r, url: 'http://127.0.0.1/', method: POST, body: {remote_write: [{name: up, each: {a: 1000000000}, labels: {a: '{{ a }}'}, value: 1}]}}]}\n", `found "1000000000", expected 1 to 100000`},
		"elements of many series":  {"scenarios:\n  - {name: s, rate: 1/s, requests: [{name: r, url: 'http://127.0.0.1/', method: POST, body: {remote_write: [" + series + "]}}]}\n", "found more than 100 mistakes"},
		"knots of curves together": {"scenarios:\n" + curves.String(), "knots in all, expected at most 1000000"},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			for _, e := range problems(t, tc.text, variable) {
				if strings.Contains(e.Problem, tc.want) {
					n++
				}
				if len(e.Error()) > 1000 {
					t.Errorf("a mistake of %d bytes", len(e.Error()))
				}
			}
			if n != 1 {
				t.Errorf("%d mistakes with %q:\n%v", n, tc.want, problems(t, tc.text, variable)[0])
			}
		})
	}
}

func TestAHundredMistakesAreListed(t *testing.T) {
	var text strings.Builder
	text.WriteString("scenarios: []\n")
	for i := range 150 {
		fmt.Fprintf(&text, "key%d: 1\n", i)
	}
	all := problems(t, text.String(), nil)
	if len(all) != 101 || all[100].Problem != "found more than 100 mistakes, the rest of the file has not been checked" {
		t.Errorf("%d mistakes, the last one is %v", len(all), all[len(all)-1])
	}
}
