package config_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

// FuzzParse: whatever the file, it is either refused with errors that have a place in
// it, or means the same as its canonical form.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "../../config.example.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatalf("no files %q (%v)", pattern, err)
		}
		for _, name := range names {
			f.Add(contentOf(f, name))
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := config.Parse("fuzz.yaml", content, environment, nil)
		if err == nil {
			sameAgain(t, c)
			if _, failure := c.Redacted(); failure != nil {
				t.Errorf("redacted: %v", failure)
			}
			return
		}
		var all config.Errors
		if !errors.As(err, &all) || len(all) == 0 || c != nil {
			t.Fatalf("error %v, config %v", err, c)
		}
		for _, one := range all {
			if one.Line < 1 || one.Problem == "" || strings.Contains(one.Error(), "hunter2 from the environment") {
				t.Errorf("error %+v", one)
			}
		}
	})
}
