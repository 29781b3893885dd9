package app

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/demo"
	"github.com/traffic-exporter/traffic_exporter/internal/demo/demotest"
)

// The files in the documentation of realistic traffic are whole. What they send has to be what
// the target of the program takes.
func TestTheWorkedExamplesRun(t *testing.T) {
	for page, want := range map[string]int{"realistic.md": 7, "coming-from.md": 2} {
		text, err := os.ReadFile(filepath.Join("../../docs", page))
		if err != nil {
			t.Fatal(err)
		}
		files := regexp.MustCompile("(?ms)^```yaml[^\n]*\n((?:data|scenarios):\n.*?)^```$").FindAllSubmatch(text, -1)
		if len(files) != want {
			t.Errorf("%s has %d files, want %d", page, len(files), want)
		}
		rows := regexp.MustCompile("(?ms)^```csv[^\n]*\n(.*?)^```$").FindSubmatch(text)
		for i, file := range files {
			t.Run(fmt.Sprint(page, " ", i+1), func(t *testing.T) {
				dir := t.TempDir()
				if rows != nil {
					if err := os.WriteFile(filepath.Join(dir, "people.csv"), rows[1], 0o600); err != nil {
						t.Fatal(err)
					}
				}
				runsAgainstTheTarget(t, dir, string(file[1]))
			})
		}
	}
}

// runsAgainstTheTarget sends slots of a file.
func runsAgainstTheTarget(t *testing.T, dir, text string) {
	t.Helper()
	var mu sync.Mutex
	asked := map[string]bool{}
	addr := demotest.Start(t, demo.Options{Observe: func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.String()] = true
	}})
	if !strings.Contains(text, "127.0.0.1:9871") {
		t.Fatal("it does not name the target")
	}
	file := filepath.Join(dir, "shop.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "127.0.0.1:9871", addr)), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := load(file, newDisk())
	if err != nil {
		t.Fatal(err)
	}
	sc := cfg.Scenarios[0]
	m, client, err := newTraffic(sc, apart(cfg))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	segment := sc.Timeline().Segment(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for seq := range uint64(20) {
		for _, e := range m.engineEntries(nil) {
			var out strings.Builder
			s := sender{w: &out, client: client, names: m.names}
			s.call.Request.Scenario = sc.Name
			if m.logins != nil {
				if err := m.logins.obtain(t.Context(), segment.Slot(seq)); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.journey(t.Context(), e.Script.Begin(segment.Slot(seq))); err != nil {
				t.Fatalf("slot %d: %v\n%s", seq, err, out.String())
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) < 3 {
		t.Errorf("only this was asked for: %v", asked)
	}
}
