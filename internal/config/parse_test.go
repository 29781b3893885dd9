package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

var update = flag.Bool("update", false, "write the expected errors of testdata/invalid-*.yaml")

// environment is what the files in testdata can refer to.
func environment(name string) (string, bool) {
	value, ok := map[string]string{
		"TEST_HOST":        "127.0.0.1:9871",
		"TEST_TIMEOUT":     "3s",
		"TEST_NUMBER":      "7",
		"TEST_FALSE":       "false",
		"TEST_PASSWORD":    "hunter2 from the environment",
		"TEST_HOSTILE":     "hunter2\n    requests: []\n",
		"TEST_SECRET_NAME": "hunter2",
		"TEST_BINARY":      "\xff",
		"TEST_BRACES":      "{{ hunter2 }}",
	}[name]
	return value, ok
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files %q (%v)", pattern, err)
	}
	return names
}

func contentOf(tb testing.TB, name string) []byte {
	tb.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return content
}

// load parses a file that has to be good.
func load(t *testing.T, name string) *config.Config {
	t.Helper()
	c, err := config.Parse(filepath.Base(name), contentOf(t, name), environment, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// parse parses a string that has to be valid.
func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("config.yaml", []byte(text), environment, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGoodFilesLoad(t *testing.T) {
	for _, name := range files(t, "good-*.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			for _, s := range load(t, name).Scenarios {
				if s.Timeline() == nil {
					t.Errorf("scenario %q has no timeline", s.Name)
				}
			}
		})
	}
}

func TestEveryMistakeIsReportedAsPinned(t *testing.T) {
	names := files(t, "invalid-*.yaml")
	if len(names) < 60 {
		t.Errorf("only %d invalid files", len(names))
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			c, err := config.Parse(filepath.Base(name), contentOf(t, name), environment, nil)
			if err == nil || c != nil {
				t.Fatalf("config %v, error %v", c, err)
			}
			got := err.Error() + "\n"
			expected := strings.TrimSuffix(name, ".yaml") + ".err"
			if *update {
				if err := os.WriteFile(expected, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(contentOf(t, expected)); got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
			if strings.Contains(got, "hunter2") {
				t.Errorf("shows a secret:\n%s", got)
			}
		})
	}
}

func TestErrorsCanBeTakenApart(t *testing.T) {
	_, err := config.Parse("x.yaml", contentOf(t, "testdata/invalid-several.yaml"), environment, nil)
	var all config.Errors
	if !errors.As(err, &all) || len(all) < 8 {
		t.Fatalf("not Errors, or too few: %v", err)
	}
	var one config.Error
	if !errors.As(err, &one) || one != all[0] || one.File != "x.yaml" || one.Line == 0 || one.Column == 0 || one.Path == "" {
		t.Errorf("first error: %+v", one)
	}
	for i := 1; i < len(all); i++ {
		if all[i].Line < all[i-1].Line || all[i].Line == all[i-1].Line && all[i].Column < all[i-1].Column {
			t.Errorf("%v is out of order", all[i])
		}
	}
}
