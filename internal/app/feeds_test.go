package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

func TestScenariosShareTheDataThatTheyUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(path, []byte("name\nAnn\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all := newTables([]config.Column{{Data: "people", Name: "name"}}, slog.New(slog.DiscardHandler), false)
	var told [2]atomic.Int64
	var current [2]func() bool
	for i := range told {
		table, err := all.get("people", config.Dataset{File: path}, func() { told[i].Add(1) })
		if err != nil {
			t.Fatal(err)
		}
		current[i] = table.current
		if got := table.rows(); got != all.loaded["people"].rows() || got.Len() != 1 {
			t.Errorf("scenario %d has %d rows of its own", i, got.Len())
		}
	}
	if err := os.WriteFile(path, []byte("town\nRome\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "both are told that the file is broken", func() bool {
		all.loaded["people"].rows() // Files are looked at while somebody uses them.
		return told[0].Load() > 0 && told[1].Load() > 0 && !current[0]() && !current[1]()
	})
	if _, err := all.get("towns", config.Dataset{File: path + ".csv"}, func() {}); err == nil || len(all.loaded) != 1 {
		t.Errorf("a file that is not there: %v", err)
	}
}
